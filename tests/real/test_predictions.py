# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What check mode predicts of a pod template and of a configuration is what a real API server stores."""

from __future__ import annotations

import functools
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KubeAuth
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import prometheus_remote_write as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.remote_write_removal import (
    RemovalResource,
    RemovalWish,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.remote_write_wish import Wish
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context
from sandbox.kubernetes import kinds
from sandbox.kubernetes.external import ExternalApi
from tests.unit.plugins.module_utils._resources.aws_modules import params_of
from tests.unit.plugins.module_utils._resources.prometheus_targets import TARGETS, Target

if t.TYPE_CHECKING:
    from tests.real.cluster import Cluster

Json = dict[str, t.Any]

_TEXT = "# Owner: platform team\nscrape_configs:\n  - job_name: prometheus  # keep\n"
_WISH: Json = {
    "service_account": "prometheus-sa",
    "role_arn": "arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role",
    "region": "eu-west-1",
    "remote_write_url": "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write",
    "pod_label": True,
    "rollout": "none",
}
#: What controllers, not requests, write.
_OF_CONTROLLERS = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")


def _path(kind: str, namespace: str) -> str:
    found = kinds.find_kind(kind)
    assert found is not None
    root = f"/apis/{found.api_version}" if found.group else f"/api/{found.version}"
    return f"{root}/namespaces/{namespace}/{found.plural}"


def _create(api: ExternalApi, path: str, manifest: Json) -> None:
    answer = api.send_json("POST", path, manifest)
    assert answer.status == 201, answer.body


def _annotations(found: Json) -> Json:
    annotations = found["metadata"].get("annotations") or {}
    return {name: value for name, value in annotations.items() if name not in _OF_CONTROLLERS}


def _start(api: ExternalApi, target: Target, namespace: str) -> None:
    """A Prometheus of that kind in a namespace of its own."""
    _create(api, "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "prometheus-sa"}}
    for manifest in (account, target.config(_TEXT), target.workload()):
        manifest["metadata"]["namespace"] = namespace
        _create(api, _path(manifest["kind"], namespace), manifest)


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_the_plan_and_the_rehearsal_predict_what_is_stored(clusters: dict[str, Cluster], target: Target) -> None:
    cluster = clusters["halfdone"]
    api, namespace = ExternalApi(cluster.external), f"predicted-{TARGETS.index(target)}"
    _start(api, target, namespace)
    client = KubeClient(KubeAuth(kubeconfig=str(cluster.kubeconfig)))
    given = {"namespace": namespace, **target.options}
    wish = Wish.from_params(params_of(resource.DEFINITION, {**_WISH, **given}), check_mode=False)
    removal = RemovalWish.from_params(
        params_of(resource.DEFINITION, {**given, "state": "absent", "rollout": _WISH["rollout"]})
    )
    makers: tuple[t.Callable[[], t.Any], ...] = (
        functools.partial(resource.RemoteWriteResource, wish, client, check_mode=False),
        functools.partial(RemovalResource, removal, client),
    )
    for make in makers:
        planned = make()
        predicted = planned.plan(planned.read()).predicted
        rehearsed = Context(check_mode=True).converge(make())
        assert [change.kind for change in rehearsed.changes] == [target.source, target.kind]
        assert not [warning for warning in rehearsed.warnings if "admission" in warning]
        Context(check_mode=False).converge(make())
        config, workload = client.get(wish.source.reference), client.get(wish.workload)
        assert config is not None
        assert workload is not None
        for state in (predicted, rehearsed.state):
            assert state.workload["spec"]["template"] == workload["spec"]["template"]
            assert _annotations(state.workload) == _annotations(workload)
            assert _annotations(state.config) == _annotations(config)
            for field in ("data", "binaryData"):
                assert state.config.get(field) == config.get(field)
    assert target.text(config) == _TEXT
    answer = api.send_json("DELETE", f"/api/v1/namespaces/{namespace}")
    assert answer.status in (200, 202)
