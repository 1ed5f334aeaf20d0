# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What prometheus-operator makes of a ``Prometheus`` or ``PrometheusAgent``: its stateful sets, or its daemon set.

Names, labels and the merge of the pods are the operator's; of the configuration, what is about remote write is written.
A resource whose pods the API server would refuse keeps its old ones, and its status says why.
Source: ``pkg/prometheus`` of prometheus-operator.
"""

from __future__ import annotations

import base64
import copy
import gzip
import re
import typing as t

import yaml

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
_CONFIG_KEY = "prometheus.yaml.gz"
_CREDENTIALS = frozenset({"authorization", "azureAd", "basicAuth", "bearerToken", "bearerTokenFile", "oauth2"})
_SPELLED = {
    "externalID": "external_id",
    "retryOnRateLimit": "retry_on_http_429",
    "useFIPSSTSEndpoint": "use_fips_sts_endpoint",
}
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
        self._write_configuration(resource, found, base)
        if not problems:
            for manifest in wanted:
                self._ensure(kind, found, manifest)
            self._remove_others(kind, found, {manifest["metadata"]["name"] for manifest in wanted})
        self._write_status(resource, found, "; ".join(problems))

    def _write_configuration(self, resource: Resource, found: Json, base: str) -> None:
        text = yaml.safe_dump(_configuration(found), sort_keys=False)
        metadata = {
            "name": base,
            "namespace": namespace_of(found),
            "labels": {"managed-by": "prometheus-operator"},
            "ownerReferences": [owner_reference(resource, found)],
        }
        packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
        self._ensure(kinds.SECRETS, found, {"metadata": metadata, "data": {_CONFIG_KEY: packed}})

    def _ensure(self, kind: Resource, owner: Json, manifest: Json) -> None:
        store, writer = self._workshop.store, self._workshop.writer
        present = store.find(kind, namespace_of(owner), manifest["metadata"]["name"])
        wanted = _completed(kind, manifest)
        if present is None:
            writer.create(kind, wanted, _MANAGER)
        elif owned_by(owner, present):
            kept = {name: value for name, value in present["metadata"].items() if name not in ("labels", "annotations")}
            content: Json = {part: wanted[part] for part in ("spec", "data") if part in wanted}
            writer.update(kind, present, {"metadata": kept | wanted["metadata"], **content}, _MANAGER)

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


def _configuration(found: Json) -> Json:
    """What the operator writes for Prometheus, but for scraping and rules. Credentials of others are left out."""
    spec, metadata = found["spec"], found["metadata"]
    own = {
        spec.get("prometheusExternalLabelName", "prometheus"): f"{metadata['namespace']}/{metadata['name']}",
        spec.get("replicaExternalLabelName", "prometheus_replica"): "$(POD_NAME)",
    }
    labels = {name: value for name, value in spec.get("externalLabels", {}).items() if name not in own}
    entries = [
        {_setting(name): _settings(value) for name, value in entry.items() if name not in _CREDENTIALS}
        for entry in spec.get("remoteWrite", [])
    ]
    return {"global": {"external_labels": labels | own}, **({"remote_write": entries} if entries else {})}


def _settings(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {_setting(name): _settings(item) for name, item in value.items()}
    return [_settings(item) for item in value] if isinstance(value, list) else value


def _setting(field: str) -> str:
    """Prometheus' own name of one of the operator's fields."""
    return _SPELLED.get(field) or re.sub("([A-Z])", lambda match: f"_{match[1].lower()}", field)


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
            f"--config-file=/etc/prometheus/config/{_CONFIG_KEY}",
            "--config-envsubst-file=/etc/prometheus/config_out/prometheus.env.yaml",
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
