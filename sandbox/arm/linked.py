# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resources that a managed cluster's body names, and what ARM asks of who sends it. Pure functions over JSON.

ARM checks the rights on linked resources at each PUT, whether the request changes them or not. Which rights these are:
https://learn.microsoft.com/azure/aks/aks-service-permissions. Resources that AKS makes itself, in the node resource
group, are none of these.
"""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sandbox.world import Json


@dataclasses.dataclass(frozen=True)
class Link:
    """A right that is needed on a linked resource."""

    action: str
    scope: str


def links(sent: Json) -> tuple[Link, ...]:
    """Each right on each resource once. What has not the shape of a cluster names nothing."""
    properties = _mapping(sent.get("properties"))
    found = (
        *_links("Microsoft.ManagedIdentity/userAssignedIdentities/assign/action", _identities(sent)),
        *_links("Microsoft.Network/virtualNetworks/subnets/join/action", _subnets(properties)),
        *_outbound(_mapping(_mapping(properties.get("networkProfile")).get("loadBalancerProfile"))),
        *_links("Microsoft.OperationalInsights/workspaces/sharedkeys/read", _workspaces(properties)),
        *_links("Microsoft.Compute/diskEncryptionSets/read", [properties.get("diskEncryptionSetID")]),
    )
    return tuple(dict.fromkeys(found))


def _links(action: str, scopes: Iterable[object]) -> Iterator[Link]:
    return (Link(action, scope) for scope in scopes if isinstance(scope, str) and scope)


def _identities(sent: Json) -> Json:
    return _mapping(_mapping(sent.get("identity")).get("userAssignedIdentities"))


def _subnets(properties: Json) -> Iterator[object]:
    """Those of nodes, of pods and of the API server."""
    for pool in map(_mapping, _list(properties.get("agentPoolProfiles"))):
        yield from (pool.get("vnetSubnetID"), pool.get("podSubnetID"))
    yield _mapping(properties.get("apiServerAccessProfile")).get("subnetId")


def _outbound(profile: Json) -> Iterator[Link]:
    addresses = _list(_mapping(profile.get("outboundIPs")).get("publicIPs"))
    prefixes = _list(_mapping(profile.get("outboundIPPrefixes")).get("publicIPPrefixes"))
    yield from _links("Microsoft.Network/publicIPAddresses/join/action", [_mapping(one).get("id") for one in addresses])
    yield from _links("Microsoft.Network/publicIPPrefixes/join/action", [_mapping(one).get("id") for one in prefixes])


def _workspaces(properties: Json) -> Iterator[object]:
    """Container Insights' workspaces; addons' names are written in several ways."""
    for name, addon in _mapping(properties.get("addonProfiles")).items():
        if name.lower() == "omsagent" and _mapping(addon).get("enabled"):
            settings = _mapping(_mapping(addon).get("config"))
            yield from (value for key, value in settings.items() if key.lower() == "loganalyticsworkspaceresourceid")


def _mapping(node: object) -> Json:
    return node if isinstance(node, dict) else {}


def _list(node: object) -> list[t.Any]:
    return node if isinstance(node, list) else []
