# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Graph: access, applications, service principals and queries."""

from __future__ import annotations

import typing as t
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.graph import query, schema
from tests.unit.sandbox.azure_support import (
    ARM,
    CREDENTIAL,
    GRAPH,
    STRANGER,
    UPSERT,
    GraphClient,
    bearer,
    graph_refusal,
    json_of,
    names_of,
    writes,
)

if t.TYPE_CHECKING:
    from sandbox.world import Json


# Access


@pytest.mark.parametrize(
    ("authorization", "message"), [("", "Access token is empty."), ("Bearer x", "Access token validation failure.")]
)
def test_requests_need_a_token(authorization: str, message: str) -> None:
    response = GraphClient().call(
        "GET", "/applications", headers={"Authorization": authorization, "client-request-id": "me"}
    )
    assert graph_refusal(response) == (401, "InvalidAuthenticationToken")
    error = json_of(response)["error"]
    assert error["message"] == message
    assert error["innerError"]["client-request-id"] == "me"
    assert response.headers["client-request-id"] == "me"
    assert error["innerError"]["request-id"] == response.headers["request-id"]
    assert response.headers["WWW-Authenticate"].startswith("Bearer ")


def test_tokens_for_arm_and_expired_ones_are_refused() -> None:
    azure = GraphClient()
    response = azure.call("GET", "/applications", headers=bearer(azure.world, ARM))
    assert response.status_code == 401
    assert "Invalid audience" in response.text
    response = GraphClient(entra_token_seconds=-1).call("GET", "/applications")
    assert response.status_code == 401
    assert "the token is expired" in response.text


def test_another_application_has_no_permission() -> None:
    azure = GraphClient()
    response = azure.call("POST", "/applications", {"displayName": "x"}, headers=bearer(azure.world, GRAPH, STRANGER))
    assert graph_refusal(response) == (403, "Authorization_RequestDenied")
    assert azure.directory.applications() == []
    assert writes(azure.world) == []


def test_the_controller_may_lack_the_permission_to_read() -> None:
    azure = GraphClient()
    azure.world.missing_rights.add("Application.Read.All")
    assert graph_refusal(azure.call("GET", "/applications")) == (403, "Authorization_RequestDenied")


def test_even_an_unknown_path_asks_for_a_token_first() -> None:
    azure = GraphClient()
    assert azure.call("GET", "/nothing", headers={"Authorization": ""}).status_code == 401
    assert graph_refusal(azure.call("GET", "/nothing")) == (400, "BadRequest")
    assert azure.call("PUT", "/applications").status_code == 405


# Applications


def test_an_application_is_created_read_changed_and_deleted() -> None:
    azure = GraphClient()
    created = azure.post("/applications", {"displayName": "one", "tags": ["a"]})
    path = f"/applications/{created['id']}"
    assert azure.get(path)["tags"] == ["a"]
    assert azure.get(f"/applications(appId='{created['appId']}')")["id"] == created["id"]
    assert azure.call("PATCH", path, {"tags": ["a", "b"], "notes": None}).status_code == 204
    assert azure.get(path)["tags"] == ["a", "b"]
    response = azure.call("DELETE", path)
    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers
    assert graph_refusal(azure.call("GET", path)) == (404, "Request_ResourceNotFound")
    assert writes(azure.world) == ["CreateApplication", "UpdateApplication", "DeleteApplication"]


def test_display_names_are_not_unique() -> None:
    azure = GraphClient()
    ids = {azure.post("/applications", {"displayName": "same"})["id"] for _unused in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "Invalid value specified for property 'displayName' of resource 'Application'."),
        ({"displayName": ""}, "Invalid value specified for property 'displayName'"),
        ({"displayName": "x" * 257}, "Invalid value specified for property 'displayName'"),
        ({"displayName": 1}, "Invalid value specified for property 'displayName'"),
        ({"displayName": "x", "tags": "a"}, "Invalid value specified for property 'tags'"),
        ({"displayName": "x", "tags": None}, "Invalid value specified for property 'tags'"),
        ({"displayName": "x", "uniqueName": ""}, "Invalid value specified for property 'uniqueName'"),
        ({"displayName": "x", "colour": "red"}, "Invalid property 'colour'."),
        ({"displayName": "x", "federatedIdentityCredentials": []}, "Invalid property 'federatedIdentityCredentials'."),
        ({"displayName": "x", "appId": "y"}, "Property 'appId' is read-only and cannot be set."),
    ],
)
def test_bodies_that_graph_does_not_take_are_refused(content: Json, message: str) -> None:
    azure = GraphClient()
    response = azure.call("POST", "/applications", content)
    assert graph_refusal(response) == (400, "Request_BadRequest")
    assert message in json_of(response)["error"]["message"]
    assert azure.directory.applications() == []
    assert writes(azure.world) == []


@pytest.mark.parametrize(
    "options", [{"data": b"{", "content_type": "application/json"}, {"data": b"[]"}, {"data": b'{"displayName": "x"}'}]
)
def test_bodies_that_are_no_json_objects_are_refused(options: Json) -> None:
    response = GraphClient().call("POST", "/applications", **options)
    assert graph_refusal(response) == (400, "BadRequest")
    assert "Unable to read JSON request payload" in response.text


def test_annotations_of_the_sdks_are_taken() -> None:
    azure = GraphClient()
    created = azure.post("/applications", {"@odata.type": "#microsoft.graph.application", "displayName": "x"})
    assert "@odata.type" not in created


def test_a_unique_name_is_unique_immutable_and_given_once() -> None:
    azure = GraphClient()
    azure.directory.seed_application("one", unique_name="taken")
    other = azure.directory.seed_application("two")
    path = f"/applications/{other['id']}"
    assert graph_refusal(azure.call("POST", "/applications", {"displayName": "x", "uniqueName": "taken"})) == (
        409,
        "Request_MultipleObjectsWithSameKeyValue",
    )
    assert azure.call("PATCH", path, {"uniqueName": "taken"}).status_code == 409
    assert azure.call("PATCH", path, {"uniqueName": "mine"}).status_code == 204
    assert azure.call("PATCH", path, {"uniqueName": "mine"}).status_code == 204
    assert graph_refusal(azure.call("PATCH", path, {"uniqueName": "yours"})) == (400, "Request_BadRequest")
    assert azure.get("/applications(uniqueName='mine')")["id"] == other["id"]


def test_an_upsert_creates_then_updates() -> None:
    azure = GraphClient()
    path = "/applications(uniqueName='it''s mine')"
    assert graph_refusal(azure.call("PATCH", path, {"displayName": "x"})) == (404, "Request_ResourceNotFound")
    assert graph_refusal(azure.call("PATCH", path, {"notes": "n"}, headers=UPSERT)) == (400, "Request_BadRequest")
    created = azure.call("PATCH", path, {"displayName": "x"}, headers=UPSERT)
    assert created.status_code == 201
    assert json_of(created)["uniqueName"] == "it's mine"
    assert azure.call("PATCH", path, {"displayName": "y"}, headers=UPSERT).status_code == 204
    assert names_of(azure.get("/applications")) == ["y"]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("key", "refusal"),
    [
        ("/00000000-0000-4000-8000-000000000000", (404, "Request_ResourceNotFound")),
        ("(appId='x')", (404, "Request_ResourceNotFound")),
        ("/Prometheus", (400, "Request_BadRequest")),
        ("(displayName='x')", (400, "BadRequest")),
        ("(uniqueName='it's')", (400, "BadRequest")),
    ],
)
def test_keys_that_lead_nowhere(method: str, key: str, refusal: tuple[int, str]) -> None:
    azure = GraphClient()
    assert graph_refusal(azure.call(method, f"/applications{key}", {} if method == "PATCH" else None)) == refusal
    assert writes(azure.world) == []


def test_doubled_slashes_count_as_one() -> None:
    azure = GraphClient()
    application = azure.directory.seed_application("one")
    assert azure.get(f"//applications//{application['id']}")["id"] == application["id"]


def test_a_deleted_application_can_be_seen_and_purged() -> None:
    azure = GraphClient()
    application = azure.directory.seed_application("one")
    azure.directory.seed_service_principal(application["appId"])
    azure.call("DELETE", f"/applications/{application['id']}")
    assert azure.get("/servicePrincipals")["value"] == []
    path = f"/directory/deletedItems/{application['id']}"
    assert azure.get(path)["deletedDateTime"] is not None
    assert azure.call("DELETE", path).status_code == 204
    assert graph_refusal(azure.call("GET", path)) == (404, "Request_ResourceNotFound")
    assert graph_refusal(azure.call("DELETE", path)) == (404, "Request_ResourceNotFound")


# Queries


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("displayName eq 'one'", ["One"]),
        ("displayName eq 'O''Neil'", ["O'Neil"]),
        ("startswith(displayName,'o')", ["One", "O'Neil"]),
        ("startsWith( displayName , 'o' ) and tags/any(t:t eq 'b')", ["O'Neil"]),
        ("tags/any(x: x eq 'a')", ["One", "two"]),
        ("uniqueName eq 'u'", ["two"]),
        ("displayName eq 'none'", []),
    ],
)
def test_filters(text: str, names: list[str]) -> None:
    azure = GraphClient()
    azure.directory.seed_application("One", tags=["a"])
    azure.directory.seed_application("two", tags=["a"], unique_name="u")
    azure.directory.seed_application("O'Neil", tags=["b"])
    assert names_of(azure.get("/applications", filter=text)) == names


@given(st.text(min_size=1, max_size=20))
def test_any_text_is_found_when_its_quotes_are_doubled(text: str) -> None:
    quoted = text.replace("'", "''")
    for clause in (f"displayName eq '{quoted}'", f"startswith(displayName,'{quoted}')", f"tags/any(t:t eq '{quoted}')"):
        (parsed,) = query.parse_filter(schema.APPLICATION, clause)
        assert parsed.value == text
        assert parsed.holds({"displayName": text, "tags": [text]})
        assert not parsed.holds({"displayName": None, "tags": []})


def test_an_application_is_found_by_its_app_id() -> None:
    azure = GraphClient()
    azure.directory.seed_application("one")
    app_id = azure.directory.seed_application("two")["appId"]
    assert names_of(azure.get("/applications", filter=f"appId eq '{app_id}'")) == ["two"]


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"$filter": "displayName eq 'O'Neil'"}, (400, "BadRequest")),
        ({"$filter": "displayName eq"}, (400, "BadRequest")),
        ({"$filter": ""}, (400, "BadRequest")),
        ({"$filter": "displayName eq 'x' or displayName eq 'y'"}, (400, "BadRequest")),
        ({"$filter": "colour eq 'red'"}, (400, "BadRequest")),
        ({"$filter": "notes eq 'x'"}, (400, "Request_UnsupportedQuery")),
        ({"$filter": "startswith(appId,'x')"}, (400, "Request_UnsupportedQuery")),
        ({"$select": "id,colour"}, (400, "BadRequest")),
        ({"$expand": "owners"}, (400, "BadRequest")),
        ({"$top": "0"}, (400, "Request_UnsupportedQuery")),
        ({"$top": "1000"}, (400, "Request_UnsupportedQuery")),
        ({"$count": "true"}, (400, "Request_BadRequest")),
        ({"$skip": "1"}, (400, "Request_BadRequest")),
        ({"$orderby": "displayName"}, (400, "Request_UnsupportedQuery")),
        ({"$search": '"displayName:x"'}, (400, "Request_UnsupportedQuery")),
        ({"$skiptoken": "x"}, (400, "Directory_ExpiredPageToken")),
    ],
)
def test_queries_that_graph_does_not_take_are_refused(options: dict[str, str], refusal: tuple[int, str]) -> None:
    assert graph_refusal(GraphClient().call("GET", "/applications", query_string=options)) == refusal


def test_one_object_takes_no_filter() -> None:
    azure = GraphClient()
    path = f"/applications/{azure.directory.seed_application('one')['id']}"
    response = azure.call("GET", path, query_string={"$filter": "displayName eq 'one'"})
    assert graph_refusal(response) == (400, "Request_UnsupportedQuery")


def test_select_gives_what_was_asked_for() -> None:
    azure = GraphClient()
    application = azure.directory.seed_application("one")
    page = azure.get("/applications", select="id,displayName")
    assert page["value"] == [{"id": application["id"], "displayName": "one"}]
    assert page["@odata.context"].endswith("/v1.0/$metadata#applications(id,displayName)")
    one = azure.get(f"/applications/{application['id']}", select="appId")
    assert set(one) == {"@odata.context", "appId"}


def test_lists_are_paged_with_the_same_query() -> None:
    azure = GraphClient()
    for number in range(5):
        azure.directory.seed_application(f"a&b {number}", tags=["t"])
    page = azure.get("/applications", filter="startswith(displayName,'a&b')", top="2", select="displayName")
    names = names_of(page)
    while "@odata.nextLink" in page:
        page = azure.url(page["@odata.nextLink"])
        assert len(page["value"]) <= 2
        assert all(set(entity) == {"displayName"} for entity in page["value"])
        names += names_of(page)
    assert names == [f"a&b {number}" for number in range(5)]


def test_the_services_own_page_size_holds_without_top() -> None:
    azure = GraphClient(graph_page_size=2)
    for number in range(3):
        azure.directory.seed_application(str(number))
    page = azure.get("/applications")
    assert names_of(page) == ["0", "1"]
    assert names_of(azure.url(page["@odata.nextLink"])) == ["2"]


def test_count_needs_eventual_consistency() -> None:
    azure = GraphClient()
    azure.directory.seed_application("one")
    headers = {"ConsistencyLevel": "eventual"}
    response = azure.call("GET", "/applications", query_string={"$count": "true"}, headers=headers)
    assert json_of(response)["@odata.count"] == 1


def test_expand_shows_an_applications_credentials() -> None:
    azure = GraphClient()
    application = azure.directory.seed_application("one")
    azure.directory.seed_federated_credential(application["id"], CREDENTIAL)
    page = azure.get("/applications", expand="federatedIdentityCredentials", select="id")
    (entity,) = page["value"]
    assert [c["name"] for c in entity["federatedIdentityCredentials"]] == ["prometheus-sa"]
    assert entity["id"] == application["id"]


# Service principals


def test_a_service_principal_shows_its_application() -> None:
    azure = GraphClient()
    application = azure.directory.seed_application("one", tags=["a"])
    created = azure.post("/servicePrincipals", {"appId": application["appId"], "tags": ["b"]})
    assert created["displayName"] == created["appDisplayName"] == "one"
    assert created["servicePrincipalNames"] == [application["appId"]]
    assert created["tags"] == ["b", "a"]
    azure.call("PATCH", f"/applications/{application['id']}", {"displayName": "two"})
    path = f"/servicePrincipals(appId='{application['appId']}')"
    assert azure.get(path)["displayName"] == "two"
    assert azure.call("PATCH", path, {"tags": []}).status_code == 204
    assert azure.get(path)["tags"] == ["a"]
    page = azure.get("/servicePrincipals", filter=f"appId eq '{application['appId']}'")
    assert [entity["id"] for entity in page["value"]] == [created["id"]]
    assert azure.call("DELETE", f"/servicePrincipals/{created['id']}").status_code == 204
    assert graph_refusal(azure.call("GET", path)) == (404, "Request_ResourceNotFound")
    assert writes(azure.world) == [
        "CreateServicePrincipal",
        "UpdateApplication",
        "UpdateServicePrincipal",
        "DeleteServicePrincipal",
    ]


def test_service_principals_that_cannot_be() -> None:
    azure = GraphClient()
    app_id = azure.directory.seed_application("one")["appId"]
    azure.directory.seed_service_principal(app_id)
    unknown = str(uuid.uuid4())
    assert graph_refusal(azure.call("POST", "/servicePrincipals", {})) == (400, "Request_BadRequest")
    response = azure.call("POST", "/servicePrincipals", {"appId": unknown})
    assert graph_refusal(response) == (400, "NoBackingApplicationObject")
    message = f"The appId '{unknown}' of the service principal does not reference a valid application object."
    assert json_of(response)["error"]["message"] == message
    response = azure.call("POST", "/servicePrincipals", {"appId": app_id})
    assert graph_refusal(response) == (409, "Request_MultipleObjectsWithSameKeyValue")
    path = f"/servicePrincipals(appId='{app_id}')"
    assert graph_refusal(azure.call("PATCH", path, {"appId": unknown})) == (400, "Request_BadRequest")
    assert graph_refusal(azure.call("PATCH", path, {"displayName": "x"})) == (400, "Request_BadRequest")
    assert writes(azure.world) == []


def test_a_service_principal_can_be_upserted() -> None:
    azure = GraphClient()
    path = f"/servicePrincipals(appId='{azure.directory.seed_application('one')['appId']}')"
    assert azure.call("PATCH", path, {"tags": ["a"]}).status_code == 404
    assert azure.call("PATCH", path, {"tags": ["a"]}, headers=UPSERT).status_code == 201
    assert azure.call("PATCH", path, {"tags": ["b"]}, headers=UPSERT).status_code == 204
    assert azure.get(path)["tags"] == ["b"]
