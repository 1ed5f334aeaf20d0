# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What recorded traffic of ARM and Graph says, as a table that needs no recordings: statuses, keys and error codes.

The recorded creation of a cluster is not in it: its request was recorded without a body, and the collection creates no
clusters.
"""

from __future__ import annotations

import dataclasses
import typing as t

import pytest

from sandbox import arm
from sandbox.world import Settings, World
from tests.unit.sandbox.azure_support import (
    API_VERSION,
    ARM,
    CREDENTIAL,
    GraphClient,
    add_cluster,
    bearer,
    cluster_body,
    json_of,
)

if t.TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from sandbox.world import Json

_CLUSTER = f"{cluster_body()['id']}?api-version={API_VERSION}"
_MISSING = _CLUSTER.replace("managedClusters/one", "managedClusters/none")
_UPDATE = {**cluster_body(), "properties": {**cluster_body()["properties"], "oidcIssuerProfile": {"enabled": True}}}


@dataclasses.dataclass(frozen=True)
class Fact:
    """A request and what was seen of its answer; ``keys`` and ``code`` are of the body, which is None where empty."""

    method: str
    path: str
    status: int
    body: t.Any = None
    keys: frozenset[str] | None = frozenset()
    code: str = ""
    headers: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()


_OF_CLUSTERS = frozenset({"id", "location", "name", "type", "properties", "identity", "sku"})
_OF_CREDENTIALS = frozenset({"id", "name", "issuer", "subject", "audiences", "description"})
_CREDENTIALS = "/applications/{application}/federatedIdentityCredentials"

ARM_FACTS = {
    "a cluster": Fact("GET", _CLUSTER, 200, keys=_OF_CLUSTERS),
    "a cluster that is not there": Fact("GET", _MISSING, 404, keys=frozenset({"error"}), code="ResourceNotFound"),
    "an update": Fact(
        "PUT",
        _CLUSTER,
        200,
        body=_UPDATE,
        keys=_OF_CLUSTERS,
        headers=frozenset({"Azure-AsyncOperation"}),
        without=frozenset({"Retry-After", "Location"}),
    ),
}
GRAPH_FACTS = {
    "applications by client ID": Fact(
        "GET", "/applications?$filter=appId eq '{app_id}'", 200, keys=frozenset({"@odata.context", "value"})
    ),
    "a creation": Fact(
        "POST", _CREDENTIALS, 201, body=CREDENTIAL, keys=_OF_CREDENTIALS, headers=frozenset({"Location"})
    ),
    "a credential by its name": Fact("GET", _CREDENTIALS + "/{credential}", 200, keys=_OF_CREDENTIALS),
    "a change": Fact("PATCH", _CREDENTIALS + "/{credential_id}", 204, body={"description": "x"}, keys=None),
    "a deletion": Fact("DELETE", _CREDENTIALS + "/{credential_id}", 204, keys=None),
    "an application goes softly": Fact("DELETE", "/applications/{application}", 204, keys=None),
    "an unknown application": Fact(
        "GET",
        "/applications/00000000-0000-0000-0000-00000000dead",
        404,
        keys=frozenset({"error"}),
        code="Request_ResourceNotFound",
    ),
    "a name that is taken": Fact(
        "POST",
        _CREDENTIALS,
        409,
        body={**CREDENTIAL, "name": "taken"},
        keys=frozenset({"error"}),
        code="Request_MultipleObjectsWithSameKeyValue",
    ),
}


def _assert_as_seen(response: TestResponse, fact: Fact) -> None:
    assert response.status_code == fact.status, response.text
    assert {name for name in fact.headers if name not in response.headers} == set()
    assert {name for name in fact.without if name in response.headers} == set()
    if fact.keys is None:
        assert response.data == b""
        return
    content: Json = json_of(response)
    assert fact.keys <= content.keys()
    if fact.code:
        assert content["error"]["code"] == fact.code
        assert content["error"]["message"]


@pytest.mark.parametrize("fact", ARM_FACTS.values(), ids=ARM_FACTS)
def test_arm_answers_as_was_seen(fact: Fact) -> None:
    world = World(Settings(aks_operation_seconds=0.0, aks_etags=False))
    add_cluster(world)
    client = arm.create_app(world).test_client()
    response = client.open(fact.path, method=fact.method, json=fact.body, headers=bearer(world, ARM))
    _assert_as_seen(response, fact)


def test_arm_writes_names_as_was_seen() -> None:
    """``resourcegroups`` in lower case, ``ManagedClusters``, ``issuerURL`` with its slash, an empty securityProfile."""
    world = World(Settings(aks_operation_seconds=0.0))
    add_cluster(world)
    client = arm.create_app(world).test_client()
    client.put(_CLUSTER, json=_UPDATE, headers=bearer(world, ARM))
    cluster = json_of(client.get(_CLUSTER, headers=bearer(world, ARM)))
    assert "/resourcegroups/" in cluster["id"]
    assert cluster["type"] == "Microsoft.ContainerService/ManagedClusters"
    assert cluster["properties"]["oidcIssuerProfile"]["issuerURL"].endswith("/")
    assert cluster["properties"]["securityProfile"] == {}


@pytest.mark.parametrize("fact", GRAPH_FACTS.values(), ids=GRAPH_FACTS)
def test_graph_answers_as_was_seen(fact: Fact) -> None:
    graph = GraphClient()
    application = graph.post("/applications", {"displayName": "one"})
    credentials = _CREDENTIALS.format(application=application["id"])
    credential = graph.post(credentials, {**CREDENTIAL, "name": "taken", "subject": "system:serviceaccount:a:b"})
    path = fact.path.format(
        application=application["id"],
        app_id=application["appId"],
        credential=credential["name"],
        credential_id=credential["id"],
    )
    _assert_as_seen(graph.call(fact.method, path, fact.body), fact)
