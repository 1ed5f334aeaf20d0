# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who changed an object last, as far as its service tells; pure.

Kubernetes notes for each field which client set it and when
(https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management). It notes nothing for a client that
only takes something away, so what is said of an object as a whole may be another change than the one in question.

IAM tells no last writer. Tags may name what keeps the object: those of CloudFormation
(https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html), or an owner's name
that somebody has put there. Azure Resource Manager tells none for AKS clusters, and neither does Microsoft Graph.
"""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import LastChange, Told

Json = t.Mapping[str, t.Any]
#: Names from an object's root down to a field: ("data", "prometheus.yml").
Path = tuple[str, ...]

#: As an API server calls the collection, by its user agent.
OURS: t.Final = "crosscloud.aks_amp"
#: These write what follows from what others have written.
_CONTROL_PLANE: t.Final = frozenset({"kube-controller-manager", "kube-scheduler", "kubelet", "PrometheusOperator"})
_STACK: t.Final = "aws:cloudformation:stack-name"
_OWNERS: t.Final = ("owner", "team", "contact")
_LONGEST: t.Final = 120


def of_object(found: Json, *paths: Path) -> LastChange | None:
    """As ``of_entries``, for a Kubernetes object."""
    return of_entries(found.get("metadata", {}).get("managedFields") or (), *paths)


def of_entries(managed_fields: t.Iterable[Json], *paths: Path) -> LastChange | None:
    """Who last set one of these fields of a Kubernetes object, or something below them; else who last set anything.

    None where that was the collection itself, and where the API server tells nothing.
    """
    entries = [
        entry for entry in managed_fields if not entry.get("subresource") and entry.get("manager") not in _CONTROL_PLANE
    ]
    owners = [entry for entry in entries if any(_sets(entry.get("fieldsV1") or {}, path) for path in paths)]
    for told, candidates in ((Told.FIELD, owners), (Told.OBJECT, entries)):
        newest = max(candidates, key=lambda entry: str(entry.get("time") or ""), default=None)
        if newest is not None and newest.get("manager"):
            if newest["manager"] != OURS:
                return LastChange(_short(newest["manager"]), str(newest.get("time") or ""), told)
            if told is Told.OBJECT:
                return None
    return None


def _sets(fields: Json, path: Path) -> bool:
    """Whether a tree of the format ``FieldsV1`` has the field."""
    node: t.Any = fields
    for name in path:
        node = node.get(f"f:{name}") if isinstance(node, dict) else None
        if node is None:
            return False
    return True


def of_tags(tags: t.Mapping[str, str]) -> LastChange | None:
    """Whom the tags of an AWS object name as its keeper; None where they name nobody."""
    if tags.get(_STACK):
        return LastChange(f"CloudFormation stack {_short(tags[_STACK])}", "", Told.TAG)
    named = {key.lower(): value for key, value in tags.items()}
    return next((LastChange(_short(named[key]), "", Told.TAG) for key in _OWNERS if named.get(key)), None)


def _short(name: object) -> str:
    text = str(name)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
