# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Graph: federated identity credentials, and how late replicas show a change."""

from __future__ import annotations

import time
import typing as t
import uuid

import pytest

from tests.unit.sandbox.azure_support import (
    A_WHILE,
    CREDENTIAL,
    UPSERT,
    GraphClient,
    graph_refusal,
    json_of,
    names_of,
    writes,
)

if t.TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from sandbox.world import Json


class Credentials:
    """The credentials of one application."""

    def __init__(self, **settings: t.Any) -> None:
        self.azure = GraphClient(**settings)
        application = self.azure.directory.seed_application("one")
        self.path = f"/applications/{application['id']}/federatedIdentityCredentials"

    def post(self, **values: t.Any) -> TestResponse:
        return self.azure.call("POST", self.path, {**CREDENTIAL, **values})

    def patch(self, key: str, content: Json, **options: t.Any) -> TestResponse:
        return self.azure.call("PATCH", f"{self.path}{key}", content, **options)


def test_a_credential_is_created_read_changed_and_deleted() -> None:
    credentials = Credentials()
    azure, path = credentials.azure, credentials.path
    created = azure.post(path, CREDENTIAL)
    expected = {"id": created["id"], "description": None, **CREDENTIAL}
    for key in (f"/{created['id']}", "/prometheus-sa", "(name='prometheus-sa')"):
        read = azure.get(path + key)
        assert read.pop("@odata.context").endswith("/federatedIdentityCredentials/$entity")
        assert read == expected
    changes = {"name": "prometheus-sa", "subject": "system:serviceaccount:other:sa"}
    assert credentials.patch("/prometheus-sa", changes).status_code == 204
    assert azure.get(path)["value"] == [{**expected, **changes}]
    assert azure.call("DELETE", f"{path}(name='prometheus-sa')").status_code == 204
    assert azure.get(path)["value"] == []
    assert writes(azure.world) == [
        "CreateFederatedIdentityCredential",
        "UpdateFederatedIdentityCredential",
        "DeleteFederatedIdentityCredential",
    ]


def test_an_application_can_be_named_by_its_app_id() -> None:
    azure = GraphClient()
    application = azure.directory.seed_application("one")
    path = f"/applications(appId='{application['appId']}')/federatedIdentityCredentials"
    created = azure.post(path, CREDENTIAL)
    assert azure.get(f"{path}/{created['id']}")["name"] == "prometheus-sa"


@pytest.mark.parametrize(
    "values",
    [
        {"name": "ab"},
        {"name": "a" * 121},
        {"name": "-abc"},
        {"name": "a b c"},
        {"name": "a.b.c"},
        {"issuer": ""},
        {"subject": ""},
        {"audiences": []},
        {"audiences": ["a", "b"]},
        {"audiences": [""]},
        {"audiences": ["a" * 601]},
    ],
)
def test_values_that_break_a_rule_are_refused(values: Json) -> None:
    credentials = Credentials()
    assert graph_refusal(credentials.post(**values)) == (400, "InvalidFederatedIdentityCredentialValue")
    assert writes(credentials.azure.world) == []


@pytest.mark.parametrize(
    "values",
    [
        {"issuer": "https://" + "a" * 600},
        {"subject": "a" * 601},
        {"description": "a" * 601},
        {"name": None},
        {"issuer": None},
        {"subject": None},
        {"audiences": "api://AzureADTokenExchange"},
        {"claimsMatchingExpression": {}},
        {"id": "x"},
    ],
)
def test_values_of_a_wrong_kind_or_length_are_refused(values: Json) -> None:
    assert graph_refusal(Credentials().post(**values)) == (400, "Request_BadRequest")


def test_a_name_is_unique_and_immutable() -> None:
    credentials = Credentials()
    credentials.post()
    response = credentials.post(subject="other")
    assert graph_refusal(response) == (409, "Request_MultipleObjectsWithSameKeyValue")
    message = "FederatedIdentityCredential with name prometheus-sa already exists."
    assert json_of(response)["error"]["message"] == message
    assert graph_refusal(credentials.patch("/prometheus-sa", {"name": "other"})) == (400, "Request_BadRequest")


def test_issuer_and_subject_are_unique_together() -> None:
    credentials = Credentials()
    credentials.post()
    response = credentials.post(name="second")
    assert graph_refusal(response) == (400, "InvalidFederatedIdentityCredentialValue")
    assert "The combination of issuer and subject must be unique for the application." in response.text
    assert credentials.post(name="second", subject="other").status_code == 201
    response = credentials.patch("/second", {"subject": CREDENTIAL["subject"]})
    assert graph_refusal(response) == (400, "InvalidFederatedIdentityCredentialValue")
    assert credentials.patch("/second", {"issuer": "https://other/"}).status_code == 204


def test_an_application_has_at_most_twenty_credentials() -> None:
    credentials = Credentials()
    for number in range(20):
        assert credentials.post(name=f"sa-{number}", subject=str(number)).status_code == 201
    assert graph_refusal(credentials.post(name="one-more", subject="x")) == (400, "Request_BadRequest")
    credentials.azure.call("DELETE", f"{credentials.path}/sa-0")
    assert credentials.post(name="one-more", subject="x").status_code == 201


def test_credentials_are_filtered_by_name_or_subject_exactly() -> None:
    credentials = Credentials()
    credentials.post()
    credentials.post(name="second", subject="O'Neil")
    azure, path = credentials.azure, credentials.path
    assert [c["name"] for c in azure.get(path, filter="subject eq 'O''Neil'")["value"]] == ["second"]
    assert azure.get(path, filter="name eq 'Second'")["value"] == []
    for text in ("name eq 'second' and subject eq 'x'", "issuer eq 'x'", "startswith(name,'s')"):
        response = azure.call("GET", path, query_string={"$filter": text})
        assert graph_refusal(response) == (400, "Request_UnsupportedQuery")


def test_a_credential_can_be_upserted_by_name() -> None:
    credentials = Credentials()
    body = {key: value for key, value in CREDENTIAL.items() if key != "name"}
    key = "(name='prometheus-sa')"
    assert graph_refusal(credentials.patch(key, body)) == (404, "Request_ResourceNotFound")
    assert credentials.patch(key, body, headers=UPSERT).status_code == 201
    assert credentials.patch(key, {"description": "d"}, headers=UPSERT).status_code == 204
    assert credentials.azure.get(credentials.path + key)["description"] == "d"


def test_credentials_of_an_unknown_application_are_not_found() -> None:
    path = f"/applications/{uuid.uuid4()}/federatedIdentityCredentials"
    assert graph_refusal(GraphClient().call("GET", path)) == (404, "Request_ResourceNotFound")
    assert graph_refusal(GraphClient().call("POST", path, CREDENTIAL)) == (404, "Request_ResourceNotFound")


# Replication


def test_replicas_show_a_new_application_late() -> None:
    azure = GraphClient(graph_replication_seconds=A_WHILE)
    created = azure.post("/applications", {"displayName": "one", "uniqueName": "u"})
    path = f"/applications/{created['id']}"
    assert azure.get("/applications")["value"] == []
    assert graph_refusal(azure.call("GET", path)) == (404, "Request_ResourceNotFound")
    assert azure.call("PATCH", path, {"notes": "x"}).status_code == 404
    assert azure.call("POST", f"{path}/federatedIdentityCredentials", CREDENTIAL).status_code == 404
    response = azure.call("POST", "/servicePrincipals", {"appId": created["appId"]})
    assert graph_refusal(response) == (400, "NoBackingApplicationObject")
    assert azure.call("POST", "/applications", {"displayName": "one", "uniqueName": "u"}).status_code == 409
    time.sleep(A_WHILE)
    assert names_of(azure.get("/applications")) == ["one"]
    azure.post("/servicePrincipals", {"appId": created["appId"]})
    assert azure.call("POST", "/servicePrincipals", {"appId": created["appId"]}).status_code == 409


def test_replicas_show_changes_and_deletions_late() -> None:
    credentials = Credentials(graph_replication_seconds=A_WHILE)
    azure, path = credentials.azure, credentials.path
    application = path.rsplit("/", 1)[0]
    azure.directory.seed_federated_credential(application.rsplit("/", 1)[1], CREDENTIAL)
    assert credentials.patch("/prometheus-sa", {"subject": "new"}).status_code == 204
    assert azure.get(f"{path}/prometheus-sa")["subject"] == CREDENTIAL["subject"]
    time.sleep(A_WHILE)
    assert azure.get(f"{path}/prometheus-sa")["subject"] == "new"
    assert azure.call("DELETE", f"{path}/prometheus-sa").status_code == 204
    assert azure.get(f"{path}/prometheus-sa")["subject"] == "new"
    assert azure.call("DELETE", f"{path}/prometheus-sa").status_code == 404
    assert credentials.patch("/prometheus-sa", {"subject": "newer"}).status_code == 404
    time.sleep(A_WHILE)
    assert azure.get(path)["value"] == []


def test_what_is_seeded_is_there_at_once() -> None:
    azure = GraphClient(graph_replication_seconds=60)
    application = azure.directory.seed_application("one")
    azure.directory.seed_service_principal(application["appId"])
    azure.directory.seed_federated_credential(application["id"], CREDENTIAL)
    assert len(azure.get("/applications")["value"]) == len(azure.get("/servicePrincipals")["value"]) == 1
    assert azure.get(f"/applications/{application['id']}/federatedIdentityCredentials/prometheus-sa")
    assert writes(azure.world) == []


def test_a_flexible_credential_shows_no_subject_and_takes_none() -> None:
    azure = GraphClient()
    application = azure.directory.seed_application("one")
    azure.directory.seed_flexible_credential(application["id"], "flexible", "https://gitlab.example")
    path = f"/applications/{application['id']}/federatedIdentityCredentials"
    (found,) = azure.get(path)["value"]
    assert (found["name"], found["subject"]) == ("flexible", None)
    refused = azure.call("PATCH", f"{path}/flexible", {"subject": "s"})
    assert graph_refusal(refused) == (400, "InvalidFederatedIdentityCredentialValue")
