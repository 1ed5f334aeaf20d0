# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What prometheus-operator makes of a ``Prometheus`` or ``PrometheusAgent``: its stateful sets, or its daemon set.

Names, labels and the merge of the pods are the operator's; the configuration itself is not generated. A resource whose
pods the API server would refuse keeps its old ones, and its status says why.
Source: ``pkg/prometheus`` of prometheus-operator.
"""

from __future__ import annotations

import copy
import typing as t

from sandbox.kubernetes import kinds
from sandbox.kubernetes.defaults import fill_defaults
from sandbox.kubernetes.kind_rules import check_object
from sandbox.kubernetes.kinds import Resource
from sandbox.kubernetes.objects import namespace_of
from sandbox.kubernetes.ownership import Workshop, owned_by, owner_reference
from sandbox.kubernetes.patches import apply_strategic_patch
from sandbox.kubernetes.strategy import prepare_create
from sandbox.world import Json

_MANAGER = "PrometheusOperator"
_DEFAULT_VERSION = "v3.5.0"
_PREFIXES = {kinds.PROMETHEUSES: "prometheus", kinds.PROMETHEUS_AGENTS: "prom-agent"}


class PrometheusOperator:
    """The operator's controller for both kinds."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def reconcile(self, namespace: str) -> None:
        for resource, prefix in _PREFIXES.items():
            for found in self._workshop.store.select(resource, namespace):
                if "deletionTimestamp" not in found["metadata"] and not found["spec"].get("paused"):
                    self._reconcile(resource, found, f"{prefix}-{found['metadata']['name']}")

    def _reconcile(self, resource: Resource, found: Json, base: str) -> None:
        kind, wanted = _wanted(resource, found, base)
        problems = [str(cause) for manifest in wanted for cause in check_object(kind, _completed(kind, manifest))]
        if not problems:
            for manifest in wanted:
                self._ensure(kind, found, manifest)
            self._remove_others(kind, found, {manifest["metadata"]["name"] for manifest in wanted})
        self._write_status(resource, found, "; ".join(problems))

    def _ensure(self, kind: Resource, owner: Json, manifest: Json) -> None:
        store, writer = self._workshop.store, self._workshop.writer
        present = store.find(kind, namespace_of(owner), manifest["metadata"]["name"])
        wanted = _completed(kind, manifest)
        if present is None:
            writer.create(kind, wanted, _MANAGER)
        elif owned_by(owner, present):
            kept = {name: value for name, value in present["metadata"].items() if name not in ("labels", "annotations")}
            writer.update(kind, present, {"metadata": kept | wanted["metadata"], "spec": wanted["spec"]}, _MANAGER)

    def _remove_others(self, kind: Resource, owner: Json, names: set[str]) -> None:
        """What earlier shards or another mode left."""
        for other in (kinds.STATEFUL_SETS, kinds.DAEMON_SETS):
            for obj in self._workshop.owned(other, owner):
                if other != kind or obj["metadata"]["name"] not in names:
                    self._workshop.writer.remove(other, obj)

    def _write_status(self, resource: Resource, found: Json, problem: str) -> None:
        generation = found["metadata"]["generation"]
        reconciled: Json = {"type": "Reconciled", "status": "True", "observedGeneration": generation}
        if problem:
            reconciled |= {"status": "False", "reason": "ReconciliationFailed", "message": problem}
        status = {"paused": False, "conditions": [reconciled]}
        self._workshop.writer.update(resource, found, {"status": status}, _MANAGER)


def _completed(kind: Resource, manifest: Json) -> Json:
    obj = copy.deepcopy(manifest) | {"apiVersion": kind.api_version, "kind": kind.kind}
    prepare_create(kind, obj)
    fill_defaults(kind, obj)
    return obj


def _wanted(resource: Resource, found: Json, base: str) -> tuple[Resource, list[Json]]:
    spec = found["spec"]
    if resource == kinds.PROMETHEUS_AGENTS and spec.get("mode") == "DaemonSet":
        # In this mode releases of the operator have ignored the volumes (its issue 7813).
        return kinds.DAEMON_SETS, [_workload(resource, found, base, {}, volumes=[])]
    shards = max(spec.get("shards", 1), 1)
    names = [base, *(f"{base}-shard-{number}" for number in range(1, shards))]
    fields = {"replicas": spec.get("replicas", 1), "serviceName": "prometheus-operated"}
    fields |= {"podManagementPolicy": "Parallel"}
    return kinds.STATEFUL_SETS, [
        _workload(resource, found, name, fields, volumes=spec.get("volumes", [])) for name in names
    ]


def _workload(resource: Resource, found: Json, name: str, fields: Json, *, volumes: list[Json]) -> Json:
    labels = {
        "app.kubernetes.io/name": resource.singular.replace("prometheusagent", "prometheus-agent"),
        "app.kubernetes.io/instance": found["metadata"]["name"],
        "app.kubernetes.io/managed-by": "prometheus-operator",
        "operator.prometheus.io/name": found["metadata"]["name"],
        "operator.prometheus.io/shard": name.partition("-shard-")[2] or "0",
    }
    pods = found["spec"].get("podMetadata", {})
    template = {
        "metadata": {
            "labels": pods.get("labels", {}) | labels,
            "annotations": {"kubectl.kubernetes.io/default-container": "prometheus", **pods.get("annotations", {})},
        },
        "spec": _pod_spec(found["spec"], name, volumes),
    }
    return {
        "metadata": {
            "name": name,
            "namespace": namespace_of(found),
            "labels": found["metadata"].get("labels", {}) | labels,
            "annotations": _annotations(found),
            "ownerReferences": [owner_reference(resource, found)],
        },
        "spec": {**fields, "selector": {"matchLabels": labels}, "template": template},
    }


def _annotations(found: Json) -> Json:
    """Those of the resource, but for kubectl's own."""
    annotations: Json = found["metadata"].get("annotations", {})
    return {name: value for name, value in annotations.items() if not name.startswith("kubectl.kubernetes.io/")}


def _pod_spec(spec: Json, name: str, volumes: list[Json]) -> Json:
    base = name.partition("-shard-")[0]
    image = spec.get("image") or f"quay.io/prometheus/prometheus:{spec.get('version', _DEFAULT_VERSION)}"
    out: Json = {"name": "config-out", "mountPath": "/etc/prometheus/config_out"}
    prometheus = {
        "name": "prometheus",
        "image": image,
        "args": ["--config.file=/etc/prometheus/config_out/prometheus.env.yaml", "--web.enable-lifecycle"],
        "ports": [{"name": spec.get("portName", "web"), "containerPort": 9090}],
        "volumeMounts": [
            out | {"readOnly": True},
            {"name": f"{base}-db", "mountPath": "/prometheus"},
            *spec.get("volumeMounts", []),
        ],
    }
    reloader = {
        "name": "config-reloader",
        "image": "quay.io/prometheus-operator/prometheus-config-reloader:v0.91.0",
        "args": [
            "--reload-url=http://localhost:9090/-/reload",
            "--config-file=/etc/prometheus/config/prometheus.yaml.gz",
        ],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/prometheus/config"}, out],
    }
    own = {"containers": [prometheus, reloader]}
    patch = {"containers": copy.deepcopy(spec.get("containers", []))}
    merged: list[t.Any] = apply_strategic_patch("V1PodSpec", own, patch)["containers"]
    pod: Json = {
        "containers": merged,
        "volumes": [
            {"name": "config", "secret": {"secretName": base}},
            {"name": "config-out", "emptyDir": {"medium": "Memory"}},
            {"name": f"{base}-db", "emptyDir": {}},
            *volumes,
        ],
    }
    return pod | ({"serviceAccountName": spec["serviceAccountName"]} if spec.get("serviceAccountName") else {})
