# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists, selectors, pages, discovery and paths."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.kubernetes_support import DEPLOYMENTS, MERGE, MONITORING, Api, config_map, deployment, new_api

MAPS = f"{MONITORING}/configmaps"


@pytest.fixture
def api() -> Api:
    return new_api()


def names(api: Api, path: str) -> list[str]:
    return [item["metadata"]["name"] for item in api.get(path)["items"]]


def labelled(api: Api, name: str, **labels: str) -> None:
    body = config_map(name)
    body["metadata"]["labels"] = {key.replace("__", "."): value for key, value in labels.items()}
    api.post(MAPS, body)


# --- lists ------------------------------------------------------------------------------------------------------------


def test_a_list(api: Api) -> None:
    api.post(MAPS, config_map("b"))
    api.post(MAPS, config_map("a"))
    answer = api.get(MAPS)
    assert (answer["kind"], answer["apiVersion"]) == ("ConfigMapList", "v1")
    assert [item["metadata"]["name"] for item in answer["items"]] == ["a", "b", "kube-root-ca.crt"]
    assert all("kind" not in item and "apiVersion" not in item for item in answer["items"])
    newest = max(int(item["metadata"]["resourceVersion"]) for item in answer["items"])
    assert int(answer["metadata"]["resourceVersion"]) >= newest


def test_a_list_of_all_namespaces(api: Api) -> None:
    api.post(MAPS, config_map("here"))
    api.post("/api/v1/namespaces/default/configmaps", config_map("there"))
    assert {"here", "there"} <= set(names(api, "/api/v1/configmaps"))
    assert names(api, "/api/v1/namespaces/nowhere/configmaps") == []


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("tier=a", {"one"}),
        ("tier==a", {"one"}),
        ("tier!=a", {"two", "three"}),
        ("tier in (a,b)", {"one", "two"}),
        ("tier in (a, b),zone", {"two"}),
        ("tier notin (a)", {"two", "three"}),
        ("tier", {"one", "two"}),
        ("!tier", {"three"}),
        ("zone>1", {"two"}),
        ("zone<3", {"two"}),
        ("zone>2", set()),
        ("tier=a,tier=b", set()),
        ("app.x/name=prom", {"three"}),
    ],
)
def test_label_selectors(api: Api, selector: str, found: set[str]) -> None:
    labelled(api, "one", tier="a")
    labelled(api, "two", tier="b", zone="2")
    api.post(MAPS, config_map("three") | {"metadata": {"name": "three", "labels": {"app.x/name": "prom"}}})
    listed = api.good(api.call("GET", f"{MAPS}?labelSelector={selector}"), 200)
    assert {item["metadata"]["name"] for item in listed["items"]} - {"kube-root-ca.crt"} == found


@pytest.mark.parametrize("selector", ["a=b=c", "a b", "in (a)", "a in b", "=x", "a=-b", "zone>x", "a,,b"])
def test_bad_label_selectors(api: Api, selector: str) -> None:
    status = api.refused(api.call("GET", f"{MAPS}?labelSelector={selector}"), 400, "BadRequest")
    assert "unable to parse requirement" in status["message"]


def test_field_selectors(api: Api) -> None:
    api.post(MAPS, config_map("one"))
    api.post(MAPS, config_map("two"))
    assert names(api, f"{MAPS}?fieldSelector=metadata.name=one") == ["one"]
    assert names(api, "/api/v1/configmaps?fieldSelector=metadata.name=one,metadata.namespace=default") == []
    assert "two" in names(api, f"{MAPS}?fieldSelector=metadata.name!=one")
    api.post(DEPLOYMENTS, deployment())
    assert len(names(api, f"{MONITORING}/pods?fieldSelector=status.phase=Running")) == 1
    assert names(api, f"{MONITORING}/pods?fieldSelector=status.phase=Pending") == []
    status = api.refused(api.call("GET", f"{MAPS}?fieldSelector=data.key=x"), 400, "BadRequest")
    assert status["message"].endswith("field label not supported: data.key")


def test_pages_show_one_moment(api: Api) -> None:
    for number in range(5):
        api.post(MAPS, config_map(f"m{number}"))
    first = api.get(f"{MAPS}?limit=2")
    token = first["metadata"]["continue"]
    assert [item["metadata"]["name"] for item in first["items"]] == ["kube-root-ca.crt", "m0"]
    assert first["metadata"]["remainingItemCount"] == 4
    api.delete(f"{MAPS}/m2")
    api.post(MAPS, config_map("m1b"))
    second = api.get(f"{MAPS}?limit=2&continue={token}")
    assert [item["metadata"]["name"] for item in second["items"]] == ["m1", "m2"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    last = api.get(f"{MAPS}?limit=2&continue={second['metadata']['continue']}")
    assert [item["metadata"]["name"] for item in last["items"]] == ["m3", "m4"]
    assert "continue" not in last["metadata"]
    assert names(api, MAPS) == ["kube-root-ca.crt", "m0", "m1", "m1b", "m3", "m4"]


def test_old_and_broken_pages(api: Api) -> None:
    api.post(MAPS, config_map("one"))
    token = api.get(f"{MAPS}?limit=1")["metadata"]["continue"]
    api.server.reset()
    api.refused(api.call("GET", f"{MAPS}?limit=1&continue={token}"), 410, "Expired")
    api.refused(api.call("GET", f"{MAPS}?limit=1&continue=x"), 400, "BadRequest")
    api.refused(api.call("GET", f"{MAPS}?limit=many"), 400, "BadRequest")


# --- single objects and paths -----------------------------------------------------------------------------------------


def test_a_missing_object(api: Api) -> None:
    status = api.refused(api.call("GET", f"{DEPLOYMENTS}/nothing"), 404, "NotFound")
    assert status["message"] == 'deployments.apps "nothing" not found'
    assert status["details"] == {"name": "nothing", "group": "apps", "kind": "deployments"}


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/unicorns",
        "/api/v1/namespaces/monitoring/unicorns/x",
        "/apis/apps/v2/deployments",
        "/api/v1/serviceaccounts/x/y",
        f"{MONITORING}/configmaps/x/status/y",
        f"{MONITORING}/configmaps/x/frobnicate",
        f"{MONITORING}//configmaps",
        "/api/v1/namespaces/monitoring/namespaces",
    ],
)
def test_unknown_resources(api: Api, path: str) -> None:
    status = api.refused(api.call("GET", path), 404, "NotFound")
    assert status["message"] == "the server could not find the requested resource"


def test_unknown_paths(api: Api) -> None:
    response = api.call("GET", "/metrics")
    assert (response.status_code, response.text) == (404, "404 page not found\n")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", MAPS),
        ("PUT", MAPS),
        ("PATCH", MAPS),
        ("POST", f"{MAPS}/settings"),
        ("POST", "/api/v1/configmaps"),
        ("POST", "/version"),
    ],
)
def test_methods_that_are_not_served(api: Api, method: str, path: str) -> None:
    api.refused(api.call(method, path, {}, Content_Type=MERGE), 405, "MethodNotAllowed")
    assert api.writes() == []


def test_watches_are_not_served(api: Api) -> None:
    api.refused(api.call("GET", f"{MAPS}?watch=true"), 405, "MethodNotAllowed")


def test_answers_are_json(api: Api) -> None:
    response = api.call("GET", MAPS, Accept="application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
    assert response.content_type == "application/json"
    assert api.good(response, 200)["kind"] == "ConfigMapList"
    api.refused(api.call("GET", MAPS, Accept="application/vnd.kubernetes.protobuf"), 406, "NotAcceptable")
    api.refused(api.call("GET", MAPS, Accept="application/json;as=Table;v=v1;g=meta.k8s.io"), 406, "NotAcceptable")


def test_each_answer_has_an_audit_id(api: Api) -> None:
    ids = [api.call("GET", "/version").headers["Audit-Id"], api.call("GET", "/nowhere").headers["Audit-Id"]]
    assert len(set(ids)) == 2


# --- discovery --------------------------------------------------------------------------------------------------------


def test_health(api: Api) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        assert api.call("GET", path).text == "ok"


def test_the_version_is_the_one_that_arm_names(api: Api) -> None:
    assert api.get("/version")["gitVersion"] == "v1.33.4"
    api.cluster.body["properties"] |= {"currentKubernetesVersion": None, "kubernetesVersion": "1.34"}
    version = api.get("/version")
    assert (version["major"], version["minor"], version["gitVersion"]) == ("1", "34", "v1.34.0")


def test_groups(api: Api) -> None:
    assert api.get("/api")["versions"] == ["v1"]
    groups = {group["name"]: group["preferredVersion"] for group in api.get("/apis")["groups"]}
    assert groups["apps"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert set(groups) == {
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "batch",
    }
    assert api.get("/apis/apps")["kind"] == "APIGroup"
    api.refused(api.call("GET", "/apis/unicorns"), 404, "NotFound")
    assert "/apis/apps/v1" in api.get("/")["paths"]


def test_every_listed_resource_is_served(api: Api) -> None:
    for base in ("/api/v1", *(f"/apis/{g['preferredVersion']['groupVersion']}" for g in api.get("/apis")["groups"])):
        document = api.get(base)
        assert document["kind"] == "APIResourceList"
        assert base.endswith(document["groupVersion"])
        for entry in document["resources"]:
            if "list" in entry["verbs"]:
                listed = api.get(f"{base}/{entry['name']}")
                assert listed["kind"] == f"{entry['kind']}List"


def test_subresources_are_listed_with_their_kind(api: Api) -> None:
    entries = {entry["name"]: entry for entry in api.get("/api/v1")["resources"]}
    assert entries["serviceaccounts/token"]["kind"] == "TokenRequest"
    assert entries["serviceaccounts/token"]["group"] == "authentication.k8s.io"
    assert entries["serviceaccounts"]["shortNames"] == ["sa"]
    assert entries["namespaces"]["namespaced"] is False
