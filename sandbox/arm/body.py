# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PUT makes of a managed cluster's body. Pure functions over JSON.

The read-only properties are those that the API definition flags as such in version 2026-05-01.
"""

from __future__ import annotations

import copy
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.world import Json

Tree: t.TypeAlias = "Mapping[str, Tree | None]"
"""Property name -> None for the property itself, or the tree below it. ``*`` stands for every key of a map,
``[]`` for every member of a list (members are the same when their ``name`` is)."""

READ_ONLY: Tree = {
    "id": None,
    "name": None,
    "type": None,
    "eTag": None,
    "systemData": None,
    "identity": {
        "principalId": None,
        "tenantId": None,
        "userAssignedIdentities": {"*": {"principalId": None, "clientId": None}},
    },
    "properties": {
        "provisioningState": None,
        "powerState": None,
        "maxAgentPools": None,
        "currentKubernetesVersion": None,
        "fqdn": None,
        "privateFQDN": None,
        "azurePortalFQDN": None,
        "resourceUID": None,
        "agentPoolProfiles": {
            "[]": {
                "eTag": None,
                "currentOrchestratorVersion": None,
                "provisioningState": None,
                "status": {"provisioningError": None},
                "localDNSProfile": {"state": None},
            }
        },
        "addonProfiles": {"*": {"identity": None}},
        "podIdentityProfile": {"userAssignedIdentities": {"[]": {"provisioningState": None, "provisioningInfo": None}}},
        "oidcIssuerProfile": {"issuerURL": None},
        "networkProfile": {
            "loadBalancerProfile": {"effectiveOutboundIPs": None},
            "natGatewayProfile": {"effectiveOutboundIPs": None},
        },
        "privateLinkResources": {"[]": {"privateLinkServiceID": None}},
        "ingressProfile": {"webAppRouting": {"identity": None}},
        "status": {"provisioningError": None},
    },
}

# What the service fills in when a PUT leaves it out: the issuer, as azure-cli's source says, and what recorded PUTs
# left out and their answers had. Nothing else: leaving out aadProfile, for one, really takes it away.
BACKFILLED: Tree = {
    "properties": {
        "oidcIssuerProfile": {"enabled": None},
        "supportPlan": None,
        "storageProfile": {"diskCSIDriver": None, "fileCSIDriver": None, "snapshotController": None},
        "agentPoolProfiles": {"[]": {"nodeImageVersion": None}},
    }
}


# What goes in and never comes out. A PUT that leaves it out keeps it: no client can send back what it never sees.
SECRETS = (("windowsProfile", "adminPassword"), ("servicePrincipalProfile", "secret"))


def after_put(current: Json, sent: Json, issuer_url: str) -> Json:
    """The cluster's body after a PUT of ``sent``: unknown properties as sent, read-only ones as they were.

    Enabling the issuer makes its URL appear at once, as in recorded traffic.
    """
    body: Json = _carry_over(copy.deepcopy(sent), current, READ_ONLY, overwrite=True)
    body = _carry_over(body, current, BACKFILLED, overwrite=False)
    _keep_secrets(body, current)
    issuer = body["properties"].get("oidcIssuerProfile")
    if issuer:
        issuer.pop("issuerURL", None)
        if issuer.get("enabled"):
            issuer["issuerURL"] = issuer_url
    return body


def without_secrets(body: Json) -> Json:
    """A copy of the body as it is answered."""
    shown = copy.deepcopy(body)
    for profile, secret in _secrets(shown):
        profile.pop(secret, None)
    return shown


def _keep_secrets(body: Json, current: Json) -> None:
    kept = {name: profile.get(name) for profile, name in _secrets(current)}
    for profile, name in _secrets(body):
        if name not in profile and kept.get(name) is not None:
            profile[name] = kept[name]


def _secrets(body: Json) -> list[tuple[Json, str]]:
    """The profiles of a body that may hold a secret, and its name."""
    properties = body["properties"]
    found = ((properties.get(profile), name) for profile, name in SECRETS)
    return [(profile, name) for profile, name in found if isinstance(profile, dict)]


def issuer_enabled(body: Json) -> bool:
    return bool((body["properties"].get("oidcIssuerProfile") or {}).get("enabled"))


def workload_identity_enabled(body: Json) -> bool:
    security = body["properties"].get("securityProfile") or {}
    return bool((security.get("workloadIdentity") or {}).get("enabled"))


def same_location(one: str, other: str) -> bool:
    """ARM takes ``West Europe`` for ``westeurope``."""
    return one.replace(" ", "").lower() == other.replace(" ", "").lower()


def _carry_over(new: t.Any, old: t.Any, tree: Tree, *, overwrite: bool) -> t.Any:
    """``new`` with the tree's properties from ``old``: in place of new's own, or only where new has none."""
    if not isinstance(new, dict) or not isinstance(old, dict):
        return new
    for name, below in tree.items():
        for key in _keys(name, new):
            if below is None:
                _take(new, old, key, overwrite=overwrite)
            elif "[]" in below:
                _carry_over_list(new.get(key), old.get(key), below["[]"] or {}, overwrite=overwrite)
            elif new.get(key) is not None:
                _carry_over(new[key], old.get(key) or {}, below, overwrite=overwrite)
            elif not overwrite and (filled := _carry_over({}, old.get(key), below, overwrite=False)):
                new[key] = filled
    return new


def _keys(name: str, new: Json) -> list[str]:
    return list(new) if name == "*" else [name]


def _take(new: Json, old: Json, key: str, *, overwrite: bool) -> None:
    if overwrite or new.get(key) is None:
        new.pop(key, None)
        if key in old:
            new[key] = copy.deepcopy(old[key])


def _carry_over_list(new: t.Any, old: t.Any, tree: Tree, *, overwrite: bool) -> None:
    if not isinstance(new, list):
        return
    was = {member.get("name"): member for member in old or [] if isinstance(member, dict)}
    for member in new:
        if isinstance(member, dict):
            _carry_over(member, was.get(member.get("name"), {}), tree, overwrite=overwrite)
