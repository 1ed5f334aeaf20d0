# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents by which clients learn what the server serves (unaggregated discovery), and its version.

Shape: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.kinds import SUBRESOURCES, Resource, Subresource
from sandbox.world import AksCluster, Json

_DEFAULT_VERSION = "1.33.4"

#: The resources that a cluster serves at the moment.
Served = t.Sequence[Resource]


def server_version(cluster: AksCluster) -> Json:
    """``GET /version``: the version that ARM names for the control plane."""
    properties = cluster.body["properties"]
    named = properties.get("currentKubernetesVersion") or properties.get("kubernetesVersion") or _DEFAULT_VERSION
    major, minor, *_unused = f"{named}.0".split(".")
    full = named if named.count(".") >= 2 else f"{major}.{minor}.0"
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"v{full}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "linux/amd64",
    }


def api_versions(server: str) -> Json:
    """``GET /api``."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": server}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def group_list(served: Served) -> Json:
    """``GET /apis``."""
    names = sorted({resource.group for resource in served if resource.group})
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name, served) for name in names]}


def group_document(served: Served, group: str) -> Json | None:
    """``GET /apis/<group>``."""
    if not group or all(resource.group != group for resource in served):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, served)}


def resource_list(served: Served, group: str, version: str) -> Json | None:
    """``GET /api/v1`` and ``GET /apis/<group>/<version>``."""
    resources = [r for r in served if (r.group, r.version) == (group, version)]
    if not resources:
        return None
    entries: list[Json] = []
    for resource in sorted(resources, key=lambda r: r.plural):
        entries.append(_entry(resource))
        entries += [_subentry(sub) for sub in SUBRESOURCES if sub.parent == resource]
    api_version = f"{group}/{version}" if group else version
    document = {"kind": "APIResourceList", "groupVersion": api_version, "resources": entries}
    return document | {"apiVersion": "v1"} if group else document


def paths(served: Served) -> list[str]:
    """``GET /``."""
    found = {"/.well-known/openid-configuration", "/api", "/api/v1", "/apis"}
    for resource in served:
        if resource.group:
            found |= {f"/apis/{resource.group}", f"/apis/{resource.group}/{resource.version}"}
    return sorted([*found, "/healthz", "/livez", "/openid/v1/jwks", "/readyz", "/version"])


def _group(group: str, served: Served) -> Json:
    # A release stands before an alpha of the same number.
    versions = sorted({resource.version for resource in served if resource.group == group}, key=len)
    entries = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": entries, "preferredVersion": entries[0]}


def _entry(resource: Resource) -> Json:
    entry: Json = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return entry


def _subentry(sub: Subresource) -> Json:
    entry: Json = {
        "name": f"{sub.parent.plural}/{sub.name}",
        "singularName": "",
        "namespaced": sub.parent.namespaced,
        "kind": sub.kind,
        "verbs": list(sub.verbs),
    }
    if sub.kind_group != sub.parent.group:
        entry |= {"group": sub.kind_group, "version": sub.kind_version}
    return entry
