# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""prometheus-operator's resources on a real API server: predicted, written, strict about fields, taken back.

The operator itself does not run, so that rollouts are not followed.
"""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import prometheus_operator
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import prometheus_remote_write as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, Result
from sandbox.kubernetes.external import ExternalApi
from sandbox.kubernetes.monitoring import definitions
from tests.unit.plugins.module_utils._resources.aws_modules import params_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.real.cluster import Cluster

Json = dict[str, t.Any]

NAMESPACE = "operated"
URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"
OPTIONS: Json = {
    "namespace": NAMESPACE,
    "service_account": "prometheus-sa",
    "role_arn": "arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role",
    "region": "eu-west-1",
    "remote_write_url": URL,
    "pod_label": True,
    "name": "amp",
    "write_relabel_configs": [{"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"}, {"regex": 1}],
    "external_labels": {"team": "metrics"},
    "rollout": "none",
}
SPEC: Json = {
    "version": "v3.5.0",
    "volumes": [],
    "remoteWrite": [{"url": "https://metrics.example.net/api/v1/push", "bearerTokenFile": "/token"}],
    "containers": [{"name": "prometheus", "env": [{"name": "GOMEMLIMIT", "value": "1GiB"}]}],
}
PLACES = {
    "Prometheus": "apis/monitoring.coreos.com/v1",
    "PrometheusAgent": "apis/monitoring.coreos.com/v1alpha1",
}
PLURALS = {"Prometheus": "prometheuses", "PrometheusAgent": "prometheusagents"}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def path_of(kind: str) -> str:
    return f"/{PLACES[kind]}/namespaces/{NAMESPACE}/{PLURALS[kind]}"


def install(api: ExternalApi, release: tuple[int, int]) -> None:
    for definition in definitions(release):
        answer = api.send_json("POST", DEFINITIONS, definition)
        assert answer.status == 201, answer.body
    until(lambda: all(api.send("GET", path_of(kind)).status == 200 for kind in PLACES if release >= (0, 64)))


def until(condition: t.Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.fixture
def cluster(clusters: dict[str, Cluster]) -> Iterator[Cluster]:
    """A cluster with a namespace, and without definitions afterwards."""
    cluster = clusters["fresh"]
    api = ExternalApi(cluster.external)
    api.send_json("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    api.send_json("POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", {"metadata": {"name": "prometheus-sa"}})
    yield cluster
    for definition in definitions():
        path = f"{DEFINITIONS}/{definition['metadata']['name']}"
        api.send("DELETE", path)
        until(lambda path=path: api.send("GET", path).status == 404)


def run(cluster: Cluster, kind: str, *, check_mode: bool = False, **options: t.Any) -> Result:
    values = {
        **OPTIONS,
        "kubeconfig": str(cluster.kubeconfig),
        "workload_kind": kind,
        "workload_name": "k8s",
        **options,
    }
    return resource.DEFINITION.run(params_of(resource.DEFINITION, values), Context(check_mode=check_mode))


@pytest.mark.parametrize("kind", PLACES)
def test_what_is_predicted_is_stored_and_taken_back(cluster: Cluster, kind: str) -> None:
    api = ExternalApi(cluster.external)
    install(api, (0, 91))
    manifest = {
        "apiVersion": PLACES[kind].removeprefix("apis/"),
        "kind": kind,
        "metadata": {"name": "k8s"},
        "spec": SPEC,
    }
    made = api.send_json("POST", path_of(kind), manifest)
    assert made.status == 201, made.body
    before = made.json()["spec"]
    for options in ({}, {"state": "absent", "remote_write_url": None}):
        checked = run(cluster, kind, check_mode=True, **options)
        assert checked.warnings == () or not any("admission" in warning for warning in checked.warnings)
        applied = run(cluster, kind, **options)
        assert [change.diff() for change in applied.changes] == [change.diff() for change in checked.changes]
        assert len(applied.changes) == 1
        assert run(cluster, kind, **options).changes == ()
        stored = api.send("GET", f"{path_of(kind)}/k8s").json()
        expected = prometheus_operator.predicted(made.json(), applied.changes[0].operation)
        if not options:
            assert stored["spec"] == expected["spec"]
            assert stored["spec"]["remoteWrite"][1]["sigv4"] == {"region": "eu-west-1"}
    assert stored["spec"] == before
    assert "annotations" not in stored["metadata"]


def test_what_the_definition_does_not_know_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    api = ExternalApi(cluster.external)
    install(api, (0, 50))
    until(lambda: api.send("GET", path_of("Prometheus")).status == 200)
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": "k8s"},
        "spec": SPEC,
    }
    assert api.send_json("POST", path_of("Prometheus"), manifest).status == 201
    for check_mode in (True, False):
        with pytest.raises(errors.Refused, match=r"does not know spec\.remoteWrite\.sigv4.*prometheus-operator 0\.50"):
            run(cluster, "Prometheus", check_mode=check_mode)
    # Without the definition the API server, or what it answers, tells.
    monkeypatch.setattr(prometheus_operator.OperatorResource, "_known_fields", lambda _self: None)
    with pytest.raises(errors.Refused, match=r"does not know spec\.remoteWrite\.sigv4"):
        run(cluster, "Prometheus", check_mode=True)


def test_a_kind_that_is_not_there(cluster: Cluster) -> None:
    with pytest.raises(errors.NotFound, match="does not know the kind Prometheus"):
        run(cluster, "Prometheus")
