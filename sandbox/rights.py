# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controller may do, by documents as each cloud takes them.

A cloud without documents lets the controller do everything, as in a new sandbox. AWS: IAM policies. Azure: custom roles
as ``az role definition create`` takes them, assigned at their ``AssignableScopes``. Graph: application permissions as
``az ad app update --required-resource-accesses`` takes them, with consent. Kubernetes: RBAC manifests, whose bindings'
subject is the controller.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.world import Json

GRAPH = "00000003-0000-0000-c000-000000000000"
#: https://learn.microsoft.com/graph/permissions-reference
GRAPH_PERMISSIONS: t.Final = {
    "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9": "Application.ReadWrite.All",
    "18a4783c-866b-4cc7-a460-3d5e5662c884": "Application.ReadWrite.OwnedBy",
    "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30": "Application.Read.All",
}
_CLOUDS = ("aws", "azure", "graph", "kubernetes")


@dataclasses.dataclass(frozen=True)
class AzureRole:
    """A role and where it is assigned; ``actions`` may have wildcards. Azure compares without regard to case."""

    actions: tuple[str, ...]
    scopes: tuple[str, ...]
    not_actions: tuple[str, ...] = ()

    @classmethod
    def of(cls, definition: Json) -> AzureRole:
        return cls(
            actions=tuple(definition["Actions"]),
            scopes=tuple(definition["AssignableScopes"]),
            not_actions=tuple(definition.get("NotActions", ())),
        )

    def allows(self, action: str, scope: str) -> bool:
        """https://learn.microsoft.com/azure/role-based-access-control/role-definitions"""
        covered = any(_is_within(scope, assigned) for assigned in self.scopes)
        return covered and _is_among(action, self.actions) and not _is_among(action, self.not_actions)

    def touches(self, subscription: str) -> bool:
        """Whether it is assigned at the subscription or at something in it."""
        return any(_is_within(scope, f"/subscriptions/{subscription}") for scope in self.scopes)


@dataclasses.dataclass(frozen=True)
class Rights:
    """Documents by cloud; None stands for everything."""

    aws: tuple[Json, ...] | None = None
    azure: tuple[AzureRole, ...] | None = None
    graph: frozenset[str] | None = None
    kubernetes: tuple[Json, ...] | None = None

    @classmethod
    def from_json(cls, documents: Json) -> Rights:
        """From lists of documents by cloud. Raises ValueError for what is no such document."""
        unknown = sorted(set(documents) - set(_CLOUDS))
        if unknown:
            raise ValueError(f"There is no cloud {unknown[0]!r}; the clouds are {', '.join(_CLOUDS)}.")
        try:
            return cls(
                aws=_tuple(documents.get("aws")),
                azure=None if "azure" not in documents else tuple(map(AzureRole.of, documents["azure"])),
                graph=None if "graph" not in documents else frozenset(_permissions(documents["graph"])),
                kubernetes=_tuple(documents.get("kubernetes")),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"A document of rights is not complete: {error!r}.") from error


def _tuple(documents: list[Json] | None) -> tuple[Json, ...] | None:
    return None if documents is None else tuple(documents)


def _permissions(documents: Iterable[list[Json]]) -> Iterable[str]:
    for document in documents:
        for resource in document:
            if resource["resourceAppId"] != GRAPH:
                raise ValueError(f"{resource['resourceAppId']} is not Microsoft Graph.")
            for access in resource["resourceAccess"]:
                if access["type"] != "Role":
                    raise ValueError("A login without a user needs permissions of the type Role.")
                yield GRAPH_PERMISSIONS[access["id"]]


def _is_within(scope: str, assigned: str) -> bool:
    above = assigned.lower().rstrip("/")
    return scope.lower() == above or scope.lower().startswith(f"{above}/")


def _is_among(action: str, patterns: Iterable[str]) -> bool:
    return any(_expression(pattern).fullmatch(action) for pattern in patterns)


def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.IGNORECASE)
