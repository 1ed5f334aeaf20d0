# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARM: user-assigned managed identities and their federated identity credentials."""

from __future__ import annotations

import typing as t

import pytest

from sandbox import arm
from sandbox.world import AZURE_SUBSCRIPTION, Json, Settings, UserAssignedIdentity, World
from tests.unit.sandbox.azure_support import ARM, GRAPH, STRANGER, bearer, json_of, writes

if t.TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

_PROVIDER = "/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
_GROUP = f"/subscriptions/{AZURE_SUBSCRIPTION}/resourceGroups/rg-one"
_ONE = f"{_GROUP}{_PROVIDER}/id-one"
_CREDENTIALS = f"{_ONE}/federatedIdentityCredentials"
_TRUST: Json = {"issuer": "https://issuer.example/", "subject": "s", "audiences": ["api://AzureADTokenExchange"]}


class Arm:
    """A client of one ARM with one managed identity."""

    def __init__(self, **settings: t.Any) -> None:
        self.world = World(Settings(**settings))
        self.identity = UserAssignedIdentity(AZURE_SUBSCRIPTION, "rg-one", "id-one")
        self.world.identities.append(self.identity)
        self._client: FlaskClient = arm.create_app(self.world).test_client()

    def call(self, method: str, path: str = _ONE, **options: t.Any) -> TestResponse:
        query = {"api-version": "2023-01-31", **options.pop("query", {})}
        headers = {**bearer(self.world, ARM), **options.pop("headers", {})}
        return self._client.open(path, method=method, query_string=query, headers=headers, **options)

    def put(self, name: str, **changes: t.Any) -> TestResponse:
        return self.call("PUT", f"{_CREDENTIALS}/{name}", json={"properties": {**_TRUST, **changes}})

    def url(self, address: str) -> Json:
        return json_of(self._client.get(address, headers=bearer(self.world, ARM)))


def refusal(response: TestResponse) -> tuple[int, str, str]:
    error = json_of(response)["error"]
    return response.status_code, error["code"], error["message"]


def test_an_identity_shows_its_ids() -> None:
    azure = Arm()
    content = json_of(azure.call("GET", _ONE.upper()))
    assert content["properties"] == {
        "tenantId": azure.identity.tenant,
        "principalId": azure.identity.principal_id,
        "clientId": azure.identity.client_id,
    }
    assert (content["name"], content["type"]) == ("id-one", "Microsoft.ManagedIdentity/userAssignedIdentities")


def test_a_credential_is_created_changed_read_and_deleted() -> None:
    azure = Arm()
    assert azure.put("login").status_code == 201
    assert azure.put("LOGIN", subject="t").status_code == 200
    content = json_of(azure.call("GET", f"{_CREDENTIALS}/login"))
    assert content["name"] == "login"
    assert content["properties"] == {**_TRUST, "subject": "t"}
    assert content["id"].endswith("/userAssignedIdentities/id-one/federatedIdentityCredentials/login")
    assert json_of(azure.call("GET", _CREDENTIALS))["value"] == [content]
    assert azure.call("DELETE", f"{_CREDENTIALS}/login").status_code == 200
    assert azure.call("DELETE", f"{_CREDENTIALS}/login").status_code == 204
    assert refusal(azure.call("GET", f"{_CREDENTIALS}/login"))[:2] == (404, "ResourceNotFound")
    assert len(writes(azure.world)) == 3


def test_a_long_list_comes_in_pages() -> None:
    azure = Arm(arm_page_size=2)
    for number in range(3):
        azure.put(f"login{number}", subject=f"s{number}")
    page = json_of(azure.call("GET", _CREDENTIALS))
    assert [one["name"] for one in page["value"]] == ["login0", "login1"]
    assert [one["name"] for one in azure.url(page["nextLink"])["value"]] == ["login2"]


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("ab", {}, "Federated Identity Credential name 'ab' is invalid."),
        ("-abc", {}, "is invalid"),
        ("login", {"audiences": []}, "must have exactly 1 audience"),
        ("login", {"audiences": ["a", "b"]}, "must have exactly 1 audience"),
        ("login", {"audiences": ["a" * 601]}, "'audiences'"),
        ("login", {"issuer": ""}, "'issuer'"),
        ("login", {"subject": None}, "'subject'"),
        ("other", {"subject": "taken"}, "Issuer and subject combination already exists for this Managed Identity."),
    ],
)
def test_what_the_service_does_not_take_is_refused(name: str, changes: Json, message: str) -> None:
    azure = Arm()
    azure.put("first", subject="taken")
    status, code, text = refusal(azure.put(name, **changes))
    assert (status, code) == (400, "BadRequest")
    assert message in text
    assert len(azure.identity.credentials) == 1


def test_twenty_credentials_are_the_most() -> None:
    azure = Arm()
    for number in range(20):
        assert azure.put(f"login{number}", subject=f"s{number}").status_code == 201
    assert refusal(azure.put("login20", subject="s20"))[:2] == (400, "BadRequest")
    assert azure.put("login19", subject="changed").status_code == 200


def test_a_body_without_properties_is_refused() -> None:
    assert "empty properties" in refusal(Arm().call("PUT", f"{_CREDENTIALS}/login", json={}))[2]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_second_write_at_once_is_refused(method: str) -> None:
    azure = Arm(identity_write_seconds=3600.0)
    azure.put("login")
    body = {"json": {"properties": {**_TRUST, "subject": "t"}}} if method == "PUT" else {}
    status, code, _text = refusal(azure.call(method, f"{_CREDENTIALS}/login", **body))
    assert (status, code) == (409, "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity")
    assert azure.identity.credentials[0]["subject"] == "s"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{_GROUP}{_PROVIDER}/nobody", "ResourceNotFound"),
        (_ONE.replace("rg-one", "rg-none"), "ResourceGroupNotFound"),
        (_ONE.replace(AZURE_SUBSCRIPTION, "00000000-0000-0000-0000-00000000dead"), "SubscriptionNotFound"),
    ],
)
def test_what_is_not_there_is_named(path: str, code: str) -> None:
    assert refusal(Arm().call("GET", path))[:2] == (404, code)


def test_an_api_version_of_another_provider_is_refused() -> None:
    assert refusal(Arm().call("GET", query={"api-version": "2026-05-01"}))[:2] == (400, "NoRegisteredProviderFound")


def test_only_the_controller_may() -> None:
    azure = Arm()
    assert refusal(azure.call("GET", headers=bearer(azure.world, ARM, STRANGER)))[:2] == (403, "AuthorizationFailed")
    assert refusal(azure.call("GET", headers=bearer(azure.world, GRAPH)))[0] == 401
