# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An IAM role as it is, and each write that can be made to it or its policies. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_policies import ManagedPolicy
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_roles import Role
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import AwsAccount, Issuer
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import aws_tags


@dataclasses.dataclass(frozen=True)
class Current:
    """The role, None while there is none, and what else the decision needs.

    ``inline`` holds inline policies by name: the wished name's alone where that exists, all others where it does not,
    and all of them when the role shall go. ``managed`` is the account's managed policy of the wished name, ``attached``
    the ARNs of the managed policies of the role; both are read only where the wish needs them. ``gone`` are the
    issuers that the trust policy names in this collection's form and whose provider no longer exists.
    """

    account: AwsAccount
    role: Role | None
    inline: t.Mapping[str, t.Mapping[str, t.Any]] = dataclasses.field(default_factory=dict)
    managed: ManagedPolicy | None = None
    attached: tuple[str, ...] = ()
    instance_profiles: tuple[str, ...] = ()
    gone: frozenset[Issuer] = frozenset()

    @property
    def existing(self) -> Role:
        if self.role is None:
            raise AssertionError("there is no role")
        return self.role

    @property
    def existing_policy(self) -> ManagedPolicy:
        if self.managed is None:
            raise AssertionError("there is no managed policy")
        return self.managed


@dataclasses.dataclass(frozen=True)
class Create:
    """``role`` carries the predicted ARN."""

    role: Role


@dataclasses.dataclass(frozen=True)
class Delete:
    """The role itself; everything in it must be gone before."""


@dataclasses.dataclass(frozen=True)
class SetTrust:
    document: t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class SetSettings:
    description: str | None
    max_session_duration: int


@dataclasses.dataclass(frozen=True)
class SetBoundary:
    """None removes it."""

    policy_arn: str | None


@dataclasses.dataclass(frozen=True)
class SetInlinePolicy:
    name: str
    document: t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class DeleteInlinePolicy:
    name: str


@dataclasses.dataclass(frozen=True)
class CreateManagedPolicy:
    policy: ManagedPolicy


@dataclasses.dataclass(frozen=True)
class SetManagedPolicy:
    """A new default version; there must be room for it."""

    document: t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class DeletePolicyVersion:
    """One version of the managed policy of the wished name; not the default one."""

    version: str


@dataclasses.dataclass(frozen=True)
class DeleteManagedPolicy:
    """The account's managed policy of the wished name; its other versions must be gone before."""


@dataclasses.dataclass(frozen=True)
class Attach:
    policy_arn: str


@dataclasses.dataclass(frozen=True)
class Detach:
    policy_arn: str


@dataclasses.dataclass(frozen=True)
class LeaveInstanceProfile:
    name: str


@dataclasses.dataclass(frozen=True)
class SetTags:
    tags: t.Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class RemoveTags:
    keys: tuple[str, ...]


RoleUpdate: t.TypeAlias = "SetTrust | SetSettings | SetBoundary | SetTags | RemoveTags"
PolicyWrite: t.TypeAlias = (
    "SetInlinePolicy | DeleteInlinePolicy | CreateManagedPolicy | SetManagedPolicy | DeletePolicyVersion"
    " | DeleteManagedPolicy"
)
Operation: t.TypeAlias = "Create | Delete | Attach | Detach | LeaveInstanceProfile | PolicyWrite | RoleUpdate"
Step: t.TypeAlias = "tuple[Operation, str]"


def advance(current: Current, operation: Operation) -> Current:
    """What is there after an operation; prediction and real run share it."""
    match operation:
        case Create(role):
            return dataclasses.replace(current, role=role)
        case Delete():
            return dataclasses.replace(current, role=None)
        case Attach(arn):
            return dataclasses.replace(current, attached=(*current.attached, arn))
        case Detach(arn):
            return dataclasses.replace(current, attached=tuple(other for other in current.attached if other != arn))
        case LeaveInstanceProfile(name):
            others = tuple(other for other in current.instance_profiles if other != name)
            return dataclasses.replace(current, instance_profiles=others)
        case SetTrust() | SetSettings() | SetBoundary() | SetTags() | RemoveTags():
            return dataclasses.replace(current, role=_updated(current.existing, operation))
        case _:
            return _with_policy(current, operation)


def _with_policy(current: Current, operation: PolicyWrite) -> Current:
    match operation:
        case SetInlinePolicy(name, document):
            return dataclasses.replace(current, inline={**current.inline, name: document})
        case DeleteInlinePolicy(name):
            kept = {other: document for other, document in current.inline.items() if other != name}
            return dataclasses.replace(current, inline=kept)
        case CreateManagedPolicy(created):
            return dataclasses.replace(current, managed=created)
        case SetManagedPolicy(document):
            return dataclasses.replace(current, managed=dataclasses.replace(current.existing_policy, document=document))
        case DeletePolicyVersion(version):
            found = current.existing_policy
            kept_versions = tuple(other for other in found.other_versions if other != version)
            return dataclasses.replace(current, managed=dataclasses.replace(found, other_versions=kept_versions))
        case DeleteManagedPolicy():
            return dataclasses.replace(current, managed=None)


def _updated(role: Role, operation: RoleUpdate) -> Role:
    match operation:
        case SetTrust(document):
            return dataclasses.replace(role, trust_policy=document)
        case SetSettings(description, duration):
            return dataclasses.replace(role, description=description, max_session_duration=duration)
        case SetBoundary(policy_arn):
            return dataclasses.replace(role, permissions_boundary=policy_arn)
        case SetTags(tags):
            return dataclasses.replace(role, tags=aws_tags.with_added(role.tags, tags, aws_tags.KeyCase.IGNORED))
        case RemoveTags(keys):
            return dataclasses.replace(role, tags=aws_tags.without(role.tags, keys))
