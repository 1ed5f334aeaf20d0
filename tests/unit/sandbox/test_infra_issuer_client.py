# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the sandbox's STS and IAM reach the issuers."""

from __future__ import annotations

import ssl
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Transport
from sandbox.issuer_client import IssuerClient
from sandbox.tls import Authority

if t.TYPE_CHECKING:
    from sandbox.server import Sandbox


@pytest.fixture
def client(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> IssuerClient:
    """A client on a machine whose own settings would lead it astray."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, "/nonexistent")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return IssuerClient(sandbox.authority, sandbox.proxy_url)


def test_documents_are_read(sandbox: Sandbox, client: IssuerClient) -> None:
    issuer = sandbox.cluster("finished").issuer_url
    document = client.fetch(f"{issuer}.well-known/openid-configuration")
    assert document["issuer"] == issuer
    assert len(client.fetch(document["jwks_uri"])["keys"]) == 1


def test_the_log_tells_its_requests_from_those_of_clients(sandbox: Sandbox, client: IssuerClient) -> None:
    document = f"{sandbox.cluster('finished').issuer_url}.well-known/openid-configuration"
    http = HttpClient(Transport(sandbox.proxy_url, str(sandbox.ca_file)))
    assert http.request("GET", document, service="test", action="reading").status == 200
    client.fetch(document)
    assert [request.internal for request in sandbox.world.log.since()[-2:]] == [False, True]


def test_the_thumbprint_is_the_intermediates(sandbox: Sandbox, client: IssuerClient) -> None:
    assert client.top_thumbprint(sandbox.cluster("finished").issuer_url) == sandbox.authority.intermediate_thumbprint


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://issuer.example.com/", "403"),
        ("https://eastus.oic.prod-aks.azure.com:8443/", "403"),
        ("https://eastus.oic.prod-aks.azure.com/no/such/", "404"),
        ("http://eastus.oic.prod-aks.azure.com/", "not the https URL"),
        ("https:///path", "not the https URL"),
    ],
)
def test_what_is_not_there_is_an_error(client: IssuerClient, url: str, reason: str) -> None:
    with pytest.raises(OSError, match=reason):
        client.fetch(url)


def test_a_foreign_hosts_thumbprint_is_an_error(client: IssuerClient) -> None:
    with pytest.raises(OSError, match="403"):
        client.top_thumbprint("https://issuer.example.com/")


def test_a_certificate_of_another_authority_is_an_error(sandbox: Sandbox) -> None:
    client = IssuerClient(Authority(), sandbox.proxy_url)
    issuer = sandbox.cluster("finished").issuer_url
    with pytest.raises(ssl.SSLCertVerificationError):
        client.fetch(issuer)
    with pytest.raises(ssl.SSLCertVerificationError):
        client.top_thumbprint(issuer)
