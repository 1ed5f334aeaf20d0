# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes objects of an ordinary Prometheus, with the defaults that an API server fills in.

Shape: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/
"""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from sandbox.world import Json

NAMESPACE = "monitoring"
CONFIG_MAP = "prometheus-config"
CONFIG_KEY = "prometheus.yml"
WORKLOAD_KIND = "Deployment"
WORKLOAD = "prometheus"
CONTAINER = "prometheus"

_LABELS = {"app.kubernetes.io/name": "prometheus", "app.kubernetes.io/part-of": "monitoring"}
_SELECTOR = {"app.kubernetes.io/name": "prometheus"}


def namespace(name: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }


def service_account(
    name: str, *, labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None
) -> Json:
    metadata: Json = {"name": name, "namespace": NAMESPACE}
    if labels:
        metadata["labels"] = labels
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def config_map(prometheus_yml: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG_MAP, "namespace": NAMESPACE, "labels": dict(_LABELS)},
        "data": {CONFIG_KEY: prometheus_yml, "alerts.yml": "groups: []\n"},
    }


def service() -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": WORKLOAD, "namespace": NAMESPACE, "labels": dict(_LABELS)},
        "spec": {
            "type": "ClusterIP",
            "selector": dict(_SELECTOR),
            "ports": [{"name": "http", "port": 9090, "protocol": "TCP", "targetPort": "http"}],
        },
    }


def deployment() -> Json:
    """Prometheus with a sidecar that reloads it; it runs as the namespace's default service account."""
    config_mount = {"name": "config", "mountPath": "/etc/prometheus", "readOnly": True}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": WORKLOAD,
            "namespace": NAMESPACE,
            "labels": dict(_LABELS),
            "annotations": {"deployment.kubernetes.io/revision": "1"},
        },
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": dict(_SELECTOR)},
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {
                    "labels": dict(_LABELS),
                    "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
                },
                "spec": {
                    "securityContext": {"runAsNonRoot": True, "runAsUser": 65534, "fsGroup": 65534},
                    "containers": [_prometheus(config_mount), _config_reloader(config_mount)],
                    "volumes": [
                        {"name": "config", "configMap": {"name": CONFIG_MAP, "defaultMode": 420}},
                        {"name": "data", "emptyDir": {"sizeLimit": "10Gi"}},
                    ],
                    "restartPolicy": "Always",
                    "dnsPolicy": "ClusterFirst",
                    "schedulerName": "default-scheduler",
                    "terminationGracePeriodSeconds": 300,
                },
            },
        },
        "status": {
            "observedGeneration": 1,
            "replicas": 1,
            "updatedReplicas": 1,
            "readyReplicas": 1,
            "availableReplicas": 1,
        },
    }


def _container(name: str, image: str) -> Json:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
    }


def _prometheus(config_mount: Json) -> Json:
    return {
        **_container(CONTAINER, "quay.io/prometheus/prometheus:v3.5.0"),
        "args": [
            "--config.file=/etc/prometheus/prometheus.yml",
            "--storage.tsdb.path=/prometheus",
            "--storage.tsdb.retention.time=6h",
            "--web.enable-lifecycle",
        ],
        "env": [
            {"name": "GOMEMLIMIT", "value": "1800MiB"},
            {
                "name": "POD_NAME",
                "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}},
            },
        ],
        "ports": [{"name": "http", "containerPort": 9090, "protocol": "TCP"}],
        "readinessProbe": {
            "httpGet": {"path": "/-/ready", "port": "http", "scheme": "HTTP"},
            "periodSeconds": 5,
            "timeoutSeconds": 4,
            "successThreshold": 1,
            "failureThreshold": 120,
        },
        "resources": {"limits": {"memory": "2Gi"}, "requests": {"cpu": "250m", "memory": "1Gi"}},
        "volumeMounts": [dict(config_mount), {"name": "data", "mountPath": "/prometheus"}],
    }


def _config_reloader(config_mount: Json) -> Json:
    return {
        **_container("config-reloader", "quay.io/prometheus-operator/prometheus-config-reloader:v0.85.0"),
        "args": [
            "--watched-dir=/etc/prometheus",
            "--reload-url=http://127.0.0.1:9090/-/reload",
        ],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "volumeMounts": [dict(config_mount)],
    }
