# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Admission webhooks of the API server, in dry runs too, and what a daemon set counts."""

from __future__ import annotations

import typing as t

import pytest

from sandbox.kubernetes import Webhook
from tests.unit.sandbox.kubernetes_support import DEPLOYMENTS, MERGE, MONITORING, Api, config_map, deployment, new_api

Json = dict[str, t.Any]

MAPS = f"{MONITORING}/configmaps"
DAEMON_SETS = "/apis/apps/v1/namespaces/monitoring/daemonsets"


@pytest.fixture
def api() -> Api:
    return new_api()


def label(obj: Json) -> None:
    obj["metadata"].setdefault("labels", {})["team"] = "platform"


def test_a_refusal_names_the_webhook_and_gives_no_reason_code(api: Api) -> None:
    api.post(MAPS, config_map())
    api.server.add_webhook(Webhook("policy.example.com", "ConfigMap", lambda _obj: "not on a Friday"))
    for query in ("", "?dryRun=All"):
        response = api.call("PATCH", f"{MAPS}/settings{query}", {"data": {"key": "new"}}, Content_Type=MERGE)
        assert response.status_code == 400
        body = response.get_json()
        assert body["message"] == 'admission webhook "policy.example.com" denied the request: not on a Friday'
        assert "reason" not in body
    assert api.get(f"{MAPS}/settings")["data"] == {"key": "value"}
    assert api.call("POST", MAPS, config_map("other")).status_code == 400


def test_what_a_webhook_changes_is_stored_and_shown_by_a_dry_run(api: Api) -> None:
    api.server.add_webhook(Webhook("labels.example.com", "ConfigMap", label))
    shown = api.good(api.call("POST", f"{MAPS}?dryRun=All", config_map()), 201)
    assert shown["metadata"]["labels"] == {"team": "platform"}
    assert api.call("GET", f"{MAPS}/settings").status_code == 404
    assert api.post(MAPS, config_map())["metadata"]["labels"] == {"team": "platform"}


def test_what_a_webhook_adds_gets_its_defaults(api: Api) -> None:
    def add_volume(obj: Json) -> None:
        obj["spec"]["template"]["spec"]["volumes"].append({"name": "extra", "configMap": {"name": "x"}})

    api.server.add_webhook(Webhook("volumes.example.com", "Deployment", add_volume))
    stored = api.post(DEPLOYMENTS, deployment())
    assert stored["spec"]["template"]["spec"]["volumes"][-1]["configMap"] == {"name": "x", "defaultMode": 420}


def test_a_webhook_with_side_effects_takes_part_in_no_dry_run(api: Api) -> None:
    api.server.add_webhook(Webhook("ledger.example.com", "ConfigMap", label, side_effects=True))
    refused = api.refused(api.call("POST", f"{MAPS}?dryRun=All", config_map()), 400, "BadRequest")
    assert refused["message"] == 'admission webhook "ledger.example.com" does not support dry run'
    api.post(MAPS, config_map())


def test_other_kinds_and_the_clusters_own_writes_pass(api: Api) -> None:
    api.server.add_webhook(Webhook("policy.example.com", "ReplicaSet", lambda _obj: "never"))
    api.post(DEPLOYMENTS, deployment())
    assert len(api.get("/apis/apps/v1/namespaces/monitoring/replicasets")["items"]) == 1
    api.server.reset()
    api.server.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}})
    replica_set = deployment("own") | {"kind": "ReplicaSet"}
    api.good(api.call("POST", "/apis/apps/v1/namespaces/monitoring/replicasets", replica_set), 201)


def test_a_daemon_set_counts_its_templates(api: Api) -> None:
    name = "deprecated.daemonset.template.generation"
    body = deployment() | {"kind": "DaemonSet"}
    assert api.post(DAEMON_SETS, body)["metadata"]["annotations"] == {name: "1"}
    path = f"{DAEMON_SETS}/prometheus"
    assert api.patch(path, {"metadata": {"labels": {"a": "b"}}})["metadata"]["annotations"][name] == "1"
    spec = {"template": {"metadata": {"labels": {"changed": "yes"}}}}
    assert api.patch(path, {"spec": spec})["metadata"]["annotations"][name] == "2"
    assert api.patch(path, {"metadata": {"annotations": {name: "9"}}})["metadata"]["annotations"][name] == "2"
