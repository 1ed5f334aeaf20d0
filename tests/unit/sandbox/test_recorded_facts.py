# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What recorded traffic of ARM and Graph says, as a table that needs no recordings: statuses, keys and error codes.

The recorded creation of a cluster is not in it: its request was recorded without a body, and the collection creates no
clusters.
"""

from __future__ import annotations

import dataclasses
import json
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
    recordings,
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


class Seen(t.NamedTuple):
    """A recorded answer: names of headers are in lower case, ``keys`` and ``code`` are of the body."""

    method: str
    status: int
    headers: frozenset[str]
    keys: frozenset[str] | None
    code: str

    def shows(self, fact: Fact) -> bool:
        if (self.method, self.status, self.code) != (fact.method, fact.status, fact.code):
            return False
        named = {name.lower() for name in fact.headers} <= self.headers
        left_out = not {name.lower() for name in fact.without} & self.headers
        same_body = self.keys is None if fact.keys is None else self.keys is not None and fact.keys <= self.keys
        return named and left_out and same_body


def seen() -> list[Seen]:
    """All exchanges that were recorded as a whole."""
    found = []
    for file in sorted(recordings().glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        for exchange in content["interactions"] if isinstance(content, dict) else ():
            answer = exchange["response"]
            body = answer["body"] if isinstance(answer["body"], dict) else None
            code = (body or {}).get("error", {}).get("code", "")
            headers = frozenset(name.lower() for name in answer["headers"])
            keys = None if body is None else frozenset(body)
            found.append(Seen(exchange["request"]["method"], answer["status"], headers, keys, code))
    return found


def collected_refusals() -> set[tuple[int, str]]:
    """Status and code of refusals that others have seen, which are kept without their exchange."""
    content = json.loads((recordings() / "error-bodies.json").read_text(encoding="utf-8"))
    return {(entry["status"], entry["code"]) for entry in content if {"status", "code"} <= entry.keys()}


@pytest.mark.parametrize("fact", [*ARM_FACTS.values(), *GRAPH_FACTS.values()], ids=[*ARM_FACTS, *GRAPH_FACTS])
def test_the_table_says_what_was_recorded(fact: Fact) -> None:
    refused = (fact.status, fact.code) in collected_refusals()
    assert refused or [one for one in seen() if one.shows(fact)]
