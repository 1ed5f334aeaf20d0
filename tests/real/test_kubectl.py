# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real kubectl reads back what the modules wrote onto a real API server, and the real webhook changes real pods."""

from __future__ import annotations

import json
import subprocess
import typing as t

import pytest

from demo.runs import clean_environment
from sandbox import manifests
from tests.real.kubelet import Failure
from tests.real.programs import wait_until
from tests.real.webhook import CONFIGURATION, CONTROLLER, LABEL, RELEASES, WEBHOOK

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.world import Json
    from tests.real.cluster import Cluster
    from tests.real.conftest import RealEstate
    from tests.real.parts import Parts

_SECONDS = 30.0


class Kubectl:
    """The real kubectl, with the kubeconfig of one cluster."""

    def __init__(self, program: Path, cluster: Cluster) -> None:
        self._command = [str(program), "--kubeconfig", str(cluster.kubeconfig)]

    def run(self, *arguments: str, given: str = "", code: int = 0) -> str:
        finished = subprocess.run(  # noqa: S603  # no shell, and the tests' own arguments
            [*self._command, *arguments],
            input=given,
            env=clean_environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert finished.returncode == code, finished.stderr
        return finished.stdout

    def get(self, *arguments: str) -> Json:
        document: Json = json.loads(self.run("get", *arguments, "-o", "json"))
        return document


@pytest.fixture(scope="module")
def kubectl(federated: RealEstate, parts: Parts) -> Kubectl:
    """Of the cluster ``fresh``, for which the playbook has been run."""
    return Kubectl(parts.program("kubectl", "kubectl"), federated.clusters["fresh"])


def test_the_service_account_is_what_the_guide_looks_for(kubectl: Kubectl) -> None:
    stored = kubectl.get("serviceaccount", "prometheus-sa", "-n", manifests.NAMESPACE)
    assert stored["metadata"]["labels"]["aks-amp.crosscloud.io/managed-by"] == "crosscloud.aks_amp"
    assert stored["metadata"]["annotations"]["azure.workload.identity/client-id"]


def test_the_pod_template_has_token_volume_mount_and_environment(kubectl: Kubectl) -> None:
    stored = kubectl.get("deployment", manifests.WORKLOAD, "-n", manifests.NAMESPACE)
    pod = stored["spec"]["template"]["spec"]
    container = next(one for one in pod["containers"] if one["name"] == manifests.CONTAINER)
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert pod["serviceAccountName"] == "prometheus-sa"
    assert variables["AWS_ROLE_ARN"].endswith(":role/AKS-Prometheus-AMP-Role-fresh")
    folder, _unused, name = variables["AWS_WEB_IDENTITY_TOKEN_FILE"].rpartition("/")
    mount = next(one for one in container["volumeMounts"] if one["mountPath"] == folder)
    volume = next(one for one in pod["volumes"] if one["name"] == mount["name"])
    (source,) = volume["projected"]["sources"]
    assert source["serviceAccountToken"]["audience"] == "sts.amazonaws.com"
    assert source["serviceAccountToken"]["path"] == name
    assert variables["GOMEMLIMIT"] == "1800MiB"


def test_what_was_written_is_what_a_server_would_keep(kubectl: Kubectl) -> None:
    """Sent again, by a server-side dry run, the objects are the same."""
    for kind, name in (("configmap", manifests.CONFIG_MAP), ("deployment", manifests.WORKLOAD)):
        text = kubectl.run("get", kind, name, "-n", manifests.NAMESPACE, "-o", "json")
        answered = json.loads(kubectl.run("replace", "--dry-run=server", "-o", "json", "-f", "-", given=text))
        before = json.loads(text)
        for part in ("data", "spec"):
            assert answered.get(part) == before.get(part)
        assert kubectl.run("diff", "-f", "-", given=text) == ""


def test_the_configuration_keeps_the_owners_lines(kubectl: Kubectl) -> None:
    text = kubectl.get("configmap", manifests.CONFIG_MAP, "-n", manifests.NAMESPACE)["data"][manifests.CONFIG_KEY]
    assert "# agreed with the application teams" in text
    assert "url: https://metrics.example.net/api/v1/push" in text
    assert "aps-workspaces." in text


def test_tokens_of_the_service_account_are_for_aws_when_they_are_asked_to(kubectl: Kubectl) -> None:
    token = kubectl.run(
        *("create", "token", "prometheus-sa", "-n", manifests.NAMESPACE),
        *("--audience", "sts.amazonaws.com", "--duration", "600s"),
    )
    assert token.count(".") == 2


def test_a_pod_that_fails_shows_why_and_its_log_can_be_read(real_estate: RealEstate, kubectl: Kubectl) -> None:
    node = real_estate.clusters["fresh"].node
    reason, line = "CrashLoopBackOff", 'err="could not get SigV4 credentials"'
    node.fail(Failure("prometheus-*", manifests.CONTAINER, reason, "back-off 10s", f"{line}\n"))
    selector = ("-n", manifests.NAMESPACE, "-l", "app.kubernetes.io/name=prometheus")

    def waits() -> bool:
        states = [
            (status["name"], (status["state"].get("waiting") or {}).get("reason"))
            for pod in kubectl.get("pods", *selector)["items"]
            for status in pod.get("status", {}).get("containerStatuses", [])
        ]
        return (manifests.CONTAINER, reason) in states

    try:
        assert wait_until(waits, _SECONDS)
        assert line in kubectl.run("logs", *selector, "-c", manifests.CONTAINER)
    finally:
        node.heal()
    assert wait_until(lambda: not waits(), _SECONDS)


@pytest.fixture
def webhook_version(request: pytest.FixtureRequest, real_estate: RealEstate) -> Iterator[str]:
    webhook = real_estate.clusters["fresh"].webhook
    webhook.install(request.param)
    yield request.param
    webhook.remove()


@pytest.mark.parametrize("webhook_version", sorted(RELEASES), indirect=True)
def test_the_webhook_changes_labelled_pods_only(kubectl: Kubectl, webhook_version: str) -> None:
    registered = kubectl.get("mutatingwebhookconfigurations", CONFIGURATION)
    assert [one["name"] for one in registered["webhooks"]] == [WEBHOOK]
    image = kubectl.get("deployment", CONTROLLER, "-n", "kube-system")["spec"]["template"]["spec"]["containers"][0][
        "image"
    ]
    assert image.endswith(f":v{webhook_version}")
    for label, changed in (({LABEL: "true"}, True), ({}, False)):
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"generateName": "probe-", "namespace": manifests.NAMESPACE, "labels": label},
            "spec": {"serviceAccountName": "prometheus-sa", "containers": [{"name": "main", "image": "none"}]},
        }
        text = json.dumps(pod)
        made = json.loads(kubectl.run("create", "--dry-run=server", "-o", "json", "-f", "-", given=text))
        container = made["spec"]["containers"][0]
        variables = {one["name"]: one["value"] for one in container.get("env", [])}
        assert ("AZURE_FEDERATED_TOKEN_FILE" in variables) is changed
        if changed:
            release = RELEASES[webhook_version]
            assert variables["AZURE_FEDERATED_TOKEN_FILE"] == release.token_file
            assert variables["AZURE_CLIENT_ID"]
            assert container["volumeMounts"][-1] == {
                "name": release.volume,
                "mountPath": release.folder,
                "readOnly": True,
            }
