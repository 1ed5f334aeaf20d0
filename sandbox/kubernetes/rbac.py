# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RBAC manifests as rules: what their bindings give to their subjects.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/. A RoleBinding limits a role to its namespace.
"""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.access import Rule

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sandbox.world import Json

_ANYWHERE: t.Final = ("*",)


def rules_of(manifests: Iterable[Json]) -> list[Rule]:
    """The rules of all roles that are bound. Raises ValueError for a binding whose role is not there."""
    objects = list(manifests)
    roles = {_place(one): one for one in objects if one["kind"] in ("Role", "ClusterRole")}
    found: list[Rule] = []
    for binding in objects:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        namespace = binding["metadata"].get("namespace", "")
        kind, name = binding["roleRef"]["kind"], binding["roleRef"]["name"]
        role = roles.get((kind, namespace if kind == "Role" else "", name))
        if role is None:
            raise ValueError(f"{binding['kind']} {binding['metadata']['name']}: there is no {kind} {name}.")
        found += _rules(role, (namespace,) if namespace else _ANYWHERE)
    return found


def _place(role: Json) -> tuple[str, str, str]:
    return role["kind"], role["metadata"].get("namespace", ""), role["metadata"]["name"]


def _rules(role: Json, namespaces: tuple[str, ...]) -> Iterator[Rule]:
    for rule in role["rules"]:
        yield Rule(
            verbs=tuple(rule["verbs"]),
            resources=tuple(rule.get("resources", ())),
            api_groups=tuple(rule.get("apiGroups", ())),
            namespaces=namespaces,
            resource_names=tuple(rule.get("resourceNames", ())),
            paths=tuple(rule.get("nonResourceURLs", ())),
        )
