# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's roles with their inline and attached policies, typed. https://docs.aws.amazon.com/IAM/latest/APIReference/

Every method raises Forbidden, Unreachable, MissingCredentials or CloudError; writes raise Conflict when the object
was changed, created or deleted by another since it was read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession, aws_errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam import read_or_none, tag_list, tags_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: IAM's default, in seconds.
DEFAULT_SESSION_DURATION: t.Final = 3600

_MALFORMED_CODES = frozenset({"MalformedPolicyDocument", "MalformedPolicyDocumentException"})


class UnknownPrincipal(errors.CloudError):
    """A trust policy names a principal that IAM does not know, or does not know yet."""


@dataclasses.dataclass(frozen=True)
class Role:
    """A role. ``max_session_duration`` is in seconds, ``permissions_boundary`` an ARN."""

    arn: str
    name: str
    path: str
    trust_policy: Mapping[str, t.Any]
    max_session_duration: int = DEFAULT_SESSION_DURATION
    description: str | None = None
    permissions_boundary: str | None = None
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)


class IamRoles:
    """Roles, their inline policies, and what is attached to them."""

    def __init__(self, session: AwsSession) -> None:
        self._iam = session.client("iam")

    def get(self, name: str) -> Role | None:
        answer = read_or_none(f"reading IAM role {name}", self._iam.get_role, RoleName=name)
        if answer is None:
            return None
        role = answer["Role"]
        return Role(
            arn=role["Arn"],
            name=role["RoleName"],
            path=role["Path"],
            trust_policy=document_of(role.get("AssumeRolePolicyDocument"), f"the trust policy of IAM role {name}"),
            max_session_duration=int(role.get("MaxSessionDuration", DEFAULT_SESSION_DURATION)),
            description=role.get("Description") or None,
            permissions_boundary=(role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn"),
            tags=tags_of(role),
        )

    def inline_policy(self, role: str, name: str) -> Mapping[str, t.Any] | None:
        what = f"inline policy {name} of IAM role {role}"
        answer = read_or_none(f"reading {what}", self._iam.get_role_policy, RoleName=role, PolicyName=name)
        return None if answer is None else document_of(answer["PolicyDocument"], what)

    def inline_policy_names(self, role: str) -> tuple[str, ...]:
        with aws_errors("iam", f"listing the inline policies of IAM role {role}"):
            pages = self._iam.get_paginator("list_role_policies").paginate(RoleName=role)
            return tuple(name for page in pages for name in page["PolicyNames"])

    def attached_policy_arns(self, role: str) -> tuple[str, ...]:
        with aws_errors("iam", f"listing the managed policies of IAM role {role}"):
            pages = self._iam.get_paginator("list_attached_role_policies").paginate(RoleName=role)
            return tuple(entry["PolicyArn"] for page in pages for entry in page["AttachedPolicies"])

    def instance_profile_names(self, role: str) -> tuple[str, ...]:
        with aws_errors("iam", f"listing the instance profiles of IAM role {role}"):
            pages = self._iam.get_paginator("list_instance_profiles_for_role").paginate(RoleName=role)
            return tuple(entry["InstanceProfileName"] for page in pages for entry in page["InstanceProfiles"])

    def create(self, role: Role) -> str:
        """Create a role from all its fields but the ARN, which is returned. Raises UnknownPrincipal."""
        optional = {
            **({"Description": role.description} if role.description else {}),
            **({"PermissionsBoundary": role.permissions_boundary} if role.permissions_boundary else {}),
            **({"Tags": tag_list(role.tags)} if role.tags else {}),
        }
        with _trusting(f"creating IAM role {role.name}"):
            answer = self._iam.create_role(
                RoleName=role.name,
                Path=role.path,
                AssumeRolePolicyDocument=policy.compact(role.trust_policy),
                MaxSessionDuration=role.max_session_duration,
                **optional,
            )
        return str(answer["Role"]["Arn"])

    def delete(self, name: str) -> None:
        """Delete a role that has no policy and is in no instance profile any more."""
        with aws_errors("iam", f"deleting IAM role {name}"):
            self._iam.delete_role(RoleName=name)

    def set_trust_policy(self, name: str, document: Mapping[str, t.Any]) -> None:
        """Raises UnknownPrincipal."""
        with _trusting(f"setting the trust policy of IAM role {name}"):
            self._iam.update_assume_role_policy(RoleName=name, PolicyDocument=policy.compact(document))

    def set_settings(self, name: str, description: str | None, max_session_duration: int) -> None:
        """Set both: IAM's page does not promise that a value left out stays."""
        with aws_errors("iam", f"updating IAM role {name}"):
            self._iam.update_role(RoleName=name, Description=description or "", MaxSessionDuration=max_session_duration)

    def set_permissions_boundary(self, name: str, policy_arn: str | None) -> None:
        """Set the boundary, or remove it for None."""
        if policy_arn is None:
            with aws_errors("iam", f"removing the permissions boundary of IAM role {name}"):
                self._iam.delete_role_permissions_boundary(RoleName=name)
            return
        with aws_errors("iam", f"setting the permissions boundary of IAM role {name}"):
            self._iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=policy_arn)

    def set_inline_policy(self, role: str, name: str, document: Mapping[str, t.Any]) -> None:
        with aws_errors("iam", f"writing inline policy {name} of IAM role {role}"):
            self._iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=policy.compact(document))

    def delete_inline_policy(self, role: str, name: str) -> None:
        with aws_errors("iam", f"deleting inline policy {name} of IAM role {role}"):
            self._iam.delete_role_policy(RoleName=role, PolicyName=name)

    def attach(self, role: str, policy_arn: str) -> None:
        with aws_errors("iam", f"attaching {policy_arn} to IAM role {role}"):
            self._iam.attach_role_policy(RoleName=role, PolicyArn=policy_arn)

    def detach(self, role: str, policy_arn: str) -> None:
        with aws_errors("iam", f"detaching {policy_arn} from IAM role {role}"):
            self._iam.detach_role_policy(RoleName=role, PolicyArn=policy_arn)

    def remove_from_instance_profile(self, role: str, profile: str) -> None:
        with aws_errors("iam", f"removing IAM role {role} from instance profile {profile}"):
            self._iam.remove_role_from_instance_profile(RoleName=role, InstanceProfileName=profile)

    def tag(self, name: str, tags: Mapping[str, str]) -> None:
        with aws_errors("iam", f"tagging IAM role {name}"):
            self._iam.tag_role(RoleName=name, Tags=tag_list(tags))

    def untag(self, name: str, keys: Sequence[str]) -> None:
        with aws_errors("iam", f"removing tags of IAM role {name}"):
            self._iam.untag_role(RoleName=name, TagKeys=list(keys))


@contextlib.contextmanager
def _trusting(action: str) -> Iterator[None]:
    """As ``aws_errors``, with UnknownPrincipal told apart from other faults of a document."""
    try:
        with aws_errors("iam", action):
            yield
    except errors.CloudError as error:
        if error.code not in _MALFORMED_CODES or "invalid principal" not in error.detail.lower():
            raise
        raise error.told_as(
            UnknownPrincipal,
            fix="Every provider that the trust policy names must exist in the role's account: create the issuer's with "
            "iam_oidc_provider_thumbprint, and remove statements for providers that were deleted "
            "(prune_stale_issuers).",
        ) from error


def document_of(value: object, what: str) -> Mapping[str, t.Any]:
    """A policy document; botocore leaves what it can't decode as text."""
    if isinstance(value, dict) and policy.is_document(value):
        return value
    form = "not that of a policy" if isinstance(value, dict) else "not JSON"
    raise errors.Refused(f"IAM returned {what} in a form that is {form}.", fix="Correct or remove the document.")
