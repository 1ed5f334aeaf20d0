# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authentication, authorization and access reviews."""

from __future__ import annotations

import typing as t

import pytest

from sandbox.kubernetes import Rule
from tests.unit.sandbox.kubernetes_support import (
    DEPLOYMENTS,
    MERGE,
    MONITORING,
    Api,
    config_map,
    new_api,
    service_account,
)

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
Json = dict[str, t.Any]


@pytest.fixture
def api() -> Api:
    return new_api()


def allowed(api: Api, **about: str) -> bool:
    answer = api.post(REVIEWS, {"spec": {"resourceAttributes": about}})
    assert answer["spec"]["resourceAttributes"] == about
    return bool(answer["status"]["allowed"])


@pytest.mark.parametrize("path", ["/version", "/healthz", "/api/v1/namespaces", "/openid/v1/jwks", "/nowhere"])
@pytest.mark.parametrize("header", ["", "Bearer wrong", "Bearer ", "Basic YTpi", "Bearer a.b.c"])
def test_nobody_is_anonymous(api: Api, path: str, header: str) -> None:
    body = api.refused(api.call("GET", path, Authorization=header), 401, "Unauthorized")
    assert body["message"] == "Unauthorized"
    assert "details" not in body


def test_the_controllers_token_is_the_clusters(api: Api) -> None:
    assert api.server.controller_token == api.cluster.admin_token
    assert api.server.controller_token != api.server.unprivileged_token


def test_the_unprivileged_user_may_look_at_namespaces(api: Api) -> None:
    api.token = api.server.unprivileged_token
    assert api.get("/api/v1/namespaces")["items"]
    assert api.get("/api/v1/namespaces/monitoring")["metadata"]["name"] == "monitoring"
    assert api.get("/version")["major"] == "1"
    assert allowed(api, verb="list", resource="namespaces")
    assert not allowed(api, verb="create", resource="namespaces")


@pytest.mark.parametrize(
    ("method", "path", "message", "details"),
    [
        (
            "GET",
            f"{MONITORING}/serviceaccounts/prometheus-sa",
            (
                'serviceaccounts "prometheus-sa" is forbidden: User "sandbox-unprivileged" cannot get resource'
                ' "serviceaccounts" in API group "" in the namespace "monitoring"'
            ),
            {"name": "prometheus-sa", "kind": "serviceaccounts"},
        ),
        (
            "GET",
            "/apis/apps/v1/deployments",
            (
                'deployments.apps is forbidden: User "sandbox-unprivileged" cannot list resource "deployments" in'
                ' API group "apps" at the cluster scope'
            ),
            {"group": "apps", "kind": "deployments"},
        ),
        (
            "POST",
            f"{MONITORING}/serviceaccounts/prometheus-sa/token",
            (
                'serviceaccounts "prometheus-sa" is forbidden: User "sandbox-unprivileged" cannot create resource'
                ' "serviceaccounts/token" in API group "" in the namespace "monitoring"'
            ),
            {"name": "prometheus-sa", "kind": "serviceaccounts"},
        ),
        (
            "PATCH",
            "/api/v1/namespaces/monitoring",
            (
                'namespaces "monitoring" is forbidden: User "sandbox-unprivileged" cannot patch resource "namespaces"'
                ' in API group "" in the namespace "monitoring"'
            ),
            {"name": "monitoring", "kind": "namespaces"},
        ),
        ("PUT", f"{DEPLOYMENTS}/prometheus", "cannot update resource", None),
        ("DELETE", f"{MONITORING}/configmaps/settings", "cannot delete resource", None),
        ("POST", "/api/v1/namespaces", 'namespaces is forbidden: User "sandbox-unprivileged" cannot create', None),
    ],
)
def test_refusals_say_what_is_missing(api: Api, method: str, path: str, message: str, details: Json | None) -> None:
    api.token = api.server.unprivileged_token
    status = api.refused(api.call(method, path, {}, Content_Type=MERGE), 403, "Forbidden")
    assert message in status["message"]
    if details is not None:
        assert status["message"] == message
        assert status["details"] == details
    assert api.writes() == []


def test_a_refusal_comes_before_everything_else(api: Api) -> None:
    """Whoever may not look learns neither what exists nor what is wrong with the request."""
    api.token = api.server.unprivileged_token
    path = "/api/v1/namespaces/nowhere/configmaps"
    api.refused(api.call("POST", path, "{", Content_Type="text/plain"), 403, "Forbidden")


def test_rights_outside_of_the_resources(api: Api) -> None:
    api.token = api.server.unprivileged_token
    status = api.refused(api.call("GET", "/openid/v1/jwks"), 403, "Forbidden")
    assert status["message"] == 'forbidden: User "sandbox-unprivileged" cannot get path "/openid/v1/jwks"'


def test_granted_rights_hold_where_they_were_granted(api: Api) -> None:
    rules = [
        Rule(verbs=("get", "create", "patch"), resources=("serviceaccounts",), namespaces=("monitoring",)),
        Rule(verbs=("create",), resources=("serviceaccounts/token",), resource_names=("prometheus-sa",)),
        Rule(verbs=("*",), resources=("deployments",), api_groups=("apps",)),
    ]
    user = api.server.grant("my-token", rules, name="alice")
    assert user.name == "alice"
    api.token = "my-token"
    api.post(f"{MONITORING}/serviceaccounts", service_account())
    api.patch(f"{MONITORING}/serviceaccounts/prometheus-sa", {"metadata": {"labels": {"a": "b"}}})
    api.post(f"{MONITORING}/serviceaccounts/prometheus-sa/token", {"spec": {}})
    api.get("/apis/apps/v1/deployments")
    for method, path in (
        ("GET", f"{MONITORING}/serviceaccounts"),
        ("GET", "/api/v1/namespaces/default/serviceaccounts/default"),
        ("POST", f"{MONITORING}/serviceaccounts/default/token"),
        ("GET", "/apis/apps/v1/statefulsets"),
        ("GET", f"{MONITORING}/configmaps"),
    ):
        api.refused(api.call(method, path, {}), 403, "Forbidden")
    assert allowed(api, verb="patch", resource="serviceaccounts", namespace="monitoring")
    assert not allowed(api, verb="patch", resource="serviceaccounts", namespace="default")
    assert not allowed(api, verb="patch", resource="serviceaccounts")
    assert allowed(api, verb="create", resource="serviceaccounts", subresource="token", name="prometheus-sa")
    assert not allowed(api, verb="create", resource="serviceaccounts", subresource="token")


def test_rights_add_up_and_end_with_a_reset(api: Api) -> None:
    api.server.grant(api.server.unprivileged_token, [Rule(verbs=("get",), resources=("configmaps",))])
    api.server.grant("other", [Rule(verbs=("*",), resources=("*",), api_groups=("*",))])
    api.token = api.server.unprivileged_token
    api.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
    api.get("/api/v1/namespaces")
    api.server.reset()
    api.refused(api.call("GET", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt"), 403, "Forbidden")
    api.token = "other"
    api.refused(api.call("GET", "/version"), 401, "Unauthorized")


def test_access_reviews_are_answered_not_stored(api: Api) -> None:
    answer = api.post(
        REVIEWS, {"spec": {"resourceAttributes": {"verb": "create", "group": "apps", "resource": "deployments"}}}
    )
    assert answer["kind"] == "SelfSubjectAccessReview"
    assert answer["status"]["allowed"] is True
    paths = {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/healthz"}}}
    assert api.post(REVIEWS, paths)["status"]["allowed"] is True
    api.token = api.server.unprivileged_token
    paths["spec"]["nonResourceAttributes"]["path"] = "/metrics"
    assert api.post(REVIEWS, paths)["status"] == {"allowed": False}
    assert api.writes() == []
    assert api.world.log.since()[-1].operation == "create selfsubjectaccessreviews"
    api.refused(api.call("GET", REVIEWS), 403, "Forbidden")
    api.token = api.server.controller_token
    api.refused(api.call("GET", REVIEWS), 405, "MethodNotAllowed")


@pytest.mark.parametrize("spec", [{}, {"resourceAttributes": {}, "nonResourceAttributes": {}}])
def test_an_access_review_asks_one_thing(api: Api, spec: Json) -> None:
    causes = api.invalid(api.call("POST", REVIEWS, {"spec": spec}))
    assert "exactly one of nonResourceAttributes or resourceAttributes" in next(iter(causes.values()))


def test_the_log_names_operations_and_writes(api: Api) -> None:
    maps = f"{MONITORING}/configmaps"
    api.post(maps, config_map())
    api.get(f"{maps}/settings")
    api.get(maps)
    api.put(f"{maps}/settings", config_map(a="b"))
    api.patch(f"{maps}/settings", {"data": {"c": "d"}})
    api.delete(f"{maps}/settings")
    api.call("POST", maps, config_map("NO"))
    api.call("GET", "/version")
    logged = api.world.log.since()
    assert {entry.service for entry in logged} == {"kubernetes/fleet"}
    assert [(entry.operation, entry.status, entry.write) for entry in logged] == [
        ("create configmaps", 201, True),
        ("get configmaps", 200, False),
        ("list configmaps", 200, False),
        ("update configmaps", 200, True),
        ("patch configmaps", 200, True),
        ("delete configmaps", 200, True),
        ("create configmaps", 422, False),
        ("get /version", 200, False),
    ]
