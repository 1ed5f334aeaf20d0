# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login service: secrets, federated credentials, resources of tokens, and refusals."""

from __future__ import annotations

import time
import typing as t

import jwt
import pytest

from sandbox import arm, entra_tokens, login
from sandbox.graph import Directory
from sandbox.graph.directory import Key
from sandbox.world import (
    AZURE_TENANT,
    CONTROLLER_CLIENT_ID,
    CONTROLLER_CLIENT_SECRET,
    Settings,
    SigningKey,
    World,
)
from tests.unit.sandbox.azure_support import A_WHILE, ARM, CREDENTIAL, add_cluster, json_of, writes

if t.TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from sandbox.world import Json

_AKS_SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630"
_SUBJECT = CREDENTIAL["subject"]
_AUDIENCE = "api://AzureADTokenExchange"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Login:
    """A client of one login service, with a cluster whose issuer an application trusts."""

    def __init__(self, **settings: t.Any) -> None:
        self.world = World(Settings(**settings))
        self.cluster = add_cluster(self.world)
        self.cluster.body["properties"]["oidcIssuerProfile"] = {"enabled": True}
        self.directory = Directory(self.world)
        self.application = self.directory.seed_application("one")
        self.principal = self.directory.seed_service_principal(self.application["appId"])
        self.client = login.create_app(self.world, self.directory).test_client()

    def token(self, tenant: str | None = AZURE_TENANT, **form: str | None) -> TestResponse:
        """Ask for the controller's token, but for what is given; None leaves a parameter out."""
        values: dict[str, str | None] = {
            "grant_type": "client_credentials",
            "client_id": CONTROLLER_CLIENT_ID,
            "client_secret": CONTROLLER_CLIENT_SECRET,
            "scope": f"{ARM}/.default",
            **form,
        }
        data = {name: value for name, value in values.items() if value is not None}
        return self.client.post(f"/{tenant}/oauth2/v2.0/token", data=data, headers={"client-request-id": "me"})

    def exchange(self, assertion: str, client_id: str = "", **form: str | None) -> TestResponse:
        """Ask for the application's token with a service account's token."""
        options: dict[str, str | None] = {
            "client_secret": None,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": assertion,
            **form,
        }
        return self.token(client_id=client_id or self.application["appId"], **options)

    def trust(self, **values: t.Any) -> None:
        """Give the application a credential for the cluster's service account."""
        body = {**CREDENTIAL, "issuer": self.cluster.issuer_url, **values}
        self.directory.seed_federated_credential(self.application["id"], body)

    def assertion(self, **claims: t.Any) -> str:
        """A service account's token, but for what is given."""
        now = int(time.time())
        defaults = {"iss": self.cluster.issuer_url, "sub": _SUBJECT, "aud": [_AUDIENCE], "iat": now, "exp": now + 600}
        return self.cluster.signing_key.sign({**defaults, **claims})


def _claims(response: TestResponse) -> Json:
    assert response.status_code == 200, response.text
    claims: Json = jwt.decode(json_of(response)["access_token"], options={"verify_signature": False})
    return claims


def _refusal(response: TestResponse) -> tuple[int, str, int]:
    body = json_of(response)
    (code,) = body["error_codes"]
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    return response.status_code, body["error"], code


# Discovery


def test_discovery_names_the_endpoints_of_the_host_that_was_asked() -> None:
    client = Login().client
    document = json_of(client.get(f"/{AZURE_TENANT}/v2.0/.well-known/openid-configuration", base_url="https://host/"))
    assert document["token_endpoint"] == f"https://host/{AZURE_TENANT}/oauth2/v2.0/token"
    assert document["issuer"] == f"https://host/{AZURE_TENANT}/v2.0"
    assert document["jwks_uri"] == f"https://host/{AZURE_TENANT}/discovery/v2.0/keys"


def test_published_keys_verify_a_token() -> None:
    azure = Login()
    keys = jwt.PyJWKSet.from_dict(json_of(azure.client.get(f"/{AZURE_TENANT}/discovery/v2.0/keys")))
    token = json_of(azure.token())["access_token"]
    key = keys[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, algorithms=["RS256"], audience=ARM)["appid"] == CONTROLLER_CLIENT_ID


def test_instance_discovery_knows_the_authority() -> None:
    document = json_of(Login().client.get("/common/discovery/instance"))
    assert document["tenant_discovery_endpoint"].startswith("https://login.microsoftonline.com/")
    assert "login.microsoftonline.com" in document["metadata"][0]["aliases"]


@pytest.mark.parametrize("path", ["v2.0/.well-known/openid-configuration", "discovery/v2.0/keys"])
def test_another_tenant_is_unknown(path: str) -> None:
    azure = Login()
    assert _refusal(azure.client.get(f"/contoso/{path}")) == (400, "invalid_request", 90002)
    assert _refusal(azure.token(tenant="contoso")) == (400, "invalid_request", 90002)


# The controller's secret


def test_a_secret_gives_a_token_for_its_resource() -> None:
    azure = Login()
    response = azure.token()
    body = json_of(response)
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == body["ext_expires_in"] == 3599
    claims = _claims(response)
    assert claims["aud"] == ARM
    assert claims["iss"] == f"https://sts.windows.net/{AZURE_TENANT}/"
    assert claims["appid"] == CONTROLLER_CLIENT_ID
    assert claims["tid"] == AZURE_TENANT
    assert claims["exp"] - claims["iat"] == 3599
    assert response.headers["Cache-Control"] == "no-store, no-cache"


@pytest.mark.parametrize(
    "resource",
    [ARM, f"{ARM}/", "https://management.core.windows.net/", "https://graph.microsoft.com", _AKS_SERVER],
)
def test_a_token_is_bound_to_the_resource_of_its_scope(resource: str) -> None:
    assert _claims(Login().token(scope=f"{resource}/.default"))["aud"] == resource


def test_only_tokens_for_arm_open_arm() -> None:
    azure = Login()
    resource_manager = arm.create_app(azure.world).test_client()
    statuses = []
    for resource in (ARM, "https://graph.microsoft.com", _AKS_SERVER):
        token = json_of(azure.token(scope=f"{resource}/.default"))["access_token"]
        address = f"{azure.cluster.body['id']}?api-version=2026-08-01"
        statuses.append(resource_manager.get(address, headers={"Authorization": f"Bearer {token}"}).status_code)
    assert statuses == [200, 401, 401]


def test_a_cluster_can_check_a_token_for_its_server_application() -> None:
    azure = Login()
    token = json_of(azure.token(scope=f"{_AKS_SERVER}/.default"))["access_token"]
    principal = entra_tokens.verify(azure.world, f"Bearer {token}", entra_tokens.AKS_AUDIENCES)
    assert principal == entra_tokens.CONTROLLER


@pytest.mark.parametrize(
    ("form", "refusal"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"client_secret": None}, (401, "invalid_client", 7000218)),
        ({"client_id": "11111111-2222-3333-4444-555555555555"}, (400, "unauthorized_client", 700016)),
        ({"client_id": None}, (400, "invalid_request", 900144)),
        ({"grant_type": None}, (400, "invalid_request", 900144)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ({"scope": None}, (400, "invalid_request", 900144)),
        ({"scope": ARM}, (400, "invalid_scope", 70011)),
        ({"scope": f"{ARM}/.default openid/.default"}, (400, "invalid_scope", 70011)),
        ({"scope": "https://vault.azure.net/.default"}, (400, "invalid_resource", 500011)),
    ],
)
def test_requests_that_are_refused(form: dict[str, str | None], refusal: tuple[int, str, int]) -> None:
    response = Login().token(**form)
    assert _refusal(response) == refusal
    body = json_of(response)
    assert body["correlation_id"] == response.headers["client-request-id"] == "me"
    assert CONTROLLER_CLIENT_SECRET not in response.text


def test_an_application_of_the_directory_has_no_secret() -> None:
    azure = Login()
    assert _refusal(azure.token(client_id=azure.application["appId"])) == (401, "invalid_client", 7000215)


def test_unknown_paths_and_methods_are_refused() -> None:
    client = Login().client
    assert _refusal(client.get("/common/nothing"))[0] == 404
    assert _refusal(client.get(f"/{AZURE_TENANT}/oauth2/v2.0/token")) == (405, "invalid_request", 900561)


# Federated identity credentials


def test_a_service_accounts_token_is_exchanged_for_the_applications() -> None:
    azure = Login()
    azure.trust()
    claims = _claims(azure.exchange(azure.assertion()))
    assert claims["appid"] == azure.application["appId"]
    assert claims["oid"] == azure.principal["id"]
    assert claims["appidacr"] == "2"


def test_the_audience_of_an_assertion_may_be_a_text_or_one_of_several() -> None:
    azure = Login()
    azure.trust()
    assert azure.exchange(azure.assertion(aud=_AUDIENCE)).status_code == 200
    assert azure.exchange(azure.assertion(aud=["x", _AUDIENCE])).status_code == 200


@pytest.mark.parametrize(
    ("credential", "claims", "code"),
    [
        ({"issuer": "https://other/"}, {}, 700211),
        ({}, {"sub": "system:serviceaccount:monitoring:other"}, 700213),
        ({}, {"sub": f"{_SUBJECT} "}, 700213),
        ({}, {"sub": str(_SUBJECT).upper()}, 7002138),
        ({}, {"aud": ["sts.amazonaws.com"]}, 700212),
        ({"audiences": ["sts.amazonaws.com"]}, {}, 700212),
        ({}, {"exp": 1}, 700024),
        ({}, {"nbf": 4102444800}, 700024),
        ({}, {"sub": 1}, 50027),
        ({}, {"aud": {"x": 1}}, 50027),
    ],
)
def test_assertions_that_do_not_match_are_refused(credential: Json, claims: Json, code: int) -> None:
    azure = Login()
    azure.trust(**credential)
    assert _refusal(azure.exchange(azure.assertion(**claims))) == (401, "invalid_client", code)


def test_a_slash_too_few_does_not_match() -> None:
    azure = Login()
    azure.trust(issuer=azure.cluster.issuer_url.rstrip("/"))
    response = azure.exchange(azure.assertion())
    assert _refusal(response) == (401, "invalid_client", 700211)
    assert f"presented assertion issuer '{azure.cluster.issuer_url}'" in response.text


def test_an_application_without_credentials_trusts_nobody() -> None:
    azure = Login()
    assert _refusal(azure.exchange(azure.assertion()))[2] == 700211
    assert _refusal(azure.exchange(azure.assertion(), client_id=CONTROLLER_CLIENT_ID))[2] == 700211


def test_each_credential_counts_as_a_whole() -> None:
    """Issuer, subject and audience of one credential: parts of two do not add up."""
    azure = Login()
    azure.trust(subject="other")
    azure.trust(name="second", audiences=["other"])
    assert _refusal(azure.exchange(azure.assertion()))[2] == 700212


def test_an_assertion_must_be_signed_by_the_clusters_key() -> None:
    azure = Login()
    azure.trust()
    header, claims, signature = azure.assertion().split(".")
    forged = f"{header}.{claims}.{azure.assertion(sub='other').split('.')[2]}"
    assert _refusal(azure.exchange(forged))[2] == 50013
    azure.cluster.signing_key = SigningKey()
    assert _refusal(azure.exchange(f"{header}.{claims}.{signature}"))[2] == 7000272


def test_an_issuer_that_is_off_cannot_be_asked_for_keys() -> None:
    azure = Login()
    azure.trust()
    azure.cluster.body["properties"]["oidcIssuerProfile"] = {"enabled": False}
    assertion = azure.assertion(iss=azure.cluster.issuer_url)
    assert _refusal(azure.exchange(assertion)) == (400, "invalid_request", 90061)


def test_an_application_without_service_principal_gets_no_token() -> None:
    azure = Login()
    application = azure.directory.seed_application("two")
    body = {**CREDENTIAL, "issuer": azure.cluster.issuer_url}
    azure.directory.seed_federated_credential(application["id"], body)
    response = azure.exchange(azure.assertion(), client_id=application["appId"])
    assert _refusal(response) == (401, "invalid_client", 7000229)
    assert f"The client application {application['appId']} is missing service principal" in response.text


@pytest.mark.parametrize("assertion", ["x", "x.y.z"])
def test_an_assertion_that_is_no_token_is_refused(assertion: str) -> None:
    assert _refusal(Login().exchange(assertion)) == (401, "invalid_client", 50027)


def test_the_assertions_type_must_be_named() -> None:
    azure = Login()
    azure.trust()
    assert _refusal(azure.exchange(azure.assertion(), client_assertion_type="saml")) == (401, "invalid_client", 700023)


def test_a_credential_takes_effect_when_replicas_see_it() -> None:
    azure = Login(graph_replication_seconds=A_WHILE)
    body = {**CREDENTIAL, "issuer": azure.cluster.issuer_url}
    azure.directory.create_credential(Key("id", azure.application["id"]), body)
    assert _refusal(azure.exchange(azure.assertion()))[2] == 700211
    time.sleep(A_WHILE)
    assert azure.exchange(azure.assertion()).status_code == 200


def test_no_request_is_a_write_or_leaves_a_secret_in_the_log() -> None:
    azure = Login()
    azure.trust()
    assertion = azure.assertion()
    azure.token()
    azure.exchange(assertion)
    assert writes(azure.world) == []
    log = str(azure.world.log.since())
    assert CONTROLLER_CLIENT_SECRET not in log
    assert assertion not in log
    assert [request.operation for request in azure.world.log.since()] == ["GetToken", "GetToken"]


@pytest.mark.parametrize("disabled", [{"accountEnabled": False}, {"isDisabled": True}])
def test_a_disabled_service_principal_gets_no_token(disabled: Json) -> None:
    azure = Login()
    azure.trust()
    azure.directory.update_service_principal(Key("id", azure.principal["id"]), disabled)
    response = azure.exchange(azure.assertion())
    assert _refusal(response) == (400, "unauthorized_client", 7000112)
    assert f"Application '{azure.application['appId']}'(one) is disabled." in response.text


@pytest.mark.parametrize("claims", [{"iss": "https://other/"}, {"sub": "other"}, {"aud": "other"}])
def test_one_code_for_every_mismatch_as_tenants_once_had(claims: Json) -> None:
    azure = Login(entra_single_mismatch_code=True)
    azure.trust()
    response = azure.exchange(azure.assertion(**claims))
    assert _refusal(response) == (400, "invalid_request", 70021)
    assert f"Assertion Subject: '{claims.get('sub', _SUBJECT)}'" in response.text
    assert azure.exchange(azure.assertion()).status_code == 200


@pytest.mark.parametrize(("code", "text"), [(53003, "Conditional Access"), (7002137, _SUBJECT), (99, "refused")])
def test_a_refusal_for_a_reason_outside_of_the_sandbox(code: int, text: str) -> None:
    azure = Login(entra_refusal_code=code)
    azure.trust()
    response = azure.exchange(azure.assertion())
    assert _refusal(response) == (400, "unauthorized_client", code)
    assert text in response.text
    assert azure.token().status_code == 200
