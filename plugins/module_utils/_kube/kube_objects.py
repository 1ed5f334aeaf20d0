# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The addresses of Kubernetes objects: the path that a request needs, and the words that people read."""

from __future__ import annotations

import dataclasses
import typing as t
import urllib.parse


@dataclasses.dataclass(frozen=True)
class ObjectKind:
    """A kind of object. ``api`` is its root below the server's URL: ``api/v1`` or ``apis/<group>/<version>``."""

    api: str
    plural: str
    name: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        """The API group, empty for the core group: RBAC's name for it."""
        return self.api.split("/")[1] if self.api.startswith("apis/") else ""

    @property
    def api_version(self) -> str:
        """The ``apiVersion`` of its objects."""
        return self.api.split("/", 1)[1]

    def at(self, name: str, namespace: str | None = None) -> ObjectReference:
        if self.namespaced != (namespace is not None):
            raise ValueError(f"A {self.name} {'needs a' if self.namespaced else 'has no'} namespace.")
        return ObjectReference(self, name, namespace)


NAMESPACE: t.Final = ObjectKind("api/v1", "namespaces", "Namespace", namespaced=False)
CONFIG_MAP: t.Final = ObjectKind("api/v1", "configmaps", "ConfigMap")
SERVICE_ACCOUNT: t.Final = ObjectKind("api/v1", "serviceaccounts", "ServiceAccount")
DEPLOYMENT: t.Final = ObjectKind("apis/apps/v1", "deployments", "Deployment")
STATEFUL_SET: t.Final = ObjectKind("apis/apps/v1", "statefulsets", "StatefulSet")
DAEMON_SET: t.Final = ObjectKind("apis/apps/v1", "daemonsets", "DaemonSet")
#: Kinds with a pod template, by their names.
WORKLOAD_KINDS: t.Final = {kind.name: kind for kind in (DEPLOYMENT, STATEFUL_SET, DAEMON_SET)}
#: prometheus-operator's kinds, from which it makes workload and configuration.
PROMETHEUS: t.Final = ObjectKind("apis/monitoring.coreos.com/v1", "prometheuses", "Prometheus")
PROMETHEUS_AGENT: t.Final = ObjectKind("apis/monitoring.coreos.com/v1alpha1", "prometheusagents", "PrometheusAgent")
OPERATOR_KINDS: t.Final = {kind.name: kind for kind in (PROMETHEUS, PROMETHEUS_AGENT)}
CUSTOM_RESOURCE_DEFINITION: t.Final = ObjectKind(
    "apis/apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)

POD: t.Final = ObjectKind("api/v1", "pods", "Pod")
EVENT: t.Final = ObjectKind("api/v1", "events", "Event")
SECRET: t.Final = ObjectKind("api/v1", "secrets", "Secret")
SERVICE: t.Final = ObjectKind("api/v1", "services", "Service")
VOLUME_CLAIM: t.Final = ObjectKind("api/v1", "persistentvolumeclaims", "PersistentVolumeClaim")
REPLICA_SET: t.Final = ObjectKind("apis/apps/v1", "replicasets", "ReplicaSet")
JOB: t.Final = ObjectKind("apis/batch/v1", "jobs", "Job")
CRON_JOB: t.Final = ObjectKind("apis/batch/v1", "cronjobs", "CronJob")
INGRESS: t.Final = ObjectKind("apis/networking.k8s.io/v1", "ingresses", "Ingress")
ROLE: t.Final = ObjectKind("apis/rbac.authorization.k8s.io/v1", "roles", "Role")
MUTATING_WEBHOOKS: t.Final = ObjectKind(
    "apis/admissionregistration.k8s.io/v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    namespaced=False,
)
ROLE_BINDING: t.Final = ObjectKind("apis/rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding")
REPLICATION_CONTROLLER: t.Final = ObjectKind("api/v1", "replicationcontrollers", "ReplicationController")
POD_TEMPLATE: t.Final = ObjectKind("api/v1", "podtemplates", "PodTemplate")
LIMIT_RANGE: t.Final = ObjectKind("api/v1", "limitranges", "LimitRange")
RESOURCE_QUOTA: t.Final = ObjectKind("api/v1", "resourcequotas", "ResourceQuota")
NETWORK_POLICY: t.Final = ObjectKind("apis/networking.k8s.io/v1", "networkpolicies", "NetworkPolicy")
DISRUPTION_BUDGET: t.Final = ObjectKind("apis/policy/v1", "poddisruptionbudgets", "PodDisruptionBudget")
POD_AUTOSCALER: t.Final = ObjectKind("apis/autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
RESOURCE_CLAIM: t.Final = ObjectKind("apis/resource.k8s.io/v1", "resourceclaims", "ResourceClaim")
CLAIM_TEMPLATE: t.Final = ObjectKind("apis/resource.k8s.io/v1", "resourceclaimtemplates", "ResourceClaimTemplate")
VOLUME_SNAPSHOT: t.Final = ObjectKind("apis/snapshot.storage.k8s.io/v1", "volumesnapshots", "VolumeSnapshot")
#: Kinds whose objects run pods.
POD_RUNNERS: t.Final = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, REPLICA_SET, JOB, CRON_JOB, POD)


@dataclasses.dataclass(frozen=True)
class ObjectReference:
    """One object."""

    kind: ObjectKind
    name: str
    namespace: str | None

    @property
    def collection_path(self) -> str:
        """Where objects of the kind are created."""
        scope = "" if self.namespace is None else f"/namespaces/{urllib.parse.quote(self.namespace, safe='')}"
        return f"/{self.kind.api}{scope}/{self.kind.plural}"

    @property
    def path(self) -> str:
        return f"{self.collection_path}/{urllib.parse.quote(self.name, safe='')}"

    @property
    def full_name(self) -> str:
        """``namespace/name``, or the name alone."""
        return self.name if self.namespace is None else f"{self.namespace}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind.name} {self.full_name}"
