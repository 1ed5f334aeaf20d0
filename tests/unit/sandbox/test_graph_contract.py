# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's Graph held against recorded traffic, the CSDL and the API's definition."""

from __future__ import annotations

import json
import re
import typing as t

import pytest

from sandbox import graph
from sandbox.graph import Directory
from sandbox.graph.schema import APPLICATION, CREDENTIAL, SERVICE_PRINCIPAL, EntityType, Kind
from sandbox.world import Settings, World
from tests.unit.sandbox.azure_support import CREDENTIAL as BODY
from tests.unit.sandbox.azure_support import GRAPH, GraphClient, bearer, graph_refusal, json_of, recordings, specs

if t.TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from sandbox.world import Json

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TYPES = pytest.mark.parametrize("entity_type", [APPLICATION, SERVICE_PRINCIPAL, CREDENTIAL], ids=lambda e: e.name)


def _load(path: t.Any) -> t.Any:
    return json.loads(path.read_text(encoding="utf-8"))


class Replay:
    """Sends the recorded requests in their order, with the ids that the sandbox gave in place of the recorded ones."""

    def __init__(self) -> None:
        self.interactions: list[Json] = _load(recordings() / "graph-app-federated-credential.json")["interactions"]
        world = World(Settings())
        self._client = graph.create_app(world, Directory(world)).test_client()
        self._headers = bearer(world, GRAPH)
        self._ids: dict[str, str] = {}

    def send(self, interaction: Json) -> TestResponse:
        request = interaction["request"]
        response = self._client.open(
            self.ours(request["uri"]), method=request["method"], json=request.get("body"), headers=self._headers
        )
        if response.status_code == 201:
            recorded = interaction["response"]["body"]
            created = json_of(response)
            self._ids |= {recorded[key]: created[key] for key in ("id", "appId") if key in recorded}
        return response

    def ours(self, text: str) -> str:
        for recorded, own in self._ids.items():
            text = text.replace(recorded, own)
        return text


def test_every_recorded_request_is_answered_as_recorded() -> None:
    replay = Replay()
    for interaction in replay.interactions:
        response = replay.send(interaction)
        recorded = interaction["response"]
        what = f"{interaction['request']['method']} {interaction['request']['uri']}"
        assert response.status_code == recorded["status"], what
        _assert_headers(response, recorded["headers"], what)
        if recorded["body"] == "":
            assert response.data == b"", what
        else:
            expected = json.loads(replay.ours(json.dumps(recorded["body"])))
            _assert_contains(json_of(response), expected, what)


def _assert_headers(response: TestResponse, recorded: Json, what: str) -> None:
    for name, value in recorded.items():
        assert name in response.headers, f"{name} of {what}"
        ours = response.headers[name]
        if name == "location":
            ours, value = _GUID.sub("GUID", ours), _GUID.sub("GUID", value)
        assert ours == value, f"{name} of {what}"


# What depends on the tenant, on the version of Graph's defaults, or on the clock.
_VARIES = frozenset({"createdDateTime", "publisherDomain", "signInAudience", "requestedAccessTokenVersion"})


def _assert_contains(ours: t.Any, recorded: t.Any, where: str) -> None:
    """What was recorded is there, and equal. Since then Graph has got more properties."""
    if isinstance(recorded, dict):
        for key, value in recorded.items():
            assert key in ours, f"{where}: {key}"
            if key in _VARIES:
                assert ours[key] is None or isinstance(ours[key], str), f"{where}: {key}"
            else:
                _assert_contains(ours[key], value, f"{where}: {key}")
    elif isinstance(recorded, list):
        assert len(ours) == len(recorded), where
        for one, other in zip(ours, recorded, strict=True):
            _assert_contains(one, other, where)
    else:
        assert ours == recorded, where


def test_only_the_answer_to_a_creation_has_fractions_of_the_second() -> None:
    replay = Replay()
    recorded: dict[str, str] = {}
    answered: dict[str, str] = {}
    for interaction in replay.interactions:
        response = replay.send(interaction)
        content = interaction["response"]["body"]
        if isinstance(content, dict) and "createdDateTime" in content:
            method = interaction["request"]["method"]
            recorded[method] = re.sub(r"\d", "0", content["createdDateTime"])
            answered[method] = re.sub(r"\d", "0", json_of(response)["createdDateTime"])
    assert answered == recorded
    assert set(answered) == {"POST", "GET"}


# Collected error bodies


def _collected(what: str) -> Json:
    found: Json = next(
        e for e in _load(recordings() / "error-bodies.json") if e["service"] == "Graph" and what in e["what"]
    )
    return found


def test_a_name_that_is_taken_is_refused_as_collected() -> None:
    collected = _collected("name already used")
    azure = GraphClient()
    application = azure.directory.seed_application("one")
    azure.directory.seed_federated_credential(application["id"], BODY)
    response = azure.call("POST", f"/applications/{application['id']}/federatedIdentityCredentials", BODY)
    assert graph_refusal(response) == (collected["status"], collected["code"])
    assert json_of(response)["error"]["message"] == collected["message"].replace("<name>", BODY["name"])


def test_an_unknown_object_is_refused_as_collected() -> None:
    collected = _collected("object unknown")
    unknown = "4d5c0e0b-9816-4aa2-a444-395e807c6f80"
    response = GraphClient().call("GET", f"/applications/{unknown}")
    assert graph_refusal(response) == (collected["status"], collected["code"])
    assert json_of(response)["error"]["message"] == collected["message"].replace("<id>", unknown)


def test_a_service_principal_that_comes_too_soon_is_refused_as_collected() -> None:
    collected = _collected("created too soon")
    azure = GraphClient(graph_replication_seconds=60)
    app_id = azure.post("/applications", {"displayName": "one"})["appId"]
    response = azure.call("POST", "/servicePrincipals", {"appId": app_id})
    assert json_of(response)["error"]["message"] == collected["message"].replace("<appId>", app_id)


def test_errors_have_the_collected_shape() -> None:
    collected = _collected("concurrent writes")["body"]["error"]
    error = json_of(GraphClient().call("GET", "/nothing"))["error"]
    assert set(error) == set(collected)
    assert set(error["innerError"]) == set(collected["innerError"])
    assert re.sub(r"\d", "0", error["innerError"]["date"]) == re.sub(r"\d", "0", collected["innerError"]["date"])


# The CSDL and the definition

_TEXT_TYPES = {"Edm.String", "Edm.DateTimeOffset", "Edm.Guid", "graph.nativeAuthenticationApisEnabled"}


def _kind(csdl_type: str) -> Kind:
    inner = csdl_type.removeprefix("Collection(").removesuffix(")")
    if inner != csdl_type:
        return Kind.TEXTS if inner in _TEXT_TYPES else Kind.OBJECTS
    if inner == "Edm.Boolean":
        return Kind.FLAG
    return Kind.TEXT if inner in _TEXT_TYPES else Kind.OBJECT


@_TYPES
def test_properties_and_their_kinds_are_those_of_the_csdl(entity_type: EntityType) -> None:
    types = _load(specs() / "msgraph-v1.0-applications.csdl.json")["entityTypes"]
    expected: dict[str, Kind] = {}
    name: str | None = entity_type.name
    while name:
        expected |= {p["Name"]: _kind(p["Type"]) for p in types[name]["properties"] if p["Type"] != "Edm.Stream"}
        name = types[name]["attrs"].get("BaseType", "").removeprefix("graph.")
    assert dict(entity_type.properties) == expected


@_TYPES
def test_what_the_definition_calls_read_only_is_read_only(entity_type: EntityType) -> None:
    defined = {f["jsonName"] for f in _fields(entity_type) if f["readOnly"]} & set(entity_type.properties)
    # This one can be given once; only from then on it is read-only.
    assert defined - {"uniqueName"} <= entity_type.read_only


def test_a_credential_needs_what_the_definition_requires() -> None:
    required = {field["jsonName"] for field in _fields(CREDENTIAL) if field["required"]}
    assert required == set(BODY)
    azure = GraphClient()
    path = f"/applications/{azure.directory.seed_application('one')['id']}/federatedIdentityCredentials"
    for name in required:
        content = {key: value for key, value in BODY.items() if key != name}
        assert graph_refusal(azure.call("POST", path, content)) == (400, "Request_BadRequest"), name


def _fields(entity_type: EntityType) -> list[Json]:
    files = _load(specs() / "graph-applications-fic-serviceprincipals-v1.0.pandora.json")["files"]
    models = (entity_type.resource, "DirectoryObject", "Entity")
    return [field for m in models for k, v in files.items() if k.endswith(f"/Model-{m}.json") for field in v["fields"]]
