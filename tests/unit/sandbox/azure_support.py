# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of ARM, Graph and the login service share."""

from __future__ import annotations

import copy
import os
import typing as t
from pathlib import Path

import pytest

from sandbox import entra_tokens, graph
from sandbox.entra_tokens import CONTROLLER, Principal
from sandbox.graph import Directory
from sandbox.world import AZURE_SUBSCRIPTION, AZURE_TENANT, AksCluster, Json, Settings, World

if t.TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

ARM = "https://management.azure.com"
GRAPH = "https://graph.microsoft.com"
API_VERSION = "2026-08-01"
#: In seconds: how long something takes whose middle and end a test looks at; a busy machine gets through the middle.
A_WHILE: t.Final = 2.0
STRANGER = Principal(app_id="11111111-2222-3333-4444-555555555555", object_id="66666666-7777-8888-9999-000000000000")

CREDENTIAL: t.Final[Json] = {
    "name": "prometheus-sa",
    "issuer": "https://westeurope.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/d85c7db7/",
    "subject": "system:serviceaccount:monitoring:prometheus-sa",
    "audiences": ["api://AzureADTokenExchange"],
}
UPSERT: t.Final = {"Prefer": "create-if-missing"}

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


class GraphClient:
    """A client of one Graph with an empty directory."""

    def __init__(self, **settings: t.Any) -> None:
        self.world = World(Settings(**settings))
        self.directory = Directory(self.world)
        self._client: FlaskClient = graph.create_app(self.world, self.directory).test_client()

    def call(self, method: str, path: str, content: t.Any = None, **options: t.Any) -> TestResponse:
        headers = {**bearer(self.world, GRAPH), **options.pop("headers", {})}
        if content is not None:
            options["json"] = content
        return self._client.open(f"/v1.0{path}", method=method, headers=headers, **options)

    def get(self, path: str, **query: str) -> Json:
        response = self.call("GET", path, query_string={f"${name}": value for name, value in query.items()})
        assert response.status_code == 200, response.text
        return json_of(response)

    def post(self, path: str, content: Json) -> Json:
        response = self.call("POST", path, content)
        assert response.status_code == 201, response.text
        return json_of(response)

    def url(self, address: str) -> Json:
        """GET an address from an answer."""
        return json_of(self._client.get(address, headers=bearer(self.world, GRAPH)))


def json_of(response: TestResponse) -> Json:
    """A JSON object that was answered."""
    content = response.get_json()
    assert isinstance(content, dict)
    return content


def graph_refusal(response: TestResponse) -> tuple[int, str]:
    """Status and code of an error of Graph's."""
    return response.status_code, str(json_of(response)["error"]["code"])


def names_of(page: Json) -> list[str]:
    """The display names of a page of applications or service principals."""
    return [entity["displayName"] for entity in page["value"]]
