# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which credential azure-identity is asked for, what reaches its pipelines, and how failed logins read."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.server
import json
import socket
import threading
import typing as t
import urllib.parse

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.identity import (
    AzureCliCredential,
    CertificateCredential,
    ChainedTokenCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    CredentialUnavailableError,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.azure import (
    CLOUDS,
    AzureSession,
    cloud_of,
    login_errors,
    transport_options,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AZURE, AzureAuth, Transport
from sandbox.testing import running_sandbox
from sandbox.world import CONTROLLER_CLIENT_ID
from tests.unit.plugins.azure_estate import AzureEstate

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azure.core.credentials import TokenCredential

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT = "5f6e2d9c-3c1a-4b7e-9d43-0a8c1b2f7e11"
SECRET = "unit-test-secret"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No identity and no Azure CLI of the machine that runs the tests."""
    for name in (
        "AZURE_CLIENT_ID",
        "AZURE_TENANT_ID",
        "AZURE_FEDERATED_TOKEN_FILE",
        "IDENTITY_ENDPOINT",
        "IDENTITY_HEADER",
        "MSI_ENDPOINT",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture(scope="module")
def estate() -> Iterator[AzureEstate]:
    with running_sandbox() as sandbox:
        yield AzureEstate(sandbox)


def credential(environ: dict[str, str] | None = None, **values: t.Any) -> TokenCredential:
    return AzureSession(AzureAuth(Transport(), **values), environ or {}).credential


def certificate_file(path: Path, password: str | None = None) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "unit test")])
    begin, end = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begin, end)
    certificate = builder.sign(key, hashes.SHA256())
    text = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption(),
    )
    path.write_bytes(text)
    return str(path)


# Where credentials come from


def test_the_cloud_table_has_every_choice_of_the_option() -> None:
    assert sorted(CLOUDS) == sorted(AZURE.options["cloud_environment"]["choices"])


def test_a_secret_wins_over_a_federated_token() -> None:
    found = credential({"AZURE_FEDERATED_TOKEN": "x"}, tenant=TENANT, client_id=CLIENT, secret=SECRET)
    assert isinstance(found, ClientSecretCredential)


@pytest.mark.parametrize("source", ["auto", "env"])
def test_each_kind_of_service_principal_is_recognised(source: str, tmp_path: Path) -> None:
    who: dict[str, t.Any] = {"tenant": TENANT, "client_id": CLIENT, "auth_source": source}
    assert isinstance(credential(**who, secret=SECRET), ClientSecretCredential)
    (tmp_path / "token").write_text("token", encoding="ascii")
    token_file = {"AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token")}
    assert isinstance(credential(token_file, **who), WorkloadIdentityCredential)
    by_token = credential({"AZURE_FEDERATED_TOKEN": "token"}, **who)
    assert isinstance(by_token, ClientAssertionCredential)
    assert not isinstance(by_token, WorkloadIdentityCredential)


def test_a_certificate_is_used_and_a_bad_one_is_named(tmp_path: Path) -> None:
    who: dict[str, t.Any] = {"tenant": TENANT, "client_id": CLIENT}
    pem = certificate_file(tmp_path / "sp.pem")
    assert isinstance(credential(**who, certificate_path=pem), CertificateCredential)
    with pytest.raises(errors.InvalidInput, match=r"x509_certificate_path: .*none\.pem can't be used"):
        credential(**who, certificate_path=str(tmp_path / "none.pem"))


def test_a_certificates_password_is_needed_and_never_shown(tmp_path: Path) -> None:
    who: dict[str, t.Any] = {"tenant": TENANT, "client_id": CLIENT}
    pem = certificate_file(tmp_path / "sp.pem", "pass-phrase")
    good = credential(**who, certificate_path=pem, certificate_password="pass-phrase")
    assert isinstance(good, CertificateCredential)
    for wrong in (None, "other-phrase"):
        with pytest.raises(errors.InvalidInput, match=r"sp\.pem can't be used") as caught:
            credential(**who, certificate_path=pem, certificate_password=wrong)
        assert "x509_certificate_password" in caught.value.fix
        assert "phrase" not in caught.value.message


def test_without_a_service_principal_the_machine_and_then_the_cli_are_asked() -> None:
    chain = credential()
    assert isinstance(chain, ChainedTokenCredential)
    assert [type(one) for one in chain.credentials] == [ManagedIdentityCredential, AzureCliCredential]


def test_one_source_can_be_chosen() -> None:
    assert isinstance(credential(auth_source="cli", secret=SECRET), AzureCliCredential)
    assert isinstance(credential(auth_source="msi", client_id=CLIENT), ManagedIdentityCredential)


def test_each_way_of_a_service_principal_can_be_chosen_whatever_else_is_given(tmp_path: Path) -> None:
    everything: dict[str, t.Any] = {
        "tenant": TENANT,
        "client_id": CLIENT,
        "secret": SECRET,
        "certificate_path": certificate_file(tmp_path / "sp.pem"),
    }
    token = {"AZURE_FEDERATED_TOKEN": "token"}
    for source, kind in (
        ("client_secret", ClientSecretCredential),
        ("certificate", CertificateCredential),
        ("workload_identity", ClientAssertionCredential),
    ):
        assert isinstance(credential(token, auth_source=source, **everything), kind)


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("client_secret", r"no secret \(AZURE_CLIENT_SECRET\)"),
        ("certificate", "no x509_certificate_path"),
        ("workload_identity", "no AZURE_FEDERATED_TOKEN_FILE nor AZURE_FEDERATED_TOKEN"),
    ],
)
def test_a_chosen_way_that_is_not_given_is_named(source: str, missing: str) -> None:
    with pytest.raises(errors.MissingCredentials, match=f"auth_source is {source}, but there is {missing}"):
        credential(auth_source=source, tenant=TENANT, client_id=CLIENT)


# Clouds and endpoints


def auth(**values: t.Any) -> AzureAuth:
    return AzureAuth(Transport(), **values)


def test_endpoints_take_the_place_of_the_clouds_own() -> None:
    own = cloud_of(
        auth(
            cloud_environment="AzureUSGovernment",
            authority_host="https://login.example/",
            arm_endpoint="arm.example",
            graph_endpoint="https://Graph.example:8443",
        )
    )
    assert (own.login, own.arm, own.graph) == ("login.example", "arm.example", "graph.example:8443")
    government = CLOUDS["AzureUSGovernment"]
    assert (own.arm_scope, own.graph_scope) == (government.arm_scope, government.graph_scope)
    assert cloud_of(auth()) == CLOUDS["AzureCloud"]


def test_microsofts_other_graph_roots_get_tokens_for_themselves() -> None:
    dod = cloud_of(auth(cloud_environment="AzureUSGovernment", graph_endpoint="https://dod-graph.microsoft.us"))
    assert dod.graph_scope == "https://dod-graph.microsoft.us/.default"


@pytest.mark.parametrize("option", ["authority_host", "arm_endpoint", "graph_endpoint"])
@pytest.mark.parametrize(
    "value",
    [
        "http://x",
        "https://",
        "https://x/path",
        "https://x?a=b",
        "https://user@x",
        "https://x:port",
        "x y",
        "https://[x",
    ],
)
def test_an_endpoint_that_is_none_is_named(option: str, value: str) -> None:
    with pytest.raises(errors.InvalidInput, match=f"{option} is '.*', which is not an https URL"):
        cloud_of(auth(**{option: value}))


def test_nothing_given_says_what_could_be_given() -> None:
    with pytest.raises(errors.MissingCredentials) as caught:
        credential(auth_source="env")
    assert "AZURE_CLIENT_ID, AZURE_TENANT_ID" in caught.value.fix
    assert "x509_certificate_path" in caught.value.fix


@pytest.mark.parametrize(
    ("values", "missing"),
    [({"tenant": TENANT}, r"client_id \(AZURE_CLIENT_ID\)"), ({"client_id": CLIENT}, r"tenant \(AZURE_TENANT_ID\)")],
)
def test_half_a_service_principal_says_which_half_is_missing(values: dict[str, t.Any], missing: str) -> None:
    with pytest.raises(errors.MissingCredentials, match=missing):
        credential(secret=SECRET, **values)


# What reaches the pipelines


@pytest.mark.parametrize("tenant", ["bad tenant", "contoso/onmicrosoft.com", "{{ tenant }}"])
def test_a_tenant_that_is_none_is_named(tenant: str) -> None:
    with pytest.raises(errors.InvalidInput, match=r"tenant \(AZURE_TENANT_ID\) is '.*', which is no tenant"):
        credential(tenant=tenant, client_id=CLIENT, secret="unit-test-secret")


def test_proxy_and_roots_reach_every_pipeline(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("", encoding="ascii")
    options = transport_options(Transport("http://proxy.example:3128", str(bundle)))
    assert options == {"proxies": {"https": "http://proxy.example:3128"}, "connection_verify": str(bundle)}
    assert transport_options(Transport()) == {}
    with pytest.raises(errors.InvalidInput, match="ca_bundle: there is no file"):
        transport_options(Transport(None, str(tmp_path / "none.pem")))


def test_a_login_goes_through_the_proxy_and_costs_no_instance_discovery(estate: AzureEstate) -> None:
    before = estate.last_request()
    token = estate.session().credential.get_token("https://graph.microsoft.com/.default")
    assert token.token
    assert {one.service for one in estate.requests(since=before)} == {"login"}
    assert not any("instance" in one.path for one in estate.requests(since=before))


def test_a_federated_token_logs_in(estate: AzureEstate, tmp_path: Path) -> None:
    cluster = estate.sandbox.cluster("finished")
    application = estate.sandbox.directory.seed_application("federated")
    estate.sandbox.directory.seed_service_principal(application["appId"])
    trust = {"name": "login", "issuer": cluster.issuer_url, "subject": "s", "audiences": ["api://x"]}
    estate.sandbox.directory.seed_federated_credential(application["id"], trust)
    claims = {"iss": cluster.issuer_url, "sub": "s", "aud": ["api://x"], "exp": 4102444800, "iat": 0, "nbf": 0}
    token = cluster.signing_key.sign(claims)
    file = tmp_path / "token"
    file.write_text(token, encoding="ascii")
    for environ in ({"AZURE_FEDERATED_TOKEN": token}, {"AZURE_FEDERATED_TOKEN_FILE": str(file)}):
        auth = estate.auth(secret=None, client_id=application["appId"])
        assert AzureSession(auth, environ).credential.get_token("https://graph.microsoft.com/.default").token


@pytest.mark.parametrize("cloud", sorted(CLOUDS))
def test_a_certificate_logs_in_to_each_cloud(estate: AzureEstate, tmp_path: Path, cloud: str) -> None:
    pem = certificate_file(tmp_path / "sp.pem", "pass-phrase")
    values: dict[str, t.Any] = {
        "secret": None,
        "certificate_path": pem,
        "certificate_password": "pass-phrase",
        "cloud_environment": cloud,
    }
    session = estate.session(**values)
    with pytest.raises(ClientAuthenticationError, match="AADSTS700027"):  # nobody has registered it
        session.credential.get_token(session.cloud.graph_scope)
    registered = (tmp_path / "sp.pem").read_text(encoding="ascii")
    estate.sandbox.world.client_certificates[CONTROLLER_CLIENT_ID] = [registered]
    for scope in (session.cloud.graph_scope, session.cloud.arm_scope):
        assert estate.session(**values).credential.get_token(scope).token


def test_the_azure_clis_login_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"accessToken": "token-of-az", "expires_on": 4102444800, "tenant": TENANT}
    az = tmp_path / "az"
    az.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n", encoding="ascii")
    az.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    found = credential(auth_source="cli", tenant=TENANT).get_token("https://graph.microsoft.com/.default")
    assert found.token == "token-of-az"


def test_a_user_assigned_managed_identity_is_asked_for_by_its_client_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the protocol of App Service, the one of a managed identity's endpoints that can be anywhere."""
    with managed_identity_endpoint() as (url, queries):
        monkeypatch.setenv("IDENTITY_ENDPOINT", url)
        monkeypatch.setenv("IDENTITY_HEADER", "header-secret")
        found = credential(auth_source="msi", client_id=CLIENT).get_token("https://graph.microsoft.com/.default")
    assert found.token == "token-of-msi"
    (query,) = queries
    assert (query["client_id"], query["resource"]) == ([CLIENT], ["https://graph.microsoft.com"])


@contextlib.contextmanager
def managed_identity_endpoint() -> Iterator[tuple[str, list[dict[str, list[str]]]]]:
    queries: list[dict[str, list[str]]] = []

    class Endpoint(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.headers["X-IDENTITY-HEADER"] == "header-secret"
            queries.append(urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query))
            answer = {
                "access_token": "token-of-msi",
                "expires_on": "4102444800",
                "token_type": "Bearer",
                "resource": "r",
            }
            body = json.dumps(answer).encode("ascii")
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/msi/token", queries
        finally:
            server.shutdown()


# How failed logins read


def log_in(auth: AzureAuth) -> None:
    session = AzureSession(auth, {})
    with login_errors("Microsoft Graph", "reading the application x"):
        session.credential.get_token("https://graph.microsoft.com/.default")


def test_a_wrong_secret_is_one_sentence_with_entras_code_and_without_the_secret(estate: AzureEstate) -> None:
    with pytest.raises(errors.CloudError) as caught:
        log_in(estate.auth(secret="wrong-secret"))
    error = caught.value
    assert (error.service, error.code) == ("Microsoft Entra ID", "AADSTS7000215")
    assert error.detail.startswith("Invalid client secret provided.")
    assert error.request_id
    assert "wrong-secret" not in error.sentence()
    assert "Trace ID" not in error.sentence()
    assert "not its ID, in secret (AZURE_CLIENT_SECRET)" in error.fix


def test_an_unknown_client_says_which_options_to_check(estate: AzureEstate) -> None:
    with pytest.raises(errors.CloudError) as caught:
        log_in(estate.auth(client_id="00000000-0000-0000-0000-00000000dead"))
    assert caught.value.code in {"AADSTS700016", "AADSTS7000215"}
    assert caught.value.fix


def test_an_unreachable_login_service_is_named() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens
        proxy = f"http://127.0.0.1:{closed.getsockname()[1]}"
        auth = AzureAuth(Transport(proxy), tenant=TENANT, client_id=CLIENT, secret=SECRET)
        session = AzureSession(auth, {})
        with (
            pytest.raises(errors.Unreachable, match="Microsoft Entra ID failed while logging in") as caught,
            login_errors("Microsoft Graph", "reading the application x"),
        ):
            session.credential.get_token("https://graph.microsoft.com/.default", retry_total=0)
    assert "https_proxy" in caught.value.fix


def test_a_missing_token_file_is_a_missing_credential(tmp_path: Path) -> None:
    environ = {"AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "none")}
    with pytest.raises(errors.MissingCredentials, match=r"AZURE_FEDERATED_TOKEN_FILE names .*none, which is no file"):
        credential(environ, tenant=TENANT, client_id=CLIENT)


def test_a_machine_without_a_login_is_told_all_ways() -> None:
    with (
        pytest.raises(errors.MissingCredentials) as caught,
        login_errors("Microsoft Graph", "reading the application x"),
    ):
        credential(auth_source="cli").get_token("https://graph.microsoft.com/.default")
    assert "Azure CLI not found" in caught.value.message
    for way in ("AZURE_CLIENT_SECRET", "az login", "managed identity"):
        assert way in caught.value.fix


def test_a_failed_chain_lists_what_was_tried() -> None:
    text = (
        "ChainedTokenCredential failed to retrieve a token from the included credentials.\n"
        "Attempted credentials:\n\tManagedIdentityCredential: no response.\n"
        "\tAzureCliCredential: Please run 'az login'\n"
        "To mitigate this issue, please refer to the troubleshooting guidelines here at https://aka.ms/x."
    )
    with pytest.raises(errors.MissingCredentials) as caught, login_errors("Microsoft Graph", "reading x"):
        raise ClientAuthenticationError(message=text)
    assert caught.value.message == (
        "No Azure credentials for reading x: ManagedIdentityCredential: no response; "
        "AzureCliCredential: Please run 'az login'."
    )


def test_a_network_failure_of_the_service_itself_is_unreachable() -> None:
    with (
        pytest.raises(errors.Unreachable, match="Microsoft Graph failed while reading x: no route"),
        login_errors("Microsoft Graph", "reading x"),
    ):
        raise ServiceRequestError("no\n route")


def test_an_unavailable_credential_is_a_missing_one() -> None:
    with (
        pytest.raises(errors.MissingCredentials, match="No Azure credentials for reading x: no identity"),
        login_errors("Microsoft Graph", "reading x"),
    ):
        raise CredentialUnavailableError("no identity.")
