# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an API server tells of its kinds; pure.

Shape: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import ObjectKind
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_shapes import (
    FLAG,
    TEXT,
    TEXTS,
    Fields,
    ListOf,
)

#: The core group, which the list of the groups leaves out.
CORE: t.Final = "api/v1"
#: Measured values: they are no objects, and their servers are those of an aggregated API that is often down.
_METRICS: t.Final = frozenset({"metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"})

_VERSION: t.Final = Fields({"groupVersion": TEXT})
_GROUPS: t.Final = Fields(
    groups=ListOf(Fields({"name": TEXT, "versions": ListOf(_VERSION)}, preferredVersion=_VERSION))
)
_RESOURCES: t.Final = Fields(
    resources=ListOf(Fields({"name": TEXT, "kind": TEXT}, namespaced=FLAG, verbs=TEXTS)),
)


def apis_of(groups: t.Any) -> list[str]:
    """The roots of all versions of all groups, of each group the preferred one first. Raises Misshapen."""
    found: list[str] = [CORE]
    for group in _GROUPS.of(groups, "APIGroupList").get("groups", ()):
        if group["name"] in _METRICS:
            continue
        preferred = [group["preferredVersion"]] if "preferredVersion" in group else []
        found += [f"apis/{version['groupVersion']}" for version in (*preferred, *group["versions"])]
    return list(dict.fromkeys(found))


def kinds_of(api: str, resources: t.Any) -> list[ObjectKind]:
    """The kinds whose objects are in namespaces and can be listed. Raises Misshapen.

    Outside the core group they are named as ``kubectl`` can, ``PrometheusRule.monitoring.coreos.com``: other groups
    have kinds of the same names, and of another form.
    """
    entries = _RESOURCES.of(resources, "APIResourceList").get("resources", ())
    kinds = [
        ObjectKind(api, entry["name"], entry["kind"])
        for entry in entries
        if entry.get("namespaced") and "list" in entry.get("verbs", ()) and "/" not in entry["name"]
    ]
    return [ObjectKind(api, kind.plural, f"{kind.name}.{kind.group}" if kind.group else kind.name) for kind in kinds]
