# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that do not come to run, how workloads show it, and what the Prometheus in a pod answers."""

from __future__ import annotations

import typing as t

import pytest

from sandbox.kubernetes.access import Rule
from sandbox.kubernetes.fates import Fate, FateKind
from sandbox.world import Json
from tests.unit.sandbox.kubernetes_support import DEPLOYMENTS, MERGE, MONITORING, STATEFUL_SETS, Api

TEXT = "global: {external_labels: {a: b}}\nremote_write: [{url: https://x/, basic_auth: {password: hunter2}}]\n"


def template(*args: str, reloader: bool = False, sub_path: bool = False) -> Json:
    mount: Json = {"name": "config", "mountPath": "/etc/prometheus"}
    if sub_path:
        mount = {"name": "config", "mountPath": "/etc/prometheus/prometheus.yml", "subPath": "prometheus.yml"}
    containers: list[Json] = [
        {
            "name": "prometheus",
            "image": "prom/prometheus:v3.5.0",
            "args": ["--config.file=/etc/prometheus/prometheus.yml", *args],
            "volumeMounts": [mount],
        }
    ]
    if reloader:
        containers.append({"name": "config-reloader", "image": "configmap-reload:v1", "volumeMounts": [mount]})
    return {
        "metadata": {"labels": {"app": "p"}},
        "spec": {"containers": containers, "volumes": [{"name": "config", "configMap": {"name": "config"}}]},
    }


def workload(kind: str, pod_template: Json | None = None, **spec: t.Any) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "p", "namespace": "monitoring"},
        "spec": {
            "selector": {"matchLabels": {"app": "p"}},
            "template": pod_template or template(),
            **({"serviceName": "p"} if kind == "StatefulSet" else {}),
            **spec,
        },
    }


def prepared(kind: str = "Deployment", pod_template: Json | None = None, **spec: t.Any) -> Api:
    api = Api()
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config", "namespace": "monitoring"}}
    api.server.seed(config | {"data": {"prometheus.yml": TEXT}})
    api.server.seed(workload(kind, pod_template, **spec))
    return api


def change(api: Api, kind: str = "Deployment") -> None:
    """Change the pod template."""
    plural = {"Deployment": DEPLOYMENTS, "StatefulSet": STATEFUL_SETS}.get(
        kind, "/apis/apps/v1/namespaces/monitoring/daemonsets"
    )
    patch = {"spec": {"template": {"metadata": {"annotations": {"changed": "yes"}}}}}
    answer = api.call("PATCH", f"{plural}/p", patch, Content_Type=MERGE)
    assert answer.status_code == 200, answer.get_json()


def status(api: Api, kind: str = "Deployment") -> Json:
    found = api.server.get(kind, "monitoring", "p")
    assert found is not None
    return t.cast("Json", found["status"])


def pods(api: Api) -> list[Json]:
    return t.cast("list[Json]", api.call("GET", f"{MONITORING}/pods").get_json()["items"])


def only_pod(api: Api) -> str:
    (pod,) = pods(api)
    return str(pod["metadata"]["name"])


def proxied(api: Api, path: str, *, method: str = "GET", port: str = ":9090", scheme: str = "") -> t.Any:
    return api.call(method, f"{MONITORING}/pods/{scheme}{only_pod(api)}{port}/proxy{path}", Accept="*/*")


# --- fates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "reason", "event"),
    [
        (FateKind.CRASH, "CrashLoopBackOff", "BackOff"),
        (FateKind.IMAGE, "ImagePullBackOff", "Failed"),
        (FateKind.MOUNT, "ContainerCreating", "FailedMount"),
        (FateKind.CONFIG_ERROR, "CreateContainerConfigError", "Failed"),
        (FateKind.UNREADY, None, "Unhealthy"),
        (FateKind.UNSCHEDULABLE, None, "FailedScheduling"),
    ],
)
def test_a_struck_pod_shows_why_and_the_old_one_goes_on(kind: FateKind, reason: str | None, event: str) -> None:
    api = prepared()
    api.server.set_fate(Fate(kind, "monitoring/p-*", text='"changed"', message="told"))
    change(api)
    assert {name: status(api).get(name) for name in ("replicas", "updatedReplicas", "readyReplicas")} == {
        "replicas": 2,
        "updatedReplicas": 1,
        "readyReplicas": 1,
    }
    struck = next(pod for pod in pods(api) if "changed" in pod["metadata"].get("annotations", {}))
    found = struck["status"].get("containerStatuses", [{}])[0].get("state", {}).get("waiting", {}).get("reason")
    assert found == reason
    events = api.call("GET", f"{MONITORING}/events?fieldSelector=involvedObject.uid={struck['metadata']['uid']}")
    assert [item["reason"] for item in events.get_json()["items"]] == [event]
    api.server.clear_fates()
    assert {name: status(api).get(name) for name in ("replicas", "updatedReplicas", "readyReplicas")} == {
        "replicas": 1,
        "updatedReplicas": 1,
        "readyReplicas": 1,
    }


def test_a_crashed_container_leaves_the_log_of_the_one_before() -> None:
    api = prepared()
    api.server.set_fate(Fate(FateKind.CRASH, text='"changed"', message="it ended\n"))
    change(api)
    struck = next(pod for pod in pods(api) if "changed" in pod["metadata"].get("annotations", {}))
    log = f"{MONITORING}/pods/{struck['metadata']['name']}/log"
    assert api.call("GET", log).get_data(as_text=True) == ""
    assert api.call("GET", f"{log}?previous=true").get_data(as_text=True) == "it ended\n"


def test_a_refused_pod_is_reported_by_its_workload() -> None:
    api = prepared()
    api.server.set_fate(Fate(FateKind.REFUSED, text='"changed"'))
    change(api)
    failures = [item for item in status(api)["conditions"] if item["type"] == "ReplicaFailure"]
    assert "exceeded quota" in failures[0]["message"]
    assert len(pods(api)) == 1


def test_a_stateful_set_replaces_no_pod_while_one_is_not_ready() -> None:
    api = prepared("StatefulSet", replicas=3)
    api.server.set_fate(Fate(FateKind.CRASH, text='"changed"'))
    change(api, "StatefulSet")
    assert (status(api, "StatefulSet")["readyReplicas"], status(api, "StatefulSet")["updatedReplicas"]) == (2, 1)
    # Not even when the template becomes what it was: the broken pod must be deleted.
    undo = {"spec": {"template": {"metadata": {"annotations": None}}}}
    api.call("PATCH", f"{STATEFUL_SETS}/p", undo, Content_Type=MERGE)
    assert status(api, "StatefulSet")["readyReplicas"] == 2
    api.call("DELETE", f"{MONITORING}/pods/p-2")
    assert status(api, "StatefulSet")["readyReplicas"] == 3
    assert status(api, "StatefulSet")["currentRevision"] == status(api, "StatefulSet")["updateRevision"]


def test_a_stateful_set_with_many_pods_is_replaced_one_by_one_to_the_end() -> None:
    api = prepared("StatefulSet", replicas=25)
    change(api, "StatefulSet")
    assert status(api, "StatefulSet")["updatedReplicas"] == 25


def test_a_daemon_set_stops_at_the_first_pod_that_is_not_ready_and_goes_back_by_itself() -> None:
    api = prepared("DaemonSet")
    api.server.set_fate(Fate(FateKind.UNREADY, text='"changed"'))
    change(api, "DaemonSet")
    found = status(api, "DaemonSet")
    assert (found["desiredNumberScheduled"], found["updatedNumberScheduled"], found["numberAvailable"]) == (2, 1, 1)
    undo = {"spec": {"template": {"metadata": {"annotations": None}}}}
    api.call("PATCH", "/apis/apps/v1/namespaces/monitoring/daemonsets/p", undo, Content_Type=MERGE)
    assert status(api, "DaemonSet")["numberAvailable"] == 2


def test_a_fate_is_read_from_json_strictly() -> None:
    assert Fate.from_json({"kind": "crash", "pods": "a/*"}) == Fate(FateKind.CRASH, "a/*")
    for wrong in ({"kind": "plague"}, {"kind": "crash", "who": "x"}, {"kind": "crash", "pods": 1}):
        with pytest.raises(ValueError, match=r"fate"):
            Fate.from_json(wrong)


# --- Prometheus in a pod ----------------------------------------------------------------------------------------------


def set_text(api: Api, text: str) -> None:
    api.call("PATCH", f"{MONITORING}/configmaps/config", {"data": {"prometheus.yml": text}}, Content_Type=MERGE)


def loaded(api: Api) -> str:
    return str(proxied(api, "/api/v1/status/config").get_json()["data"]["yaml"])


def test_prometheus_answers_by_the_proxy_and_hides_secrets() -> None:
    api = prepared()
    assert proxied(api, "/-/ready").get_data(as_text=True) == "Prometheus Server is Ready.\n"
    assert "<secret>" in loaded(api)
    assert "hunter2" not in loaded(api)
    flags = proxied(api, "/api/v1/status/flags").get_json()["data"]
    assert flags == {"config.file": "/etc/prometheus/prometheus.yml"}


def test_it_reloads_only_where_its_lifecycle_is_enabled() -> None:
    api = prepared()
    answer = proxied(api, "/-/reload", method="POST")
    assert (answer.status_code, answer.get_data(as_text=True)) == (403, "Lifecycle API is not enabled.")
    api = prepared(pod_template=template("--web.enable-lifecycle"))
    set_text(api, "scrape_configs: []\n")
    assert "https://x/" in loaded(api)
    assert proxied(api, "/-/reload").status_code == 405
    assert proxied(api, "/-/reload", method="POST").status_code == 200
    assert "https://x/" not in loaded(api)


def test_a_reload_may_be_refused_or_see_the_old_file() -> None:
    api = prepared(pod_template=template("--web.enable-lifecycle"))
    set_text(api, "scrape_configs: []\n")
    api.server.set_fate(Fate(FateKind.UNSYNCED))
    assert proxied(api, "/-/reload", method="POST").status_code == 200
    assert "https://x/" in loaded(api)
    api.server.clear_fates()
    api.server.set_fate(Fate(FateKind.RELOAD, message="no credentials"))
    answer = proxied(api, "/-/reload", method="POST")
    assert (answer.status_code, "no credentials" in answer.get_data(as_text=True)) == (500, True)
    assert "no credentials" in api.call("GET", f"{MONITORING}/pods/{only_pod(api)}/log").get_data(as_text=True)


def test_a_reloader_follows_by_itself_but_no_file_that_is_mounted_alone() -> None:
    api = prepared(pod_template=template("--web.enable-lifecycle", reloader=True))
    set_text(api, "scrape_configs: []\n")
    assert "https://x/" not in loaded(api)
    api = prepared(pod_template=template("--web.enable-lifecycle", sub_path=True))
    set_text(api, "scrape_configs: []\n")
    assert proxied(api, "/-/reload", method="POST").status_code == 200
    assert "https://x/" in loaded(api)


def test_port_scheme_and_prefix_count() -> None:
    api = prepared(pod_template=template("--web.listen-address=:9091", "--web.external-url=https://h/prom/"))
    assert proxied(api, "/prom/-/ready", port=":9091").status_code == 200
    assert proxied(api, "/-/ready", port=":9091").status_code == 404
    assert proxied(api, "/prom/-/ready", port=":9090").status_code == 503
    assert proxied(api, "/prom/-/ready", port=":9091", scheme="https:").status_code == 503


def test_the_proxy_needs_a_right_of_its_own() -> None:
    api = prepared(pod_template=template("--web.enable-lifecycle"))
    name = only_pod(api)
    api.server.grant("t", [Rule(verbs=("get",), resources=("pods", "pods/proxy"))])
    path = f"{MONITORING}/pods/{name}:9090/proxy/-/ready"
    assert api.call("GET", path, Authorization="Bearer t", Accept="*/*").status_code == 200
    refused = api.call("POST", path, Authorization="Bearer t", Accept="*/*")
    assert refused.status_code == 403
    assert 'cannot create resource "pods/proxy"' in refused.get_json()["message"]


def test_nothing_answers_for_a_pod_that_is_not_there_or_not_running() -> None:
    api = prepared()
    assert api.call("GET", f"{MONITORING}/pods/nobody/proxy/-/ready", Accept="*/*").status_code == 404
    api.server.set_fate(Fate(FateKind.SILENT))
    answer = proxied(api, "/-/ready")
    assert (answer.status_code, answer.get_json()["reason"]) == (503, "ServiceUnavailable")
