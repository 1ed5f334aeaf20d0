# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of IAM is effective for other services.

IAM is eventually consistent: a change that IAM already shows reaches STS and the data planes a little later
(https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html). What is effective is an immutable picture
taken at each change.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from moto.iam.models import ManagedPolicy, Role

    from sandbox.aws.iam_store import IamStore
    from sandbox.world import Json


@dataclasses.dataclass(frozen=True)
class ProviderView:
    """An OIDC provider. ``url`` has its scheme and is compared with tokens' ``iss`` character by character."""

    arn: str
    url: str
    client_ids: frozenset[str]
    thumbprints: frozenset[str] = frozenset()

    @property
    def condition_prefix(self) -> str:
        """The condition keys' part before ``:aud`` and ``:sub``."""
        return self.url.removeprefix("https://")


@dataclasses.dataclass(frozen=True)
class RoleView:
    """A role with the documents of all its policies. ``boundary`` is None when the role has none."""

    arn: str
    role_id: str
    name: str
    trust: Json
    policies: tuple[Json, ...]
    boundary: Json | None
    max_session_seconds: int


@dataclasses.dataclass(frozen=True)
class IamView:
    """An account's providers by URL and roles by ARN."""

    providers: Mapping[str, ProviderView] = dataclasses.field(default_factory=dict)
    roles: Mapping[str, RoleView] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, store: IamStore) -> IamView:
        return cls(
            providers={
                f"https://{provider.url}": ProviderView(
                    arn=provider.arn,
                    url=f"https://{provider.url}",
                    client_ids=frozenset(provider.client_id_list),
                    thumbprints=frozenset(provider.thumbprint_list),
                )
                for provider in store.open_id_providers.values()
            },
            roles={role.arn: _role_view(store, role) for role in store.get_roles()},
        )

    def role_by_id(self, role_id: str) -> RoleView | None:
        """A role of the same name made anew has another id, so sessions of the old one end with it."""
        return next((role for role in self.roles.values() if role.role_id == role_id), None)


class EffectiveIam:
    """The pictures of IAM over time; the caller holds the lock."""

    def __init__(self) -> None:
        self._pictures: collections.deque[tuple[float, IamView]] = collections.deque([(float("-inf"), IamView())])

    def change(self, view: IamView, effective_at: float) -> None:
        """IAM has changed. Changes become effective in their order, so one that is late holds up those behind it."""
        self._pictures.append((max(effective_at, self._pictures[-1][0]), view))

    def establish(self, view: IamView) -> None:
        """All of this has been there for long."""
        self._pictures.clear()
        self._pictures.append((float("-inf"), view))

    def at(self, now: float) -> IamView:
        """What is effective now. Older pictures are forgotten."""
        while len(self._pictures) > 1 and self._pictures[1][0] <= now:
            self._pictures.popleft()
        return self._pictures[0][1]


def _role_view(store: IamStore, role: Role) -> RoleView:
    inline = tuple(json.loads(document) for document in role.policies.values())
    attached = tuple(policy_document(policy) for policy in role.managed_policies.values())
    boundary = store.managed_policies.get(role.permissions_boundary_arn or "")
    return RoleView(
        arn=role.arn,
        role_id=role.id,
        name=role.name,
        trust=json.loads(role.assume_role_policy_document),
        policies=inline + attached,
        boundary=_boundary(role, boundary),
        max_session_seconds=int(role.max_session_duration or 3600),
    )


def _boundary(role: Role, policy: ManagedPolicy | None) -> Json | None:
    if not role.permissions_boundary_arn:
        return None
    return policy_document(policy) if policy else {}  # an unknown policy allows nothing


def policy_document(policy: ManagedPolicy) -> Json:
    """The default version of a managed policy."""
    document: Json = json.loads(next(version.document for version in policy.versions if version.is_default))
    return document
