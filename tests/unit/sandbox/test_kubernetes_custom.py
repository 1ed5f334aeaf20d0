# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Custom objects: served while they are defined, pruned and checked by their schema, as prometheus-operator's are."""

from __future__ import annotations

import typing as t

import pytest

from sandbox.kubernetes import kinds
from sandbox.kubernetes.monitoring import definition, definitions
from tests.unit.sandbox.kubernetes_support import JSON_PATCH, MERGE, STRATEGIC, Api, new_api, token_volume

Json = dict[str, t.Any]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PROMETHEUSES = "/apis/monitoring.coreos.com/v1/namespaces/monitoring/prometheuses"
AGENTS = "/apis/monitoring.coreos.com/v1alpha1/namespaces/monitoring/prometheusagents"
STRICT = "?fieldValidation=Strict"
URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write"


def prometheus(name: str = "k8s", **spec: t.Any) -> Json:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": name, "namespace": "monitoring"},
        "spec": {"version": "v3.5.0", **spec},
    }


def agent(**spec: t.Any) -> Json:
    return prometheus("edge", **spec) | {"apiVersion": "monitoring.coreos.com/v1alpha1", "kind": "PrometheusAgent"}


@pytest.fixture
def api() -> Api:
    api = new_api()
    for manifest in definitions():
        api.server.seed(manifest)
    return api


# --- definitions ------------------------------------------------------------------------------------------------------


def test_a_kind_that_is_not_defined_is_no_page_of_the_api() -> None:
    api = new_api()
    response = api.call("GET", f"{PROMETHEUSES}/k8s")
    assert (response.status_code, response.text) == (404, "404 page not found\n")
    with pytest.raises(ValueError, match=r"no definition of prometheuses\.monitoring\.coreos\.com"):
        api.server.seed(prometheus())


def test_definitions_make_kinds_and_take_them_away(api: Api) -> None:
    assert [group["name"] for group in api.get("/apis")["groups"]].count("monitoring.coreos.com") == 1
    versions = [version["version"] for version in api.get("/apis/monitoring.coreos.com")["versions"]]
    assert versions == ["v1", "v1alpha1"]
    assert [r["name"] for r in api.get("/apis/monitoring.coreos.com/v1alpha1")["resources"]] == ["prometheusagents"]
    api.post(PROMETHEUSES, prometheus())
    stored = api.get(f"{DEFINITIONS}/prometheuses.monitoring.coreos.com")
    assert {condition["type"] for condition in stored["status"]["conditions"]} == {"NamesAccepted", "Established"}
    api.delete(f"{DEFINITIONS}/prometheuses.monitoring.coreos.com")
    assert api.call("GET", f"{PROMETHEUSES}/k8s").status_code == 404
    assert api.server.get("StatefulSet", "monitoring", "prometheus-k8s") is None
    assert "/apis/monitoring.coreos.com/v1" not in api.get("/")["paths"]


def test_an_older_release_has_no_agent_and_no_signing() -> None:
    api = new_api()
    for manifest in definitions((0, 50)):
        api.server.seed(manifest)
    assert api.call("GET", AGENTS).status_code == 404
    entry = {"url": URL, "sigv4": {"region": "eu-west-1"}}
    stored = api.post(PROMETHEUSES, prometheus(remoteWrite=[entry]))
    assert stored["spec"]["remoteWrite"] == [{"url": URL}]


# --- unknown fields ---------------------------------------------------------------------------------------------------


def test_unknown_fields_are_dropped_with_a_warning(api: Api) -> None:
    response = api.call("POST", PROMETHEUSES, prometheus(remotewrite=[], remoteWrite=[{"url": URL, "sigV4": {}}]))
    assert response.status_code == 201
    assert response.get_json()["spec"]["remoteWrite"] == [{"url": URL}]
    assert response.headers.getlist("Warning") == [
        '299 - "unknown field \\"spec.remotewrite\\""',
        '299 - "unknown field \\"spec.remoteWrite[0].sigV4\\""',
    ]


def test_strict_validation_refuses_them(api: Api) -> None:
    body = prometheus(remotewrite=[])
    status = api.refused(api.call("POST", f"{PROMETHEUSES}{STRICT}", body), 400, "BadRequest")
    assert status["message"] == (
        'Prometheus in version "v1" cannot be handled as a Prometheus: strict decoding error: unknown field'
        ' "spec.remotewrite"'
    )
    api.post(PROMETHEUSES, prometheus())
    patch = {"spec": {"remoteWrite": [{"url": URL, "sigv4": {"externalId": "x"}}]}}
    causes = api.invalid(api.call("PATCH", f"{PROMETHEUSES}/k8s{STRICT}", patch, Content_Type=MERGE))
    assert causes["patch"].endswith(': strict decoding error: unknown field "spec.remoteWrite[0].sigv4.externalId"')
    assert "remoteWrite" not in api.get(f"{PROMETHEUSES}/k8s")["spec"]


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"replicas": "two"}, "spec.replicas", 'must be of type integer: "string"'),
        ({"paused": None}, "spec.paused", 'must be of type boolean: "null"'),
        ({"remoteWrite": {}}, "spec.remoteWrite", 'must be of type array: "object"'),
        ({"remoteWrite": [{"name": "x"}]}, "spec.remoteWrite[0].url", "Required value"),
        ({"remoteWrite": [{"url": ""}]}, "spec.remoteWrite[0].url", "should be at least 1 chars long"),
        ({"logLevel": "loud"}, "spec.logLevel", "supported values"),
        ({"scrapeInterval": "often"}, "spec.scrapeInterval", "should match"),
        ({"externalLabels": {"a": 1}}, "spec.externalLabels.a", 'must be of type string: "integer"'),
        ({"containers": [{"env": []}]}, "spec.containers[0].name", "Required value"),
        (
            {"containers": [{"name": "p", "env": [{"name": "A"}, {"name": "A"}]}]},
            "spec.containers[0].env[1]",
            'Duplicate value: {"name":"A"}',
        ),
    ],
)
def test_values_that_the_schema_refuses(api: Api, spec: Json, field: str, words: str) -> None:
    causes = api.invalid(api.call("POST", PROMETHEUSES, prometheus(**spec)))
    assert words in causes[field]
    assert api.writes() == []


def test_empty_values_stay_and_defaults_are_filled(api: Api) -> None:
    stored = api.post(PROMETHEUSES, prometheus(volumes=[], externalLabels={}, paused=False, portName=None))
    assert stored["spec"] == {
        "version": "v3.5.0",
        "volumes": [],
        "externalLabels": {},
        "paused": False,
        "portName": "web",
        "scrapeInterval": "30s",
        "evaluationInterval": "30s",
    }


# --- writes -----------------------------------------------------------------------------------------------------------


def test_the_kinds_of_patch(api: Api) -> None:
    api.post(PROMETHEUSES, prometheus())
    assert api.patch(f"{PROMETHEUSES}/k8s", {"spec": {"replicas": 2}})["spec"]["replicas"] == 2
    operation = [{"op": "replace", "path": "/spec/replicas", "value": 3}]
    assert api.patch(f"{PROMETHEUSES}/k8s", operation, JSON_PATCH)["spec"]["replicas"] == 3
    response = api.call("PATCH", f"{PROMETHEUSES}/k8s", {"spec": {}}, Content_Type=STRATEGIC)
    api.refused(response, 415, "UnsupportedMediaType")


def test_versions_and_generations(api: Api) -> None:
    first = api.post(PROMETHEUSES, prometheus())["metadata"]
    labelled = api.patch(f"{PROMETHEUSES}/k8s", {"metadata": {"labels": {"a": "b"}}})["metadata"]
    assert labelled["generation"] == first["generation"] == 1
    changed = api.patch(f"{PROMETHEUSES}/k8s", {"spec": {"replicas": 2}})["metadata"]
    assert changed["generation"] == 2
    stale = {"metadata": {"resourceVersion": first["resourceVersion"]}, "spec": {"replicas": 5}}
    api.refused(api.call("PATCH", f"{PROMETHEUSES}/k8s", stale, Content_Type=MERGE), 409, "Conflict")
    body = prometheus(replicas=4)
    assert "metadata.resourceVersion" in api.invalid(api.call("PUT", f"{PROMETHEUSES}/k8s", body))


def test_a_dry_run_stores_nothing(api: Api) -> None:
    api.post(PROMETHEUSES, prometheus())
    before = api.get(f"{PROMETHEUSES}/k8s")
    answer = api.patch(f"{PROMETHEUSES}/k8s?dryRun=All", {"spec": {"replicas": 2}})
    assert answer["spec"]["replicas"] == 2
    assert api.get(f"{PROMETHEUSES}/k8s") == before


def test_the_status_is_the_operators_own(api: Api) -> None:
    api.post(PROMETHEUSES, prometheus() | {"status": {"paused": True}})
    answer = api.patch(f"{PROMETHEUSES}/k8s", {"status": {"paused": True}})
    assert answer["status"]["paused"] is False


def test_who_set_a_field_is_known(api: Api) -> None:
    api.post(f"{PROMETHEUSES}?fieldManager=helm", prometheus())
    api.patch(f"{PROMETHEUSES}/k8s?fieldManager=ansible", {"spec": {"volumes": []}})
    entries = {e["manager"]: e["fieldsV1"] for e in api.get(f"{PROMETHEUSES}/k8s")["metadata"]["managedFields"]}
    assert "f:version" in entries["helm"]["f:spec"]
    assert entries["ansible"]["f:spec"] == {"f:volumes": {}}


# --- the operator -----------------------------------------------------------------------------------------------------


def test_the_operator_makes_a_stateful_set_for_each_shard(api: Api) -> None:
    api.post(PROMETHEUSES, prometheus(shards=2))
    first, second = (api.server.get("StatefulSet", "monitoring", f"prometheus-k8s{n}") for n in ("", "-shard-1"))
    assert first is not None
    assert second is not None
    (owner,) = first["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Prometheus", "k8s", True)
    assert api.server.get("Pod", "monitoring", "prometheus-k8s-shard-1-0") is not None
    api.patch(f"{PROMETHEUSES}/k8s", {"spec": {"shards": 1}})
    assert api.server.get("StatefulSet", "monitoring", "prometheus-k8s-shard-1") is None
    api.delete(f"{PROMETHEUSES}/k8s")
    assert api.server.get("StatefulSet", "monitoring", "prometheus-k8s") is None


def test_the_operator_merges_containers_mounts_and_labels(api: Api) -> None:
    api.post(
        PROMETHEUSES,
        prometheus(
            serviceAccountName="default",
            volumes=[token_volume()],
            volumeMounts=[{"name": "aws-iam-token", "mountPath": "/var/run/secrets/aws"}],
            containers=[{"name": "prometheus", "env": [{"name": "A", "value": "b"}]}],
            podMetadata={"labels": {"team": "metrics"}},
        ),
    )
    pod = api.server.get("Pod", "monitoring", "prometheus-k8s-0")
    assert pod is not None
    assert pod["metadata"]["labels"]["team"] == "metrics"
    container = next(c for c in pod["spec"]["containers"] if c["name"] == "prometheus")
    assert container["image"] == "quay.io/prometheus/prometheus:v3.5.0"
    assert container["env"] == [{"name": "A", "value": "b"}]
    assert "/var/run/secrets/aws" in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert [c["name"] for c in pod["spec"]["containers"]] == ["prometheus", "config-reloader"]


def test_a_paused_resource_is_left_alone(api: Api) -> None:
    api.post(PROMETHEUSES, prometheus(paused=True))
    assert api.server.get("StatefulSet", "monitoring", "prometheus-k8s") is None


def test_pods_that_can_not_be_are_said_in_the_status(api: Api) -> None:
    api.post(AGENTS, agent(mode="DaemonSet"))
    assert api.server.get("DaemonSet", "monitoring", "prom-agent-edge") is not None
    change = {"volumes": [token_volume()], "volumeMounts": [{"name": "aws-iam-token", "mountPath": "/aws"}]}
    api.patch(f"{AGENTS}/edge", {"spec": change})
    (condition,) = api.get(f"{AGENTS}/edge")["status"]["conditions"]
    assert condition["status"] == "False"
    assert 'Not found: "aws-iam-token"' in condition["message"]
    api.patch(f"{AGENTS}/edge", {"spec": {"mode": "StatefulSet"}})
    assert api.get(f"{AGENTS}/edge")["status"]["conditions"][0]["status"] == "True"
    assert api.server.get("DaemonSet", "monitoring", "prom-agent-edge") is None
    assert api.server.get("StatefulSet", "monitoring", "prom-agent-edge") is not None


def test_the_definition_is_taken_as_it_is(api: Api) -> None:
    """Every schema in it survives decoding by the API's own types, so that a real server gets the same."""
    stored = api.get(f"{DEFINITIONS}/prometheuses.monitoring.coreos.com")
    assert stored["spec"]["versions"] == definition(kinds.PROMETHEUSES)["spec"]["versions"]
