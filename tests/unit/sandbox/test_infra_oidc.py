# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clusters' issuers, reached by AKS's host names."""

from __future__ import annotations

import typing as t

import jwt
import pytest

if t.TYPE_CHECKING:
    import requests

    from sandbox.server import Sandbox


def test_discovery_has_the_shape_of_aks(sandbox: Sandbox, web: requests.Session) -> None:
    issuer = sandbox.cluster("finished").issuer_url
    assert issuer.startswith("https://northeurope.oic.prod-aks.azure.com/")
    assert issuer.endswith("/")
    response = web.get(f"{issuer}.well-known/openid-configuration")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.json() == {
        "issuer": issuer,
        "jwks_uri": f"{issuer}openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }


def test_a_clusters_token_verifies_by_its_published_keys(sandbox: Sandbox, web: requests.Session) -> None:
    cluster = sandbox.cluster("finished")
    token = cluster.signing_key.sign({"iss": cluster.issuer_url, "aud": ["x"], "sub": "y"})
    keys = jwt.PyJWKSet.from_dict(web.get(f"{cluster.issuer_url}openid/v1/jwks").json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, algorithms=["RS256"], audience="x", issuer=cluster.issuer_url)["sub"] == "y"


def test_each_cluster_has_its_own_key(sandbox: Sandbox, web: requests.Session) -> None:
    documents = [
        web.get(f"{sandbox.cluster(name).issuer_url}openid/v1/jwks").json() for name in ("halfdone", "finished")
    ]
    assert documents[0] != documents[1]


@pytest.mark.parametrize("path", [".well-known/openid-configuration", "openid/v1/jwks"])
def test_an_issuer_that_is_off_is_not_found(sandbox: Sandbox, web: requests.Session, path: str) -> None:
    cluster = sandbox.cluster("fresh")
    assert web.get(cluster.issuer_url + path).status_code == 404
    cluster.body["properties"]["oidcIssuerProfile"] = {"enabled": True}
    assert web.get(cluster.issuer_url + path).status_code == 200


def test_only_the_exact_issuer_is_found(sandbox: Sandbox, web: requests.Session) -> None:
    issuer = sandbox.cluster("finished").issuer_url
    document = ".well-known/openid-configuration"
    for wrong in (
        f"{issuer}/{document}",
        f"{issuer.replace('northeurope', 'eastus')}{document}",
        f"{issuer.upper().replace('HTTPS', 'https').replace('NORTHEUROPE', 'northeurope')}{document}",
    ):
        assert web.get(wrong).status_code == 404, wrong


def test_requests_are_logged_as_reads(sandbox: Sandbox, web: requests.Session) -> None:
    issuer = sandbox.cluster("finished").issuer_url
    web.get(f"{issuer}.well-known/openid-configuration")
    web.get(f"{issuer}openid/v1/jwks")
    logged = sandbox.world.log.since()
    assert [(r.service, r.operation, r.status, r.write) for r in logged] == [
        ("oidc", "OpenIdConfiguration", 200, False),
        ("oidc", "JsonWebKeySet", 200, False),
    ]
