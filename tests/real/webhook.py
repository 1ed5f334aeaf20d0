# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mutating webhook of Azure Workload Identity, as AKS installs it, served over TLS on loopback.

It changes pods as release 1.5.1 does, or 1.6.0, which moved the token
(https://github.com/Azure/azure-workload-identity, pkg/webhook). Its registration names a URL, because no service of the
cluster can lead to it here; all the rest is AKS's.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import json
import ssl
import typing as t

import trustme
from werkzeug.wrappers import Request, Response

from sandbox.kubernetes.external import ExternalApi
from sandbox.listener import LOOPBACK, Listener
from sandbox.world import AZURE_TENANT

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from sandbox.kubernetes.external import ExternalServer
    from sandbox.world import Json

CONFIGURATION = "azure-wi-webhook-mutating-webhook-configuration"
WEBHOOK = "mutation.azure-workload-identity.io"
LABEL = "azure.workload.identity/use"
CONTROLLER = "azure-wi-webhook-controller-manager"
_CLIENT_ID = "azure.workload.identity/client-id"
_TENANT_ID = "azure.workload.identity/tenant-id"
_AUDIENCE = "api://AzureADTokenExchange"
_TOKEN = "azure-identity-token"
_LABELS = {"app": "workload-identity-webhook", "azure-workload-identity.io/system": "true"}
_CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
_DEPLOYMENTS = "/apis/apps/v1/namespaces/kube-system/deployments"
_IMAGE = "mcr.microsoft.com/oss/azure/workload-identity/webhook"


@dataclasses.dataclass(frozen=True)
class Release:
    """Where a release of the webhook puts the token."""

    version: str
    volume: str
    folder: str

    @property
    def token_file(self) -> str:
        return f"{self.folder}/{_TOKEN}"


RELEASES = {
    "1.5.1": Release("1.5.1", _TOKEN, "/var/run/secrets/azure/tokens"),
    "1.6.0": Release(
        "1.6.0",
        f"azure-workload-identity-reserved-{hashlib.sha256(b'azure-identity-token').hexdigest()[:16]}",
        "/var/run/secrets/azure/wi/token",
    ),
}


class Webhook:
    """The webhook of one cluster. It changes nothing until it is installed."""

    def __init__(self, server: ExternalServer) -> None:
        self._api = ExternalApi(server)
        self._release = RELEASES["1.5.1"]
        authority = trustme.CA()
        self._root_pem = authority.cert_pem.bytes()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", LOOPBACK).configure_cert(context)
        self._listener = Listener("webhook", self._serve, context)

    def install(self, version: str = "1.5.1") -> None:
        """Register it, with the deployment that AKS runs for it. ``version`` is one of RELEASES."""
        self._release = RELEASES[version]
        self._create(_DEPLOYMENTS, _controller(version))
        self._create(_CONFIGURATIONS, self._configuration())

    def remove(self) -> None:
        self._api.send("DELETE", f"{_CONFIGURATIONS}/{CONFIGURATION}")
        self._api.send("DELETE", f"{_DEPLOYMENTS}/{CONTROLLER}")

    def close(self) -> None:
        self._listener.close()

    def _create(self, collection: str, body: Json) -> None:
        self._api.send("DELETE", f"{collection}/{body['metadata']['name']}")
        answer = self._api.send_json("POST", collection, body)
        if answer.status >= 300:
            raise AssertionError(answer.body.decode())

    def _configuration(self) -> Json:
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": CONFIGURATION, "labels": dict(_LABELS)},
            "webhooks": [
                {
                    "name": WEBHOOK,
                    "admissionReviewVersions": ["v1", "v1beta1"],
                    "sideEffects": "None",
                    "failurePolicy": "Fail",
                    "matchPolicy": "Equivalent",
                    "reinvocationPolicy": "IfNeeded",
                    "timeoutSeconds": 10,
                    "objectSelector": {"matchLabels": {LABEL: "true"}},
                    "rules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
                    ],
                    "clientConfig": {
                        "url": f"https://localhost:{self._listener.port}/mutate-v1-pod",
                        "caBundle": base64.b64encode(self._root_pem).decode(),
                    },
                }
            ],
        }

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        review = json.loads(Request(environ).get_data())
        request = review["request"]
        pod = request["object"]
        changed = mutated(pod, self._service_account(request["namespace"], pod), self._release)
        patch = [{"op": "replace", "path": "/spec", "value": changed["spec"]}]
        answer = {
            "apiVersion": review["apiVersion"],
            "kind": "AdmissionReview",
            "response": {
                "uid": request["uid"],
                "allowed": True,
                "patchType": "JSONPatch",
                "patch": base64.b64encode(json.dumps(patch).encode()).decode(),
            },
        }
        return Response(json.dumps(answer), content_type="application/json")(environ, start_response)

    def _service_account(self, namespace: str, pod: Json) -> Json:
        name = pod["spec"].get("serviceAccountName") or "default"
        answer = self._api.send("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}")
        return answer.json() if answer.status == 200 else {}


@contextlib.contextmanager
def running(server: ExternalServer) -> Iterator[Webhook]:
    """A webhook that is served until the end of the block, and not yet installed."""
    webhook = Webhook(server)
    try:
        yield webhook
    finally:
        webhook.close()


def mutated(pod: Json, service_account: Json, release: Release) -> Json:
    """The pod as the webhook makes it: variables and token volume, where the pod does not have them."""
    spec = json.loads(json.dumps(pod["spec"]))
    annotations = service_account.get("metadata", {}).get("annotations", {})
    variables = {
        "AZURE_CLIENT_ID": annotations.get(_CLIENT_ID, ""),
        "AZURE_TENANT_ID": annotations.get(_TENANT_ID, AZURE_TENANT),
        "AZURE_FEDERATED_TOKEN_FILE": release.token_file,
        "AZURE_AUTHORITY_HOST": "https://login.microsoftonline.com/",
    }
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        present = {variable["name"] for variable in container.setdefault("env", [])}
        container["env"] += [{"name": n, "value": v} for n, v in variables.items() if v and n not in present]
        mounts = container.setdefault("volumeMounts", [])
        if all(mount["name"] != release.volume for mount in mounts):
            mounts.append({"name": release.volume, "mountPath": release.folder, "readOnly": True})
    volumes = spec.setdefault("volumes", [])
    if not any(_projects_token(volume) for volume in volumes):
        token = {"audience": _AUDIENCE, "expirationSeconds": 3600, "path": _TOKEN}
        volumes.append({"name": release.volume, "projected": {"sources": [{"serviceAccountToken": token}]}})
    return {**pod, "spec": spec}


def _projects_token(volume: Json) -> bool:
    """Release 1.5.1 looks for a projected token of its own file name, whosever it is."""
    sources = volume.get("projected", {}).get("sources", [])
    return any(source.get("serviceAccountToken", {}).get("path") == _TOKEN for source in sources)


def _controller(version: str) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": CONTROLLER, "namespace": "kube-system", "labels": dict(_LABELS)},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": dict(_LABELS)},
            "template": {
                "metadata": {"labels": dict(_LABELS)},
                "spec": {"containers": [{"name": "manager", "image": f"{_IMAGE}:v{version}"}]},
            },
        },
    }
