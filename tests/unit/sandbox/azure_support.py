# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of ARM, Graph and the login service share."""

from __future__ import annotations

import copy
import os
from pathlib import Path

import pytest

from sandbox import entra_tokens
from sandbox.entra_tokens import CONTROLLER, Principal
from sandbox.world import AZURE_SUBSCRIPTION, AZURE_TENANT, AksCluster, Json, World

ARM = "https://management.azure.com"
GRAPH = "https://graph.microsoft.com"
API_VERSION = "2026-08-01"
STRANGER = Principal(app_id="11111111-2222-3333-4444-555555555555", object_id="66666666-7777-8888-9999-000000000000")

_BODY: Json = {
    "location": "westeurope",
    "tags": {"team": "observability"},
    "properties": {
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
        "kubernetesVersion": "1.33",
        "currentKubernetesVersion": "1.33.4",
        "dnsPrefix": "one",
        "fqdn": "one-bxc0ya8w.hcp.westeurope.azmk8s.io",
        "agentPoolProfiles": [
            {
                "name": "system",
                "count": 3,
                "mode": "System",
                "provisioningState": "Succeeded",
                "currentOrchestratorVersion": "1.33.4",
                "nodeImageVersion": "AKSUbuntu-2204gen2containerd-202509.12.0",
            },
            {"name": "user", "count": 1, "mode": "User", "provisioningState": "Succeeded"},
        ],
        "supportPlan": "KubernetesOfficial",
        "networkProfile": {
            "networkPlugin": "azure",
            "loadBalancerProfile": {"managedOutboundIPs": {"count": 1}, "effectiveOutboundIPs": [{"id": "ip"}]},
        },
        "maxAgentPools": 100,
        "disableLocalAccounts": False,
        "securityProfile": {},
        "storageProfile": {"diskCSIDriver": {"enabled": True}, "blobCSIDriver": {"enabled": True}},
        "oidcIssuerProfile": {"enabled": False},
    },
    "identity": {"type": "SystemAssigned", "principalId": "p", "tenantId": AZURE_TENANT},
    "sku": {"name": "Base", "tier": "Standard"},
}


def cluster_body(name: str = "one", group: str = "rg-one") -> Json:
    """A cluster without federation, as ARM answers it, without eTags."""
    group_id = f"/subscriptions/{AZURE_SUBSCRIPTION}/resourcegroups/{group}"
    return {
        "id": f"{group_id}/providers/Microsoft.ContainerService/managedClusters/{name}",
        "name": name,
        "type": "Microsoft.ContainerService/ManagedClusters",
        **copy.deepcopy(_BODY),
    }


def add_cluster(world: World, name: str = "one", group: str = "rg-one") -> AksCluster:
    """A cluster without federation in the world."""
    cluster = AksCluster(
        subscription=AZURE_SUBSCRIPTION,
        resource_group=group,
        name=name,
        tenant=AZURE_TENANT,
        issuer_guid="d85c7db7-4528-42ec-89b8-25b54f7d8b2f",
        body=cluster_body(name, group),
        api_server_url="https://127.0.0.1:6443",
        api_server_ca="-----BEGIN CERTIFICATE-----\n",
    )
    world.clusters.append(cluster)
    return cluster


def bearer(world: World, audience: str, principal: Principal = CONTROLLER) -> dict[str, str]:
    """The header of a request with an access token."""
    return {"Authorization": f"Bearer {entra_tokens.issue(world, principal, audience)}"}


def writes(world: World) -> list[str]:
    """The operations that the request log counts as writes."""
    return [request.operation for request in world.log.since() if request.write]


def recordings() -> Path:
    """The folder of recorded traffic; skips the test without one."""
    return _folder("")


def specs() -> Path:
    """The folder of API definitions, beside the recordings; skips the test without one."""
    return _folder("../specs")


def _folder(relative: str) -> Path:
    root = os.environ.get("AKS_AMP_RECORDINGS")
    if not root:
        pytest.skip("AKS_AMP_RECORDINGS does not name the folder of recorded traffic")
    folder = Path(root, relative).resolve()
    if not folder.is_dir():
        pytest.skip(f"{folder} does not exist")
    return folder
