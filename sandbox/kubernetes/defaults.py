# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The defaults that the server fills into what it stores.

Source: ``pkg/apis/{core,apps,batch,admissionregistration}/v1/defaults.go`` of Kubernetes.
"""

from __future__ import annotations

import base64
import typing as t

from sandbox.kubernetes import kinds
from sandbox.kubernetes.kinds import Resource
from sandbox.world import Json

MODE = 420  # 0644
TOKEN_SECONDS = 3600

_VOLUME_MODES = ("secret", "configMap", "downwardAPI", "projected")


def fill_defaults(resource: Resource, obj: Json) -> None:
    """Fill the defaults of a decoded object in place."""
    filler = _FILLERS.get(resource)
    if filler is not None:
        filler(obj)


def _namespace(obj: Json) -> None:
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"].get("name", "")
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {}).setdefault("phase", "Active")


def _secret(obj: Json) -> None:
    """``stringData`` is write-only: it ends up in ``data``."""
    plain = obj.pop("stringData", {})
    if plain:
        encoded = {name: base64.b64encode(text.encode()).decode() for name, text in plain.items()}
        obj["data"] = obj.get("data", {}) | encoded
    obj.setdefault("type", "Opaque")


def _service(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in spec.get("ports", []):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    if spec["type"] != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")


def _pod(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    fill_pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in _containers(spec):
        resources = container["resources"]
        if "limits" in resources:
            resources["requests"] = resources["limits"] | resources.get("requests", {})


def _deployment(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    _rolling_update(spec, "strategy", {"maxUnavailable": "25%", "maxSurge": "25%"})
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _template(spec)


def _stateful_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("podManagementPolicy", "OrderedReady")
    _rolling_update(spec, "updateStrategy", {"partition": 0})
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
    retention.setdefault("whenDeleted", "Retain")
    retention.setdefault("whenScaled", "Retain")
    _template(spec)
    for claim in spec.get("volumeClaimTemplates", []):
        claim |= {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
        claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
        claim.setdefault("status", {}).setdefault("phase", "Pending")


def _daemon_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    _rolling_update(spec, "updateStrategy", {"maxUnavailable": 1, "maxSurge": 0})
    spec.setdefault("revisionHistoryLimit", 10)
    _template(spec)


def _replica_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    _template(spec)


def _job(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
    _template(spec)


def _webhooks(obj: Json) -> None:
    for webhook in obj.get("webhooks", []):
        webhook.setdefault("failurePolicy", "Fail")
        webhook.setdefault("matchPolicy", "Equivalent")
        webhook.setdefault("namespaceSelector", {})
        webhook.setdefault("objectSelector", {})
        webhook.setdefault("reinvocationPolicy", "Never")
        webhook.setdefault("timeoutSeconds", 10)
        service = webhook.get("clientConfig", {}).get("service")
        if service is not None:
            service.setdefault("port", 443)
        for rule in webhook.get("rules", []):
            rule.setdefault("scope", "*")


def _rolling_update(spec: Json, field: str, defaults: Json) -> None:
    strategy = spec.setdefault(field, {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        for name, value in defaults.items():
            rolling.setdefault(name, value)


def _template(spec: Json) -> None:
    fill_pod_spec(spec.setdefault("template", {}).setdefault("spec", {}))


def fill_pod_spec(spec: Json) -> None:
    """The defaults of a pod's specification; ``serviceAccount`` is the deprecated name of ``serviceAccountName``."""
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    for container in _containers(spec):
        _container(container)
    for volume in spec.get("volumes", []):
        _volume(volume)


def _containers(spec: Json) -> list[Json]:
    containers: list[Json] = spec.get("initContainers", []) + spec.get("containers", [])
    return containers


def _container(container: Json) -> None:
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", "Always" if _is_latest(container.get("image", "")) else "IfNotPresent")
    for port in container.get("ports", []):
        port.setdefault("protocol", "TCP")
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in container:
            _probe(container[name])
    for variable in container.get("env", []):
        _field_ref(variable.get("valueFrom", {}))


def _is_latest(image: str) -> bool:
    """Whether an image has no tag and no digest, or the tag ``latest``."""
    name = image.rpartition("/")[2]
    return "@" not in name and name.partition(":")[2] in ("", "latest")


def _probe(probe: Json) -> None:
    probe.setdefault("timeoutSeconds", 1)
    probe.setdefault("periodSeconds", 10)
    probe.setdefault("successThreshold", 1)
    probe.setdefault("failureThreshold", 3)
    request = probe.get("httpGet")
    if request is not None:
        request.setdefault("path", "/")
        request.setdefault("scheme", "HTTP")


def _field_ref(source: t.Any) -> None:
    if isinstance(source, dict) and "fieldRef" in source:
        source["fieldRef"].setdefault("apiVersion", "v1")


def _volume(volume: Json) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for name in _VOLUME_MODES:
        if name in volume:
            volume[name].setdefault("defaultMode", MODE)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    for source in volume.get("projected", {}).get("sources", []):
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", TOKEN_SECONDS)
        _downward(source.get("downwardAPI", {}))
    _downward(volume.get("downwardAPI", {}))


def _downward(source: Json) -> None:
    for item in source.get("items", []):
        _field_ref(item)


_FILLERS: dict[Resource, t.Callable[[Json], None]] = {
    kinds.NAMESPACES: _namespace,
    kinds.SECRETS: _secret,
    kinds.SERVICES: _service,
    kinds.PODS: _pod,
    kinds.DEPLOYMENTS: _deployment,
    kinds.STATEFUL_SETS: _stateful_set,
    kinds.DAEMON_SETS: _daemon_set,
    kinds.REPLICA_SETS: _replica_set,
    kinds.JOBS: _job,
    kinds.WEBHOOKS: _webhooks,
}
