# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's ARM held against recorded traffic and the API's definition."""

from __future__ import annotations

import copy
import json
import re
import typing as t

import pytest

from sandbox import arm
from sandbox.arm import body
from sandbox.world import AksCluster, Settings, World
from tests.unit.sandbox.azure_support import API_VERSION, ARM, add_cluster, bearer, json_of, recordings, specs

if t.TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from sandbox.world import Json

# Of the infrastructure around the service: no client looks at them.
_IGNORED_HEADERS = frozenset({"x-cache", "x-msedge-ref"})
_DEFINITION = "aks-managedclusters-2026-04-01.pandora.json"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TYPES = "aks-managedclusters-2026-05-01.bicep-types.json"


def _load(path: t.Any) -> t.Any:
    return json.loads(path.read_text(encoding="utf-8"))


class Recorded:
    """The recorded update of a cluster, and an ARM with that cluster as it was before."""

    def __init__(self) -> None:
        self.interactions = _load(recordings() / "arm-aks-update-workload-identity.json")["interactions"]
        self.before = self._answer("GET", 200, lambda content: "identity" in content)["body"]
        self.world = World(Settings(aks_operation_seconds=0.0, aks_etags=False))
        issuer = self.before["properties"]["oidcIssuerProfile"]["issuerURL"].rstrip("/").split("/")
        _unused, _unused, subscription, _unused, group, *_unused, name = self.before["id"].split("/")
        cluster = AksCluster(
            subscription=subscription,
            resource_group=group,
            name=name,
            tenant=issuer[-2],
            issuer_guid=issuer[-1],
            body=copy.deepcopy(self.before),
        )
        self.world.clusters.append(cluster)
        self.client = arm.create_app(self.world).test_client()

    def _answer(self, method: str, status: int, wanted: t.Callable[[Json], bool]) -> Json:
        for interaction in self.interactions:
            response: Json = interaction["response"]
            if interaction["request"]["method"] == method and response["status"] == status and wanted(response["body"]):
                return response
        raise LookupError(f"no recorded {method} with status {status}")

    def update(self) -> Json:
        """The PUT whose body was recorded."""
        interaction: Json = next(i for i in self.interactions if i["request"].get("body"))
        return interaction

    def operation(self, status: str) -> Json:
        return self._answer("GET", 200, lambda content: content.get("status") == status)

    def call(self, request: Json) -> TestResponse:
        headers = bearer(self.world, ARM)
        return self.client.open(request["uri"], method=request["method"], json=request.get("body"), headers=headers)


def _assert_headers(response: TestResponse, recorded: Json) -> None:
    """Every recorded header is there, with its value where that does not vary."""
    for name, value in recorded["headers"].items():
        if name in _IGNORED_HEADERS:
            continue
        assert name in response.headers, name
        if not name.startswith(("azure-", "x-ms-ratelimit")):
            assert response.headers[name] == value, name


def test_an_update_is_answered_as_recorded() -> None:
    recorded = Recorded()
    update = recorded.update()
    response = recorded.call(update["request"])
    assert response.status_code == update["response"]["status"]
    assert json_of(response) == update["response"]["body"]
    _assert_headers(response, update["response"])
    for absent in ("Retry-After", "Location"):
        assert absent not in response.headers
    addresses = (response.headers["Azure-AsyncOperation"], update["response"]["headers"]["azure-asyncoperation"])
    ours, expected = (_GUID.sub("GUID", address) for address in addresses)
    assert ours == expected


def test_after_the_update_the_cluster_differs_by_the_flag_only() -> None:
    recorded = Recorded()
    request = recorded.update()["request"]
    recorded.call(request)
    after = json_of(recorded.call({**request, "method": "GET", "body": None}))
    expected = copy.deepcopy(recorded.before)
    expected["properties"]["securityProfile"] = {"workloadIdentity": {"enabled": True}}
    assert after == expected


@pytest.mark.parametrize(("status", "seconds"), [("InProgress", 60.0), ("Succeeded", 0.0)])
def test_an_operation_is_answered_as_recorded(status: str, seconds: float) -> None:
    recorded = Recorded()
    recorded.world.settings.aks_operation_seconds = seconds
    started = recorded.call(recorded.update()["request"])
    response = recorded.call({"method": "GET", "uri": started.headers["Azure-AsyncOperation"]})
    expected = recorded.operation(status)
    assert response.status_code == expected["status"]
    _assert_headers(response, expected)
    ours = json_of(response)
    assert ours["status"] == status
    assert _shape(ours) == _shape(expected["body"])


def _shape(operation: Json) -> Json:
    """An operation with each digit of its times and ids as ``0``."""
    return {key: re.sub(r"[0-9a-f]", "0", str(value)) for key, value in operation.items() if key != "status"}


@pytest.mark.parametrize("file", ["arm-aks-update-workload-identity.json", "arm-aks-get-notfound-2025.json"])
def test_a_missing_cluster_is_answered_as_recorded(file: str) -> None:
    interaction = next(i for i in _load(recordings() / file)["interactions"] if i["response"]["status"] == 404)
    world = World()
    uri = interaction["request"]["uri"]
    subscription, group = re.findall(r"(?:subscriptions|resourceGroups)/([^/]+)", uri)
    add_cluster(world, "other", group).subscription = subscription
    response = arm.create_app(world).test_client().get(uri, headers=bearer(world, ARM))
    assert response.status_code == 404
    assert json_of(response) == interaction["response"]["body"]
    _assert_headers(response, interaction["response"])


def test_a_list_of_one_page_has_the_recorded_shape() -> None:
    recorded = _load(recordings() / "c7n-azure-AksTest.test_find_aks_by_name.json")["interactions"][0]
    world = World()
    add_cluster(world)
    path = re.sub(
        r"/subscriptions/[^/]+", f"/subscriptions/{world.clusters[0].subscription}", recorded["request"]["uri"]
    )
    response = arm.create_app(world).test_client().get(path, headers=bearer(world, ARM))
    assert response.status_code == recorded["response"]["status"]["code"]
    expected = recorded["response"]["body"]["data"]
    assert set(json_of(response)) == set(expected)
    assert {"id", "location", "name", "type", "properties"} <= set(json_of(response)["value"][0])


def test_an_etag_conflict_is_answered_as_collected() -> None:
    entries = _load(recordings() / "error-bodies.json")
    collected = next(entry for entry in entries if entry["what"] == "PUT while the cluster is being changed")
    world = World(Settings(aks_etag_conflict_status=409))
    cluster = add_cluster(world)
    headers = {**bearer(world, ARM), "If-Match": '"stale"'}
    address = f"{cluster.body['id']}?api-version={API_VERSION}"
    response = arm.create_app(world).test_client().put(address, json=cluster.body, headers=headers)
    assert response.status_code == collected["status"]
    ours, expected = json_of(response), dict(collected["body"])
    known, _unused, _unused = expected.pop("subcode").partition("…")  # the source cuts it
    assert ours.pop("subcode").startswith(known)
    assert ours == expected


def test_a_busy_cluster_is_answered_as_collected() -> None:
    collected = next(e for e in _load(recordings() / "error-bodies.json") if e.get("code") == "OperationNotAllowed")
    world = World()
    cluster = add_cluster(world)
    cluster.body["properties"]["provisioningState"] = "nodepool1 - Updating"
    address = f"{cluster.body['id']}?api-version={API_VERSION}"
    response = arm.create_app(world).test_client().put(address, json=cluster.body, headers=bearer(world, ARM))
    assert response.status_code == 409
    assert json_of(response)["code"] == collected["code"]
    assert json_of(response)["message"] == collected["message"]


# The definition


def _read_only_by_definition(types: Json, reference: str, path: tuple[str, ...]) -> set[tuple[str, ...]]:
    """The paths that the definition flags read-only (2), topmost only."""
    kind = types[reference.rsplit("/", 1)[-1]]
    found: set[tuple[str, ...]] = set()
    if kind["$type"] == "ArrayType":
        found |= _read_only_by_definition(types, kind["itemType"]["$ref"], (*path, "[]"))
    for name, value in kind.get("properties", {}).items():
        here = (*path, name)
        found |= {here} if value["flags"] & 2 else _read_only_by_definition(types, value["type"]["$ref"], here)
    if kind.get("additionalProperties"):
        found |= _read_only_by_definition(types, kind["additionalProperties"]["$ref"], (*path, "*"))
    return found


def _paths(tree: body.Tree, above: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for name, below in tree.items():
        found |= {(*above, name)} if below is None else _paths(below, (*above, name))
    return found


def test_read_only_properties_are_those_of_the_definition() -> None:
    types = _load(specs() / _TYPES)["types"]
    root = next(key for key, kind in types.items() if kind.get("name") == "Microsoft.ContainerService/managedClusters")
    defined = _read_only_by_definition(types, f"#/{root}", ())
    # The definition is of a template: there the API version is part of a resource, and its name an input.
    assert _paths(body.READ_ONLY) == (defined - {("apiVersion",)}) | {("name",)}


@pytest.mark.parametrize(
    ("operation", "content"),
    [
        ("Get", None),
        ("CreateOrUpdate", "the cluster"),
        ("UpdateTags", {"tags": {"a": "b"}}),
        ("List", None),
        ("ListByResourceGroup", None),
        ("ListClusterAdminCredentials", None),
        ("ListClusterUserCredentials", None),
        ("RotateServiceAccountSigningKeys", None),
    ],
)
def test_operations_answer_with_a_status_of_the_definition(operation: str, content: t.Any) -> None:
    files = _load(specs() / _DEFINITION)["files"]
    definition = next(v for k, v in files.items() if k.endswith(f"/Operation-{operation}.json"))
    world = World()
    cluster = add_cluster(world)
    parents = {
        "KubernetesClusterId": cluster.body["id"],
        "ResourceGroupId": f"/subscriptions/{cluster.subscription}/resourceGroups/{cluster.resource_group}",
        "SubscriptionId": f"/subscriptions/{cluster.subscription}",
    }
    path = parents[definition["resourceIdName"]] + definition.get("uriSuffix", "")
    response = (
        arm.create_app(world)
        .test_client()
        .open(
            f"{path}?api-version=2026-04-01",
            method=definition["httpMethod"],
            json=cluster.body if content == "the cluster" else content,
            headers=bearer(world, ARM),
        )
    )
    assert response.status_code in definition["expectedStatusCodes"]
    assert ("Azure-AsyncOperation" in response.headers) is definition["longRunning"]
    assert world.log.since()[-1].operation == f"ManagedClusters_{operation}"
