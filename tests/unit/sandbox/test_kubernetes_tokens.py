# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service accounts' tokens, reviews and the issuer's documents."""

from __future__ import annotations

import datetime as dt
import time
import typing as t

import jwt
import pytest

from tests.unit.sandbox.kubernetes_support import FQDN, MONITORING, Api, new_api, pod_spec, service_account

TOKEN = f"{MONITORING}/serviceaccounts/prometheus-sa/token"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
Json = dict[str, t.Any]


@pytest.fixture
def api() -> Api:
    api = new_api()
    api.server.seed(service_account())
    return api


def request(**spec: t.Any) -> Json:
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}


def token_of(api: Api, **spec: t.Any) -> str:
    return str(api.post(TOKEN, request(**spec))["status"]["token"])


def claims_of(token: str) -> Json:
    claims: Json = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_a_token_says_who_and_for_whom(api: Api) -> None:
    account = api.get(f"{MONITORING}/serviceaccounts/prometheus-sa")
    before = int(time.time())
    answer = api.post(TOKEN, request(audiences=["sts.amazonaws.com"], expirationSeconds=600))
    after = int(time.time())
    assert (answer["kind"], answer["apiVersion"]) == ("TokenRequest", "authentication.k8s.io/v1")
    assert (answer["metadata"]["name"], answer["metadata"]["namespace"]) == ("prometheus-sa", "monitoring")
    assert answer["spec"] == {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600, "boundObjectRef": None}
    claims = claims_of(answer["status"]["token"])
    assert before <= claims["iat"] <= after
    assert claims["exp"] - claims["iat"] == 600
    assert claims["nbf"] == claims["iat"]
    expires = dt.datetime.fromisoformat(answer["status"]["expirationTimestamp"])
    assert expires.timestamp() == claims["exp"]
    assert len(claims["jti"]) == 36
    assert claims["aud"] == ["sts.amazonaws.com"]
    assert claims["iss"] == api.cluster.issuer_url
    assert claims["iss"].endswith("/")
    assert claims["sub"] == "system:serviceaccount:monitoring:prometheus-sa"
    assert claims["kubernetes.io"] == {
        "namespace": "monitoring",
        "serviceaccount": {"name": "prometheus-sa", "uid": account["metadata"]["uid"]},
    }


def test_a_token_is_signed_by_the_clusters_key(api: Api) -> None:
    token = token_of(api, audiences=["sts.amazonaws.com"])
    header = jwt.get_unverified_header(token)
    keys = api.get("/openid/v1/jwks")["keys"]
    key = next(key for key in keys if key["kid"] == header["kid"])
    assert (header["alg"], key["alg"], key["use"]) == ("RS256", "RS256", "sig")
    jwt.decode(token, jwt.PyJWK(key), algorithms=["RS256"], audience="sts.amazonaws.com")


def test_without_the_oidc_issuer_the_api_server_issues() -> None:
    api = new_api(issuer=False)
    api.server.seed(service_account())
    assert claims_of(token_of(api))["iss"] == f"https://{FQDN}"
    api.cluster.body["properties"]["oidcIssuerProfile"] = {"enabled": True}
    assert claims_of(token_of(api))["iss"] == api.cluster.issuer_url


def test_without_audiences_the_token_is_for_the_api_server(api: Api) -> None:
    answer = api.post(TOKEN, request())
    assert answer["spec"]["expirationSeconds"] == 3600
    assert (
        claims_of(answer["status"]["token"])["aud"] == answer["spec"]["audiences"] == [f"https://{FQDN}", f'"{FQDN}"']
    )


@pytest.mark.parametrize("seconds", [599, 0, -1, 2**32 + 1])
def test_lifetimes_have_limits(api: Api, seconds: int) -> None:
    response = api.call("POST", TOKEN, request(expirationSeconds=seconds))
    status = api.refused(response, 422, "Invalid")
    assert status["message"].startswith(
        f'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: {seconds}: may not'
    )


def test_more_than_a_day_is_shortened(api: Api) -> None:
    response = api.call("POST", TOKEN, request(expirationSeconds=86401))
    claims = claims_of(api.good(response, 201)["status"]["token"])
    assert claims["exp"] - claims["iat"] == 86400
    assert response.headers["Warning"] == '299 - "requested expiration of 86401 seconds shortened to 86400 seconds"'


def test_there_must_be_a_service_account(api: Api) -> None:
    response = api.call("POST", f"{MONITORING}/serviceaccounts/other/token", request())
    status = api.refused(response, 404, "NotFound")
    assert status["message"] == 'serviceaccounts "other" not found'
    response = api.call("POST", "/api/v1/namespaces/nowhere/serviceaccounts/other/token", request())
    assert api.refused(response, 404, "NotFound")["message"] == 'namespaces "nowhere" not found'


def test_a_token_request_is_no_write(api: Api) -> None:
    before = api.get(f"{MONITORING}/serviceaccounts/prometheus-sa")
    token_of(api)
    assert api.get(f"{MONITORING}/serviceaccounts/prometheus-sa") == before
    logged = api.world.log.since()[-2]
    assert (logged.operation, logged.status, logged.write) == ("create serviceaccounts/token", 201, False)


def test_a_token_can_be_bound_to_a_pod(api: Api) -> None:
    spec = pod_spec() | {"serviceAccountName": "prometheus-sa"}
    uid = api.post(f"{MONITORING}/pods", {"metadata": {"name": "one"}, "spec": spec})["metadata"]["uid"]
    reference = {"kind": "Pod", "apiVersion": "v1", "name": "one"}
    assert claims_of(token_of(api, boundObjectRef=reference))["kubernetes.io"]["pod"] == {"name": "one", "uid": uid}
    wrong = api.call("POST", TOKEN, request(boundObjectRef=reference | {"uid": "other"}))
    assert "does not match the UID in record" in api.refused(wrong, 409, "Conflict")["message"]
    missing = api.call("POST", TOKEN, request(boundObjectRef=reference | {"name": "two"}))
    api.refused(missing, 404, "NotFound")
    node = api.call("POST", TOKEN, request(boundObjectRef=reference | {"kind": "Node"}))
    api.refused(node, 400, "BadRequest")
    other = api.call("POST", f"{MONITORING}/serviceaccounts/default/token", request(boundObjectRef=reference))
    assert "different serviceaccount name" in api.refused(other, 400, "BadRequest")["message"]


def test_a_token_request_must_be_about_its_service_account(api: Api) -> None:
    response = api.call("POST", TOKEN, request() | {"metadata": {"name": "other"}})
    assert list(api.invalid(response)) == ["metadata.name"]


def test_the_subresource_takes_posts_only(api: Api) -> None:
    for method in ("GET", "PUT", "DELETE"):
        api.refused(api.call(method, TOKEN), 405, "MethodNotAllowed")


# --- tokens in use ----------------------------------------------------------------------------------------------------


def test_a_service_account_can_use_its_token(api: Api) -> None:
    api.token = token_of(api)
    me = api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {})["status"]["userInfo"]
    assert me["username"] == "system:serviceaccount:monitoring:prometheus-sa"
    assert "system:serviceaccounts:monitoring" in me["groups"]
    status = api.refused(api.call("GET", f"{MONITORING}/pods"), 403, "Forbidden")
    assert 'User "system:serviceaccount:monitoring:prometheus-sa" cannot list' in status["message"]
    assert api.get("/openid/v1/jwks")["keys"]


def test_a_token_for_somebody_else_is_no_credential(api: Api) -> None:
    api.token = token_of(api, audiences=["sts.amazonaws.com"])
    api.refused(api.call("GET", "/version"), 401, "Unauthorized")


def test_a_token_dies_with_its_service_account(api: Api) -> None:
    token = token_of(api)
    api.delete(f"{MONITORING}/serviceaccounts/prometheus-sa")
    api.server.seed(service_account())
    api.token = token
    api.refused(api.call("GET", "/version"), 401, "Unauthorized")


def test_a_forged_token_is_no_credential(api: Api) -> None:
    stranger = new_api()
    stranger.server.seed(service_account())
    api.token = token_of(stranger)
    api.refused(api.call("GET", "/version"), 401, "Unauthorized")


def test_token_reviews(api: Api) -> None:
    token = token_of(api, audiences=["sts.amazonaws.com", "other"])
    status = api.post(REVIEWS, {"spec": {"token": token, "audiences": ["sts.amazonaws.com", "third"]}})["status"]
    assert status["authenticated"] is True
    assert status["audiences"] == ["sts.amazonaws.com"]
    assert status["user"]["username"] == "system:serviceaccount:monitoring:prometheus-sa"
    status = api.post(REVIEWS, {"spec": {"token": token}})["status"]
    assert "authenticated" not in status
    assert "invalid bearer token" in status["error"]
    status = api.post(REVIEWS, {"spec": {"token": api.server.controller_token}})["status"]
    assert (status["authenticated"], status["user"]["username"]) == (True, "clusterAdmin")
    assert "error" in api.post(REVIEWS, {"spec": {"token": "x"}})["status"]
    assert list(api.invalid(api.call("POST", REVIEWS, {"spec": {}}))) == ["spec.token"]
    assert api.writes() == []


# --- the issuer's documents -------------------------------------------------------------------------------------------


def test_the_discovery_document_names_the_issuer(api: Api) -> None:
    document = api.get("/.well-known/openid-configuration")
    assert document == {
        "issuer": api.cluster.issuer_url,
        "jwks_uri": f"{api.cluster.issuer_url}openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }
    assert api.call("GET", "/openid/v1/jwks").content_type == "application/jwk-set+json"


def test_the_discovery_document_of_a_cluster_without_the_oidc_issuer() -> None:
    document = new_api(issuer=False).get("/.well-known/openid-configuration")
    assert document["issuer"] == f"https://{FQDN}"
    assert document["jwks_uri"] == f"https://{FQDN}:443/openid/v1/jwks"
