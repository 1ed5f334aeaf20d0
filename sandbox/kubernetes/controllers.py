# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster does by itself after a write: namespaces, default service accounts, garbage, workloads, pods."""

from __future__ import annotations

from sandbox.kubernetes import kinds
from sandbox.kubernetes.azure_webhook import NAMESPACE
from sandbox.kubernetes.kinds import Resource
from sandbox.kubernetes.objects import SystemWriter, now
from sandbox.kubernetes.ownership import Workshop
from sandbox.kubernetes.pods import Pods
from sandbox.kubernetes.prometheus_operator import PrometheusOperator
from sandbox.kubernetes.store import Store
from sandbox.kubernetes.workloads import Workloads
from sandbox.world import AksCluster, Json

INITIAL_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
ROOT_CA = "kube-root-ca.crt"

_MAX_ROUNDS = 200  # rolling updates take one for each pod


class Controllers:
    """The controllers of one cluster. They finish within the request that gave them work."""

    def __init__(self, cluster: AksCluster, store: Store, writer: SystemWriter, pods: Pods) -> None:
        self._cluster = cluster
        self._store = store
        self._writer = writer
        self._pods = pods
        workshop = Workshop(store, writer, pods)
        self._operator = PrometheusOperator(workshop)
        self._workloads = Workloads(workshop)

    def make_initial_namespaces(self) -> None:
        for name in INITIAL_NAMESPACES:
            namespace: Json = {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
                "spec": {"finalizers": ["kubernetes"]},
                "status": {"phase": "Active"},
            }
            self._writer.create(kinds.NAMESPACES, namespace, "kube-apiserver")
            self.settle(name)

    def follow_azure(self) -> None:
        """Let the add-ons be as the cluster's resource in Azure says."""
        if self._pods.webhook.follow_azure():
            self.settle(NAMESPACE)

    def settle(self, namespace: str) -> None:
        """Let the controllers work on a namespace until none has anything left to do."""
        for _unused in range(_MAX_ROUNDS):
            before = self._store.version
            self._round(namespace)
            if self._store.version == before:
                return
        raise RuntimeError(f"The controllers do not come to rest in the namespace {namespace!r}.")

    def _round(self, name: str) -> None:
        namespace = self._store.find(kinds.NAMESPACES, "", name)
        if namespace is None:
            return
        if "deletionTimestamp" in namespace["metadata"]:
            self._empty(namespace)
            return
        self._furnish(name)
        self._collect_garbage(name)
        self._operator.reconcile(name)
        self._workloads.reconcile(name)
        self._pods.start_pending(name)

    def _furnish(self, namespace: str) -> None:
        """Each namespace has a default service account and the API server's certificate authority."""
        place = {"namespace": namespace}
        if self._store.find(kinds.SERVICE_ACCOUNTS, namespace, "default") is None:
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", **place}}
            self._writer.create(kinds.SERVICE_ACCOUNTS, account)
        if self._store.find(kinds.CONFIG_MAPS, namespace, ROOT_CA) is None:
            text = (
                "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such"
                " as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across"
                " distributions of Kubernetes clusters."
            )
            metadata = {"name": ROOT_CA, **place, "annotations": {"kubernetes.io/description": text}}
            data = {"ca.crt": self._cluster.api_server_ca}
            bundle = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
            self._writer.create(kinds.CONFIG_MAPS, bundle)

    def _collect_garbage(self, namespace: str) -> None:
        """Delete objects all of whose owners are gone."""
        content = self._store.content(namespace)
        alive = {obj["metadata"]["uid"] for _unused, obj in content}
        alive |= {obj["metadata"]["uid"] for r in kinds.STORED if not r.namespaced for obj in self._store.select(r)}
        for resource, obj in content:
            owners = obj["metadata"].get("ownerReferences", [])
            if owners and not any(owner["uid"] in alive for owner in owners):
                self.discard(resource, obj)

    def _empty(self, namespace: Json) -> None:
        """Delete what a terminating namespace holds, then itself; finalizers of its objects hold it up."""
        name = namespace["metadata"]["name"]
        for resource, obj in self._store.content(name):
            self.discard(resource, obj)
        if not self._store.content(name):
            self._writer.remove(kinds.NAMESPACES, namespace)

    def discard(self, resource: Resource, obj: Json) -> Json:
        """Delete an object, or only mark it while it has finalizers. Gives its last state."""
        metadata = obj["metadata"]
        if not metadata.get("finalizers"):
            self._writer.remove(resource, obj)
            return obj
        if "deletionTimestamp" in metadata:
            return obj
        marked = metadata | {"deletionTimestamp": now(), "deletionGracePeriodSeconds": 0}
        return self._writer.update(resource, obj, {"metadata": marked})
