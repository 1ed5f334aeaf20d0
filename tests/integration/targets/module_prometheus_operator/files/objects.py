# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives a cluster the operator's CustomResourceDefinitions and objects; works with any API server.

``objects.py <root of the collection> <kubeconfig> <context> install|apply|show|edit [manifest or path as JSON]``
"""

from __future__ import annotations

import json
import sys
import time
import typing as t

from kubernetes import client, config
from kubernetes.client.rest import RESTClientObject

Json = dict[str, t.Any]

MERGE = "application/merge-patch+json"
#: A new kind is served a moment after its definition.
ATTEMPTS = 40


class RefusedError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Cluster:
    """Requests to one API server, with plain dictionaries."""

    def __init__(self, kubeconfig: str, context: str) -> None:
        self._configuration = client.Configuration()
        config.load_kube_config(kubeconfig, context, client_configuration=self._configuration)
        self._pool = RESTClientObject(self._configuration).pool_manager

    def send(self, method: str, path: str, body: Json | None = None, content_type: str = "application/json") -> Json:
        credentials = self._configuration.auth_settings().values()
        headers = {item["key"]: item["value"] for item in credentials if item["in"] == "header" and item["value"]}
        headers |= {"Accept": "application/json", "Content-Type": content_type}
        text = None if body is None else json.dumps(body)
        answer = self._pool.request(method, f"{self._configuration.host}{path}", body=text, headers=headers)
        if answer.status >= 300:
            raise RefusedError(answer.status, answer.data.decode(errors="replace"))
        return t.cast("Json", json.loads(answer.data))

    def apply(self, collection: str, manifest: Json) -> None:
        """Create an object in place of one of the same name."""
        path = f"{collection}/{manifest['metadata']['name']}"
        for _attempt in range(ATTEMPTS):
            try:
                self.send("DELETE", path)
            except RefusedError as error:
                if error.status != 404:
                    raise
            try:
                self.send("POST", collection, manifest)
            except RefusedError as error:
                if error.status not in (404, 409):
                    raise
                time.sleep(0.25)
            else:
                return
        raise SystemExit(f"{path} can't be made.")


def collection_of(manifest: Json) -> str:
    plurals = {"Prometheus": "prometheuses", "PrometheusAgent": "prometheusagents", "ServiceAccount": "serviceaccounts"}
    version = manifest["apiVersion"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    return f"{root}/namespaces/{manifest['metadata']['namespace']}/{plurals[manifest['kind']]}"


def main() -> None:
    root, kubeconfig, context, command, *rest = sys.argv[1:]
    sys.path.insert(0, root)
    from sandbox.kubernetes import monitoring  # found only under the given root

    cluster = Cluster(kubeconfig, context)
    if command == "install":
        release = tuple(int(number) for number in rest[0].split("."))
        for definition in monitoring.definitions((release[0], release[1])):
            cluster.apply("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    elif command == "apply":
        manifest = json.loads(rest[0])
        cluster.apply(collection_of(manifest), manifest)
    elif command == "show":
        answer = cluster.send("GET", rest[0])
        sys.stdout.write(json.dumps(answer))
    elif command == "edit":
        answer = cluster.send("PATCH", rest[0], json.loads(rest[1]), MERGE)
        sys.stdout.write(json.dumps(answer))
    else:
        raise SystemExit(f"There is no command {command}.")


if __name__ == "__main__":
    main()
