# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on for workload identity: there while Azure's flag is on, and strict about what it does to pods."""

from __future__ import annotations

import typing as t

import pytest

from sandbox.kubernetes.azure_webhook import CONFIGURATION, DEPLOYMENT
from tests.unit.sandbox import kubernetes_support as support

Json = dict[str, t.Any]

USE = {"azure.workload.identity/use": "true"}
OLD = "/var/run/secrets/azure/tokens"
NEW = "/var/run/secrets/azure/wi/token"
PODS = "/api/v1/namespaces/monitoring/pods"


@pytest.fixture
def api() -> support.Api:
    api = support.Api()
    switch(api, on=True)
    api.server.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}})
    return api


def switch(api: support.Api, *, on: bool) -> None:
    api.cluster.body["properties"]["securityProfile"] = {"workloadIdentity": {"enabled": on}}


def made(api: support.Api, namespace: str = "monitoring", *, labels: Json | None = None, **metadata: t.Any) -> Json:
    pod = {"metadata": {"name": "prometheus", "labels": USE if labels is None else labels, **metadata}}
    return api.post(f"/api/v1/namespaces/{namespace}/pods", {**pod, "spec": support.pod_spec()})


def environment(pod: Json, container: int = 0) -> dict[str, str]:
    return {item["name"]: item["value"] for item in pod["spec"]["containers"][container]["env"] if "value" in item}


def set_image(api: support.Api, image: str) -> None:
    deployment = api.server.get("Deployment", "kube-system", DEPLOYMENT)
    assert deployment is not None
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = image
    api.server.seed({key: deployment[key] for key in ("apiVersion", "kind", "metadata", "spec")})


def test_it_comes_and_goes_with_the_flag(api: support.Api) -> None:
    path = f"/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{CONFIGURATION}"
    assert api.get(path)["webhooks"][0]["failurePolicy"] == "Fail"
    deployment = api.get(f"/apis/apps/v1/namespaces/kube-system/deployments/{DEPLOYMENT}")
    assert deployment["status"]["readyReplicas"] == 2
    switch(api, on=False)
    assert api.call("GET", path).status_code == 404
    assert api.get("/api/v1/namespaces/kube-system/pods")["items"] == []


def test_a_labelled_pod_gets_the_token_and_its_variables(api: support.Api) -> None:
    pod = made(api)
    variables = environment(pod)
    assert variables["AZURE_FEDERATED_TOKEN_FILE"] == f"{OLD}/azure-identity-token"
    assert "AZURE_CLIENT_ID" not in variables  # without the annotation on the service account
    (volume,) = [item for item in pod["spec"]["volumes"] if item["name"] == "azure-identity-token"]
    token = volume["projected"]["sources"][0]["serviceAccountToken"]
    assert token["audience"] == "api://AzureADTokenExchange"
    assert OLD in [mount["mountPath"] for mount in pod["spec"]["containers"][0]["volumeMounts"]]


def test_the_path_moves_with_version_1_6(api: support.Api) -> None:
    set_image(api, "mcr.microsoft.com/oss/v2/azure/workload-identity/webhook:v1.6.0")
    assert environment(made(api))["AZURE_FEDERATED_TOKEN_FILE"] == f"{NEW}/azure-identity-token"


def test_pods_without_the_label_and_those_of_kube_system_are_left_alone(api: support.Api) -> None:
    assert "AZURE_FEDERATED_TOKEN_FILE" not in environment(made(api, labels={"app": "x"}))
    assert "AZURE_FEDERATED_TOKEN_FILE" not in environment(made(api, "kube-system"))


def test_containers_can_be_skipped(api: support.Api) -> None:
    annotations = {"azure.workload.identity/skip-containers": "other; prometheus"}
    assert "AZURE_FEDERATED_TOKEN_FILE" not in environment(made(api, annotations=annotations))


def test_without_a_ready_pod_of_its_own_labelled_pods_are_refused(api: support.Api) -> None:
    deployment = api.server.get("Deployment", "kube-system", DEPLOYMENT)
    assert deployment is not None
    api.server.seed({**deployment, "spec": {**deployment["spec"], "replicas": 0}})
    answer = api.call("POST", PODS, {"metadata": {"name": "prometheus", "labels": USE}, "spec": support.pod_spec()})
    assert answer.status_code == 500
    assert "failed calling webhook" in answer.get_json()["message"]
    assert made(api, labels={"app": "x"})["metadata"]["name"] == "prometheus"
