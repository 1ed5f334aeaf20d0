# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the Kubernetes API server share: a server, a client for it, and ordinary objects."""

from __future__ import annotations

import copy
import typing as t

from sandbox.kubernetes import ApiServer
from sandbox.world import AZURE_SUBSCRIPTION, AZURE_TENANT, AksCluster, Json, World

if t.TYPE_CHECKING:
    from werkzeug.test import TestResponse

FQDN = "fleet-rg-fleet-1a2b3c.hcp.eastus.azmk8s.io"
GUID = "3c5b5d2e-8b1f-4f0a-9f6e-2a4d7c1e9b01"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"

MONITORING = "/api/v1/namespaces/monitoring"
DEPLOYMENTS = "/apis/apps/v1/namespaces/monitoring/deployments"
STATEFUL_SETS = "/apis/apps/v1/namespaces/monitoring/statefulsets"


class Api:
    """A cluster's API server and a client with a bearer token."""

    def __init__(self, *, issuer: bool = True) -> None:
        self.world = World()
        self.cluster = AksCluster(
            subscription=AZURE_SUBSCRIPTION,
            resource_group="rg-fleet",
            name="fleet",
            tenant=AZURE_TENANT,
            issuer_guid=GUID,
            body={
                "id": f"/subscriptions/{AZURE_SUBSCRIPTION}/resourceGroups/rg-fleet/managedClusters/fleet",
                "location": "eastus",
                "properties": {
                    "fqdn": FQDN,
                    "currentKubernetesVersion": "1.33.4",
                    "oidcIssuerProfile": {"enabled": issuer},
                    "agentPoolProfiles": [{"name": "system", "count": 2}],
                },
            },
            api_server_ca="-----BEGIN CERTIFICATE-----\n",
        )
        self.world.clusters.append(self.cluster)
        self.server = ApiServer(self.world, self.cluster)
        self.token = self.server.controller_token
        self._client = self.server.app.test_client()

    def call(self, method: str, path: str, body: t.Any = None, **headers: str) -> TestResponse:
        """A request with the token; header names are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("Authorization", f"Bearer {self.token}")
        if body is None:
            return self._client.open(path, method=method, headers=named)
        content_type = named.pop("Content-Type", "application/json")
        if isinstance(body, str):
            return self._client.open(path, method=method, headers=named, data=body, content_type=content_type)
        return self._client.open(path, method=method, headers=named, json=body, content_type=content_type)

    def get(self, path: str) -> Json:
        return self.good(self.call("GET", path), 200)

    def post(self, path: str, body: Json) -> Json:
        return self.good(self.call("POST", path, body), 201)

    def put(self, path: str, body: Json) -> Json:
        return self.good(self.call("PUT", path, body), 200)

    def patch(self, path: str, patch: t.Any, content_type: str = MERGE) -> Json:
        return self.good(self.call("PATCH", path, patch, Content_Type=content_type), 200)

    def delete(self, path: str) -> Json:
        return self.good(self.call("DELETE", path), 200)

    def good(self, response: TestResponse, status: int) -> Json:
        assert response.status_code == status, response.text
        body: Json = response.get_json()
        return body

    def refused(self, response: TestResponse, status: int, reason: str) -> Json:
        """The Status of a refusal, whose shape is checked."""
        assert response.status_code == status, response.text
        body: Json = response.get_json()
        assert (body["kind"], body["apiVersion"], body["metadata"]) == ("Status", "v1", {})
        assert (body["status"], body["reason"], body["code"]) == ("Failure", reason, status)
        return body

    def invalid(self, response: TestResponse) -> dict[str, str]:
        """The causes of a 422: field to message."""
        body = self.refused(response, 422, "Invalid")
        return {cause["field"]: cause["message"] for cause in body["details"]["causes"]}

    def writes(self) -> list[str]:
        """The operations of all requests that changed something."""
        return [request.operation for request in self.world.log.since() if request.write]


def new_api(*, issuer: bool = True) -> Api:
    """A server with the namespace ``monitoring``."""
    api = Api(issuer=issuer)
    api.server.seed({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}})
    return api


def config_map(name: str = "settings", **data: str) -> Json:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data or {"key": "value"}}


def service_account(name: str = "prometheus-sa") -> Json:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "monitoring"}}


_POD_SPEC: Json = {
    "containers": [
        {
            "name": "prometheus",
            "image": "quay.io/prometheus/prometheus:v3.5.0",
            "env": [{"name": "GOMEMLIMIT", "value": "1800MiB"}],
            "volumeMounts": [{"name": "config", "mountPath": "/etc/prometheus"}],
        }
    ],
    "volumes": [{"name": "config", "configMap": {"name": "settings"}}],
}


def pod_spec() -> Json:
    return copy.deepcopy(_POD_SPEC)


def deployment(name: str = "prometheus", **spec: t.Any) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "monitoring"},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec()},
            **spec,
        },
    }


def stateful_set(name: str = "prometheus", **spec: t.Any) -> Json:
    return deployment(name, serviceName=name, **spec) | {"kind": "StatefulSet"}


def token_volume(**token: t.Any) -> Json:
    """A projected volume with a service account's token for AWS."""
    source = {"serviceAccountToken": {"audience": "sts.amazonaws.com", "path": "token", **token}}
    return {"name": "aws-iam-token", "projected": {"sources": [source]}}
