# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods as the cluster makes and runs them: admission, the token volume, and a kubelet that starts everything at once.

Nothing is executed: a pod that was admitted is running and ready from then on, whatever its image would do, unless a
fate was set for it (:mod:`sandbox.kubernetes.fates`), or a program runs for those that are to end.
Source: ``plugin/pkg/admission/serviceaccount`` of Kubernetes.
"""

from __future__ import annotations

import copy
import hashlib
import itertools
import typing as t

from sandbox.kubernetes import errors, kinds
from sandbox.kubernetes.azure_webhook import AzureWebhook
from sandbox.kubernetes.defaults import MODE, fill_defaults
from sandbox.kubernetes.fates import STARTING, Fate, FateKind, Fates, struck
from sandbox.kubernetes.logs import Logs
from sandbox.kubernetes.objects import SystemWriter, now, random_suffix
from sandbox.kubernetes.prometheus_pods import PrometheusPods
from sandbox.kubernetes.store import Store
from sandbox.world import AksCluster, Json

_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_TOKEN_SECONDS = 3607  # a kubelet asks for seven seconds more than an hour
_NOT_READY_SECONDS = 300
_TEMPLATE_METADATA = ("annotations", "finalizers", "labels")  # a template's other metadata means nothing
_PODS_OF_A_NODE = 30  # AKS's default for Azure CNI


class Pods:
    """Makes the pods of one cluster."""

    def __init__(self, cluster: AksCluster, store: Store, writer: SystemWriter) -> None:
        self._cluster = cluster
        self._store = store
        self._writer = writer
        self.webhook = AzureWebhook(cluster, store, writer)
        self._numbers = itertools.count(1)
        self.logs = Logs()
        self.fates = Fates()
        self.prometheus = PrometheusPods(store, self.fates, self.logs.append)
        #: Is given each pod that is to run to its end when it has been started.
        self.begin_program: t.Callable[[Json], None] | None = None

    def nodes(self) -> list[str]:
        """The names of the cluster's nodes, as AKS names virtual machines of its scale sets."""
        number = int(hashlib.sha256(self._cluster.body["id"].encode()).hexdigest(), 16) % 10**8
        return [
            f"aks-{pool['name']}-{number:08d}-vmss{index:06d}"
            for pool in self._pools()
            for index in range(pool.get("count", 1))
        ]

    def _pools(self) -> list[Json]:
        pools: list[Json] = self._cluster.body["properties"].get("agentPoolProfiles") or []
        return pools or [{"name": "nodepool1", "count": 1}]

    def _check_room(self, pod: Json) -> None:
        """A cluster of virtual machines leaves pods pending when it is full; this one refuses them by a quota."""
        room = sum(pool.get("count", 1) * (pool.get("maxPods") or _PODS_OF_A_NODE) for pool in self._pools())
        used = len(self._store.select(kinds.PODS))
        if used >= room:
            because = f"exceeded quota: nodes, requested: pods=1, used: pods={used}, limited: pods={room}"
            raise errors.forbidden(kinds.PODS, _called(pod), because)

    def admit(self, pod: Json) -> None:
        """Give a pod its service account, the token volume and tolerations, in place.

        :raises ApiError: 403, the service account does not exist or the cluster is full; 500, by a webhook.
        """
        self._check_room(pod)
        refusal = self.fates.of(pod, FateKind.REFUSED)
        if refusal is not None:
            because = "exceeded quota: compute, requested: pods=1, used: pods=1, limited: pods=1"
            raise errors.forbidden(kinds.PODS, _called(pod), refusal.message or because)
        spec, namespace = pod["spec"], pod["metadata"]["namespace"]
        name = spec.get("serviceAccountName", "default")
        account = self._store.find(kinds.SERVICE_ACCOUNTS, namespace, name)
        if account is None:
            because = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
            raise errors.forbidden(kinds.PODS, _called(pod), because)
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        if spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken", True)):
            _mount_token(spec)
        if "imagePullSecrets" not in spec and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = copy.deepcopy(account["imagePullSecrets"])
        spec["tolerations"] = spec.get("tolerations", []) + [
            {
                "key": f"node.kubernetes.io/{taint}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": _NOT_READY_SECONDS,
            }
            for taint in ("not-ready", "unreachable")
        ]
        spec.setdefault("priority", 0)
        spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
        pod["status"] = {"phase": "Pending", "qosClass": _quality(spec)}
        self.webhook.admit(pod)

    def create(self, namespace: str, template: Json, metadata: Json, manager: str = "kube-controller-manager") -> Json:
        """Make a pod from a template for a controller.

        ``metadata`` has the name or the generateName, the owner, and labels beside the template's.

        :raises ApiError: 403, as by :meth:`admit`.
        """
        given = template.get("metadata", {})
        of_template = {name: copy.deepcopy(given[name]) for name in _TEMPLATE_METADATA if name in given}
        labels = of_template.get("labels", {}) | metadata.get("labels", {})
        pod: Json = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": of_template | metadata | {"namespace": namespace, "labels": labels},
            "spec": copy.deepcopy(template["spec"]),
        }
        if not labels:
            del pod["metadata"]["labels"]
        fill_defaults(kinds.PODS, pod)
        self.admit(pod)
        return self._writer.create(kinds.PODS, pod, manager)

    def start_pending(self, namespace: str) -> None:
        """What scheduler and kubelet do: bind pending pods to nodes and run them."""
        for pod in self._store.select(kinds.PODS, namespace):
            if pod["status"].get("phase") == "Pending" and "conditions" not in pod["status"]:
                self._start(pod)

    def restart_struck(self) -> list[str]:
        """Let the pods that did not come to run begin anew. Gives their namespaces."""
        namespaces = []
        for pod in self._store.select(kinds.PODS):
            if not is_ready(pod) and "conditions" in pod["status"] and not is_finished(pod):
                status = {"phase": "Pending", "qosClass": pod["status"]["qosClass"]}
                self._writer.update(kinds.PODS, pod, {"status": status}, "kubelet")
                namespaces.append(pod["metadata"]["namespace"])
        return namespaces

    def _start(self, pod: Json) -> None:
        number = next(self._numbers)
        fate = self.fates.of(pod, *STARTING)
        if fate is not None:
            self._strike(pod, fate)
        if fate is not None and fate.kind is FateKind.UNSCHEDULABLE:
            return
        nodes = self.nodes()
        node = pod["spec"].get("nodeName") or nodes[number % len(nodes)]
        bound = self._writer.update(kinds.PODS, pod, {"spec": pod["spec"] | {"nodeName": node}}, "kube-scheduler")
        address = f"10.244.{number // 250 % 250}.{number % 250 + 2}"
        status = _running(bound, address)
        if fate is not None:
            status = _struck_status(bound, status, fate)
        started = self._writer.update(kinds.PODS, bound, {"status": status}, "kubelet")
        if fate is None:
            self.prometheus.started(bound)
            if self.begin_program is not None and started["spec"]["restartPolicy"] == "Never":
                self.begin_program(started)

    def _strike(self, pod: Json, fate: Fate) -> None:
        """What a fate leaves beside the pod's status: its event, and the log of a container that ends."""
        container = _struck_container(pod, fate)
        looks = struck(pod, container, fate)
        if looks.crashed:
            self.logs.end(pod, container["name"], fate.message)
        if not looks.scheduled:
            self._writer.update(kinds.PODS, pod, {"status": _unscheduled(pod, fate)}, "kube-scheduler")
        if looks.event is not None:
            self._report(pod, *looks.event, "kubelet" if looks.scheduled else "default-scheduler")

    def _report(self, pod: Json, reason: str, message: str, component: str) -> None:
        metadata, moment = pod["metadata"], now()
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"{metadata['name']}.{random_suffix(16)}", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "reason": reason,
            "message": message,
            "type": "Warning",
            "count": 4,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "source": {"component": component},
            "reportingComponent": component,
        }
        self._writer.create(kinds.EVENTS, event, component)


def _called(pod: Json) -> str:
    metadata = pod["metadata"]
    name: str = metadata.get("name") or metadata.get("generateName", "")
    return name


def _mount_token(spec: Json) -> None:
    if all(_has_token(container) for container in _all_containers(spec)):
        return
    volume = f"kube-api-access-{random_suffix()}"
    mount = {"name": volume, "readOnly": True, "mountPath": _TOKEN_PATH}
    for container in _all_containers(spec):
        if not _has_token(container):
            container["volumeMounts"] = [*container.get("volumeMounts", []), dict(mount)]
    sources = [
        {"serviceAccountToken": {"expirationSeconds": _TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {
            "downwardAPI": {
                "items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]
            }
        },
    ]
    projected = {"sources": sources, "defaultMode": MODE}
    spec["volumes"] = [*spec.get("volumes", []), {"name": volume, "projected": projected}]


def _all_containers(spec: Json) -> list[Json]:
    containers: list[Json] = spec.get("initContainers", []) + spec.get("containers", [])
    return containers


def _has_token(container: Json) -> bool:
    return any(mount.get("mountPath") == _TOKEN_PATH for mount in container.get("volumeMounts", []))


def _quality(spec: Json) -> str:
    """The quality-of-service class: https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/"""
    resources = [container["resources"] for container in _all_containers(spec)]
    if not any(resources):
        return "BestEffort"
    guaranteed = all(
        {"cpu", "memory"} <= r.get("limits", {}).keys() and r.get("requests", r["limits"]) == r["limits"]
        for r in resources
    )
    return "Guaranteed" if guaranteed else "Burstable"


def _running(pod: Json, address: str) -> Json:
    moment = now()
    conditions = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    status: Json = {
        "observedGeneration": pod["metadata"]["generation"],
        "phase": "Running",
        "conditions": [{"type": c, "status": "True", "lastTransitionTime": moment} for c in conditions],
        "hostIP": "10.224.0.4",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": moment,
        "qosClass": pod["status"]["qosClass"],
        "containerStatuses": [
            _container_status(c, {"running": {"startedAt": moment}}) for c in pod["spec"]["containers"]
        ],
    }
    initial = pod["spec"].get("initContainers")
    if initial:
        done = {"exitCode": 0, "reason": "Completed", "startedAt": moment, "finishedAt": moment}
        status["initContainerStatuses"] = [_container_status(c, {"terminated": done}) for c in initial]
    return status


def is_ready(pod: Json) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def is_finished(pod: Json) -> bool:
    """Whether the pod has run to its end."""
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def _struck_container(pod: Json, fate: Fate) -> Json:
    containers: list[Json] = pod["spec"]["containers"]
    return next((item for item in containers if item["name"] == fate.container), containers[0])


def _unscheduled(pod: Json, fate: Fate) -> Json:
    message = struck(pod, _struck_container(pod, fate), fate).event
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "lastTransitionTime": now(),
        "reason": "Unschedulable",
        "message": message[1] if message else "",
    }
    return {"phase": "Pending", "conditions": [condition], "qosClass": pod["status"]["qosClass"]}


def _struck_status(pod: Json, running: Json, fate: Fate) -> Json:
    """The status of a running pod as the fate turns it."""
    container = _struck_container(pod, fate)
    looks = struck(pod, container, fate)
    status = running | {
        "conditions": [
            item | {"status": "False", "reason": "ContainersNotReady"}
            if item["type"] in ("Ready", "ContainersReady")
            else item
            for item in running["conditions"]
        ]
    }
    if not looks.crashed and looks.waiting is not None:
        status |= {"phase": "Pending"}
    changed: Json = {"ready": False}
    if looks.waiting is not None:
        changed |= {"state": {"waiting": looks.waiting}, "started": False}
    if looks.crashed:
        moment = now()
        ended = {"exitCode": 1, "reason": "Error", "startedAt": moment, "finishedAt": moment}
        changed |= {"lastState": {"terminated": ended}, "restartCount": 4}
    statuses = [item | changed if item["name"] == container["name"] else item for item in running["containerStatuses"]]
    return status | {"containerStatuses": statuses}


def _container_status(container: Json, state: t.Mapping[str, t.Any]) -> Json:
    identity = hashlib.sha256(container["image"].encode()).hexdigest()
    return {
        "name": container["name"],
        "state": dict(state),
        "lastState": {},
        "ready": True,
        "restartCount": 0,
        "image": container["image"],
        "imageID": f"{container['image'].partition('@')[0]}@sha256:{identity}",
        "containerID": f"containerd://{identity}",
        "started": "running" in state,
    }
