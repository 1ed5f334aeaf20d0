# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The canonical issuer, from documents as good and bad servers publish them."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient, Response
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.oidc_discovery import NotPublished, discover
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import FederationError
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Transport

ISSUER = "https://westeurope.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/d85c7db7/"


class Server(HttpClient):
    """Answers every request with one answer, and notes what it was asked for."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(Transport())
        self.answer = Response(status, {}, body.encode())
        self.urls: list[str] = []

    def request(self, method: str, url: str, **_options: t.Any) -> Response:
        assert method == "GET"
        self.urls.append(url)
        return self.answer


def publishing(issuer: object, jwks_uri: object = ISSUER + "openid/v1/jwks") -> Server:
    return Server(200, json.dumps({"issuer": issuer, "jwks_uri": jwks_uri}))


def test_the_issuer_is_the_documents_verbatim() -> None:
    server = publishing(ISSUER)
    found = discover(server, ISSUER)
    assert (found.issuer.url, found.jwks_uri) == (ISSUER, ISSUER + "openid/v1/jwks")
    assert server.urls == [ISSUER + ".well-known/openid-configuration"]


@pytest.mark.parametrize(("shown", "published"), [(ISSUER[:-1], ISSUER), (ISSUER, ISSUER[:-1])])
def test_one_trailing_slash_more_or_less_is_tolerated_and_the_document_wins(shown: str, published: str) -> None:
    assert discover(publishing(published), shown).issuer.url == published


@pytest.mark.parametrize("published", [ISSUER.upper().replace("HTTPS", "https"), ISSUER + "/", "https://example.net/"])
def test_any_other_issuer_is_refused_with_both(published: str) -> None:
    with pytest.raises(errors.Refused) as caught:
        discover(publishing(published), ISSUER)
    assert published in caught.value.message
    assert f"not '{ISSUER}'" in caught.value.message


def test_a_missing_document_says_where_it_was_looked_for() -> None:
    with pytest.raises(NotPublished) as caught:
        discover(Server(404, "no such issuer"), ISSUER)
    assert "HTTP 404" in caught.value.message
    assert ISSUER + ".well-known/openid-configuration" in caught.value.message


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<html>log in to the network</html>", "not JSON"),
        ("[]", "lacks issuer or jwks_uri"),
        (json.dumps({"issuer": ISSUER}), "lacks issuer or jwks_uri"),
        (json.dumps({"issuer": ISSUER, "jwks_uri": "http://x/jwks"}), "not https"),
    ],
)
def test_a_document_that_is_none_is_an_error(body: str, reason: str) -> None:
    with pytest.raises(errors.CloudError, match=reason):
        discover(Server(200, body), ISSUER)


def test_a_url_that_no_cloud_can_trust_is_refused_before_any_request() -> None:
    server = publishing(ISSUER)
    with pytest.raises(FederationError):
        discover(server, "http://example.net/")
    assert server.urls == []
