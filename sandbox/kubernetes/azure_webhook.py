# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The webhook of Microsoft Entra Workload ID: AKS' add-on, and what it does to pods that are created.

Source: https://github.com/Azure/azure-workload-identity, ``pkg/webhook``; the behaviour follows the version that its
Deployment's image names.
"""

from __future__ import annotations

import copy
import hashlib
import re

from sandbox.kubernetes import errors, kinds
from sandbox.kubernetes.defaults import MODE, fill_defaults
from sandbox.kubernetes.objects import SystemWriter
from sandbox.kubernetes.store import Store
from sandbox.world import AksCluster, Json

NAMESPACE = "kube-system"
CONFIGURATION = "azure-wi-webhook-mutating-webhook-configuration"
DEPLOYMENT = "azure-wi-webhook-controller-manager"
IMAGE = "mcr.microsoft.com/oss/v2/azure/workload-identity/webhook:v1.5.1"

_ACCOUNT = "azure-wi-webhook-admin"
_SERVICE = "azure-wi-webhook-webhook-service"
_USE = "azure.workload.identity/use"
_TOKEN = "azure-identity-token"  # the name of a file
_TOKEN_SECONDS = 3600
_LABELS = {"azure-workload-identity.io/system": "true", "kubernetes.azure.com/managedby": "aks"}


class AzureWebhook:
    """The webhook of one cluster. It is there while the cluster's workload identity is enabled."""

    def __init__(self, cluster: AksCluster, store: Store, writer: SystemWriter) -> None:
        self._cluster = cluster
        self._store = store
        self._writer = writer

    def follow_azure(self) -> bool:
        """Add or remove the add-on's objects as the cluster's flag says. True when there is work for controllers."""
        security = self._cluster.body["properties"].get("securityProfile") or {}
        wanted = bool((security.get("workloadIdentity") or {}).get("enabled"))
        present = self._store.find(kinds.WEBHOOKS, "", CONFIGURATION)
        if wanted is (present is not None):
            return False
        for resource, obj in _objects():
            namespace, name = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
            found = self._store.find(resource, namespace, name)
            if not wanted and found is not None:
                self._writer.remove(resource, found)
            elif wanted and found is None:
                fill_defaults(resource, obj)
                self._writer.create(resource, obj, "aks")
        return True

    def admit(self, pod: Json) -> None:
        """Give a labelled pod the token and its variables, in place; AKS keeps webhooks from its own namespace.

        :raises ApiError: 500, the webhook is configured but does not answer.
        """
        metadata = pod["metadata"]
        if self._store.find(kinds.WEBHOOKS, "", CONFIGURATION) is None or metadata["namespace"] == NAMESPACE:
            return
        if (metadata.get("labels") or {}).get(_USE) != "true":
            return
        deployment = self._store.find(kinds.DEPLOYMENTS, NAMESPACE, DEPLOYMENT)
        if deployment is None or not (deployment.get("status") or {}).get("readyReplicas"):
            call = f"https://{_SERVICE}.{NAMESPACE}.svc:443/mutate-v1-pod?timeout=10s"
            raise errors.ApiError(
                500,
                "InternalError",
                'Internal error occurred: failed calling webhook "mutation.azure-workload-identity.io": failed to call '
                f'webhook: Post "{call}": no endpoints available for service "{_SERVICE}"',
            )
        self._mutate(pod, _version_of(deployment))

    def _mutate(self, pod: Json, version: tuple[int, ...]) -> None:
        spec, metadata = pod["spec"], pod["metadata"]
        account = self._store.find(kinds.SERVICE_ACCOUNTS, metadata["namespace"], spec["serviceAccountName"]) or {}
        client_id = (account.get("metadata", {}).get("annotations") or {}).get("azure.workload.identity/client-id", "")
        volume, path = _volume_and_path(version)
        skipped = (metadata.get("annotations") or {}).get("azure.workload.identity/skip-containers", "").split(";")
        variables = {
            "AZURE_CLIENT_ID": client_id,
            "AZURE_TENANT_ID": self._cluster.tenant,
            "AZURE_FEDERATED_TOKEN_FILE": f"{path}/{_TOKEN}",
            "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/",
        }
        mounts = version >= (1, 6, 0) or not _has_token(spec)
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            if container["name"] in (name.strip() for name in skipped):
                continue
            given = {variable["name"] for variable in container.get("env", [])}
            added = [{"name": name, "value": value} for name, value in variables.items() if value and name not in given]
            container["env"] = [*container.get("env", []), *added]
            if mounts:
                mount = {"name": volume, "mountPath": path, "readOnly": True}
                container["volumeMounts"] = [*container.get("volumeMounts", []), mount]
        if mounts:
            token = {"audience": "api://AzureADTokenExchange", "expirationSeconds": _TOKEN_SECONDS, "path": _TOKEN}
            projected = {"sources": [{"serviceAccountToken": token}], "defaultMode": MODE}
            spec["volumes"] = [*spec.get("volumes", []), {"name": volume, "projected": projected}]


def _has_token(spec: Json) -> bool:
    """Up to version 1.5.1 a pod that projects any token of this name counts as finished."""
    return any(
        (source.get("serviceAccountToken") or {}).get("path") == _TOKEN
        for volume in spec.get("volumes", [])
        for source in (volume.get("projected") or {}).get("sources", [])
    )


def _volume_and_path(version: tuple[int, ...]) -> tuple[str, str]:
    if version < (1, 6, 0):
        return _TOKEN, "/var/run/secrets/azure/tokens"
    digest = hashlib.sha256(_TOKEN.encode()).hexdigest()
    return f"azure-workload-identity-reserved-{digest}"[:63], "/var/run/secrets/azure/wi/token"


def _version_of(deployment: Json) -> tuple[int, ...]:
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    found = re.search(r":v(\d+)\.(\d+)\.(\d+)", image)
    return tuple(int(part) for part in found.groups()) if found else (1, 5, 1)


def _objects() -> list[tuple[kinds.Resource, Json]]:
    """The add-on as AKS installs it; the configuration comes last, so that nothing is asked before it can answer."""
    place = {"namespace": NAMESPACE, "labels": dict(_LABELS)}
    selector = {"app.kubernetes.io/name": "workload-identity-webhook"}
    template = {
        "metadata": {"labels": selector | _LABELS},
        "spec": {
            "serviceAccountName": _ACCOUNT,
            "containers": [{"name": "manager", "image": IMAGE, "args": ["--arc-cluster=false"]}],
        },
    }
    service_port = {"port": 443, "targetPort": 9443, "protocol": "TCP"}
    webhook = {
        "name": "mutation.azure-workload-identity.io",
        "admissionReviewVersions": ["v1", "v1beta1"],
        "sideEffects": "None",
        "reinvocationPolicy": "IfNeeded",
        "failurePolicy": "Fail",
        "clientConfig": {"service": {"name": _SERVICE, "namespace": NAMESPACE, "path": "/mutate-v1-pod"}},
        "objectSelector": {"matchLabels": {_USE: "true"}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
    }
    objects: list[tuple[kinds.Resource, Json]] = [
        (kinds.SERVICE_ACCOUNTS, {"metadata": {"name": _ACCOUNT, **place}}),
        (
            kinds.SERVICES,
            {"metadata": {"name": _SERVICE, **place}, "spec": {"selector": selector, "ports": [service_port]}},
        ),
        (
            kinds.DEPLOYMENTS,
            {
                "metadata": {"name": DEPLOYMENT, **place},
                "spec": {"replicas": 2, "selector": {"matchLabels": selector}, "template": template},
                "status": {},
            },
        ),
        (kinds.WEBHOOKS, {"metadata": {"name": CONFIGURATION, "labels": dict(_LABELS)}, "webhooks": [webhook]}),
    ]
    return [
        (resource, {"apiVersion": resource.api_version, "kind": resource.kind, **copy.deepcopy(obj)})
        for resource, obj in objects
    ]
