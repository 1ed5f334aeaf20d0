# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that ARM runs in a cluster, kubectl's small part in them, and the kubeconfigs of private clusters."""

from __future__ import annotations

import base64
import io
import json
import re
import typing as t
import zipfile

import pytest
import yaml

from sandbox import arm, kubectl
from sandbox.entra_tokens import AKS_AUDIENCES, ARM_AUDIENCES, CONTROLLER
from sandbox.kubernetes import ApiServer
from sandbox.world import AZURE_SUBSCRIPTION, Settings, World
from tests.unit.sandbox.azure_support import API_VERSION, ARM, STRANGER, add_cluster, bearer, specs

if t.TYPE_CHECKING:
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from sandbox.world import AksCluster, Json

GROUP = f"/subscriptions/{AZURE_SUBSCRIPTION}/resourceGroups/rg-one"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/one"
GET_NAMESPACES = "kubectl get --raw /api/v1/namespaces"


class Azure:
    """One cluster with its API server, and ARM over it."""

    def __init__(self) -> None:
        self.world = World(Settings(aks_run_command_seconds=0.0))
        self.cluster: AksCluster = add_cluster(self.world)
        self.properties: Json = self.cluster.body["properties"]
        self.api_server = ApiServer(self.world, self.cluster)
        self.cluster.api_server_app = self.api_server.app
        self.client: FlaskClient = arm.create_app(self.world).test_client()

    def send(self, method: str, path: str, body: t.Any = None, **query: str) -> TestResponse:
        return self.client.open(
            path,
            base_url=ARM,
            method=method,
            json=body,
            query_string={"api-version": API_VERSION, **query},
            headers=bearer(self.world, ARM_AUDIENCES[0]),
        )

    def start(self, line: str, **body: t.Any) -> TestResponse:
        return self.send("POST", f"{CLUSTER}/runCommand", {"command": line, **body})

    def run(self, line: str, **body: t.Any) -> Json:
        """The properties of a command's result."""
        started = self.start(line, **body)
        assert started.status_code == 202, started.get_data(as_text=True)
        assert started.data == b""
        path = started.headers["Location"].removeprefix(ARM).partition("?")[0]
        result = self.send("GET", path)
        assert result.status_code == 200
        shown: Json = t.cast("Json", result.json)["properties"]
        return shown


@pytest.fixture
def azure() -> Azure:
    return Azure()


def context(**files: str) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return base64.b64encode(buffer.getvalue()).decode()


def test_the_operations_are_those_of_the_definition() -> None:
    folder = "api-definitions/resource-manager/ContainerService/2026-04-01/ManagedClusters"
    definition = json.loads((specs() / "aks-managedclusters-2026-04-01.pandora.json").read_text())["files"]
    run = definition[f"{folder}/Operation-RunCommand.json"]
    assert (run["httpMethod"], run["uriSuffix"], run["longRunning"]) == ("POST", "/runCommand", True)
    assert run["expectedStatusCodes"] == [200, 202]
    result = definition[f"{folder}/Operation-GetCommandResult.json"]
    assert (result["httpMethod"], result["expectedStatusCodes"]) == ("GET", [200, 202])
    fields = {field["jsonName"] for field in definition[f"{folder}/Model-CommandResultProperties.json"]["fields"]}
    assert set(Azure().run(GET_NAMESPACES)) <= fields
    sent = {field["jsonName"] for field in definition[f"{folder}/Model-RunCommandRequest.json"]["fields"]}
    assert sent == {"command", "context", "clusterToken"}


def test_a_command_runs_as_an_administrator_where_entra_is_off(azure: Azure) -> None:
    result = azure.run(GET_NAMESPACES)
    assert (result["provisioningState"], result["exitCode"]) == ("Succeeded", 0)
    assert json.loads(result["logs"])["kind"] == "NamespaceList"


def test_a_running_command_is_polled_at_its_location() -> None:
    azure = Azure()
    azure.world.settings.aks_run_command_seconds = 3600.0
    started = azure.start(GET_NAMESPACES)
    assert re.search(r"/commandResults/[0-9a-f]+\?api-version=", started.headers["Location"])
    polled = azure.send("GET", started.headers["Location"].removeprefix(ARM).partition("?")[0])
    assert polled.status_code == 202
    assert polled.headers["Location"] == started.headers["Location"]


def test_entra_demands_the_callers_own_token(azure: Azure) -> None:
    azure.properties["aadProfile"] = {"managed": True}
    refused = azure.start(GET_NAMESPACES)
    assert (refused.status_code, t.cast("Json", refused.json)["code"]) == (400, "MissingAADClusterToken")
    token = bearer(azure.world, AKS_AUDIENCES[0], CONTROLLER)["Authorization"].removeprefix("Bearer ")
    assert azure.run(GET_NAMESPACES, clusterToken=token)["exitCode"] == 0
    stranger = bearer(azure.world, AKS_AUDIENCES[0], STRANGER)["Authorization"].removeprefix("Bearer ")
    denied = azure.run(GET_NAMESPACES, clusterToken=stranger)
    assert denied["exitCode"] == 1
    assert denied["logs"].startswith("Error from server (Forbidden): namespaces is forbidden: User")
    for_arm = bearer(azure.world, ARM_AUDIENCES[0])["Authorization"].removeprefix("Bearer ")
    unknown = azure.run(GET_NAMESPACES, clusterToken=for_arm)
    assert unknown["logs"] == "error: You must be logged in to the server (Unauthorized)\n"


def test_entra_tokens_mean_nothing_to_a_cluster_without_entra(azure: Azure) -> None:
    headers = bearer(azure.world, AKS_AUDIENCES[0])
    assert azure.api_server.app.test_client().get("/api/v1/namespaces", headers=headers).status_code == 401
    azure.properties["aadProfile"] = {"managed": True}
    assert azure.api_server.app.test_client().get("/api/v1/namespaces", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"apiServerAccessProfile": {"disableRunCommand": True}}, 400), ({"powerState": {"code": "Stopped"}}, 409)],
)
def test_a_cluster_that_runs_no_commands(azure: Azure, changes: Json, status: int) -> None:
    azure.properties.update(changes)
    assert azure.start(GET_NAMESPACES).status_code == status


@pytest.mark.parametrize("body", [{}, {"command": ""}, {"command": 1}, {"command": "kubectl", "context": "no zip"}])
def test_a_malformed_request(azure: Azure, body: Json) -> None:
    assert azure.send("POST", f"{CLUSTER}/runCommand", body).status_code == 400


def test_a_result_belongs_to_its_cluster(azure: Azure) -> None:
    assert azure.send("GET", f"{CLUSTER}/commandResults/unknown").status_code == 404


def test_output_beyond_the_limit_is_lost(azure: Azure) -> None:
    for number in range(2):
        metadata = {"name": f"big-{number}", "namespace": "default"}
        data = {"a": "x" * 400_000}
        azure.api_server.seed({"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": data})
    result = azure.run("kubectl get --raw /api/v1/namespaces/default/configmaps")
    assert result["exitCode"] == 0
    assert len(result["logs"]) == 512 * 1024


ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
ACCOUNT = '{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}}'


def test_a_write_is_the_api_servers_own(azure: Azure) -> None:
    created = azure.run(f"kubectl create --raw {ACCOUNTS} -f body.json", context=context(body_json=ACCOUNT))
    assert json.loads(created["logs"])["metadata"]["name"] == "a"
    again = azure.run(f"kubectl create --raw {ACCOUNTS} -f body.json", context=context(body_json=ACCOUNT))
    assert (again["exitCode"], again["logs"]) == (
        1,
        'Error from server (AlreadyExists): serviceaccounts "a" already exists\n',
    )
    line = "kubectl patch serviceaccounts a --namespace default --type merge --patch-file p.json --output json"
    patched = azure.run(line, context=context(p_json='{"metadata": {"labels": {"x": "y"}}}'))
    shown = json.loads(patched["logs"])
    assert shown["metadata"]["labels"] == {"x": "y"}
    assert "managedFields" not in shown["metadata"]
    stale = azure.run(line, context=context(p_json='{"metadata": {"labels": null, "resourceVersion": "1"}}'))
    assert stale["logs"].startswith("Error from server (Conflict): Operation cannot be fulfilled on serviceaccounts")
    deleted = azure.run(f"kubectl delete --raw {ACCOUNTS}/a")
    assert deleted["exitCode"] == 0
    gone = azure.run(line, context=context(p_json="{}"))
    assert gone["logs"] == 'Error from server (NotFound): serviceaccounts "a" not found\n'
    services = [(one.service, one.method) for one in azure.world.log.since() if one.write]
    assert services == [("kubernetes/one", method) for method in ("POST", "PATCH", "DELETE")]


def test_an_invalid_object_in_kubectls_words(azure: Azure) -> None:
    body = ACCOUNT.replace('"a"', '"Not-A-Name"')
    result = azure.run(f"kubectl create --raw {ACCOUNTS} -f body.json", context=context(body_json=body))
    assert result["exitCode"] == 1
    assert result["logs"].startswith('The ServiceAccount "Not-A-Name" is invalid: metadata.name: Invalid value')


@pytest.mark.parametrize(
    ("line", "exit_code", "output"),
    [
        ("helm list", 127, "not found"),
        ("", 127, "not found"),
        ("kubectl get --raw '/api", 2, "Unterminated quoted string"),
        ("kubectl", 1, "unknown command"),
        ("kubectl apply -f body.json", 1, 'unknown command "apply"'),
        ("kubectl get pods", 1, "raw requests and patches only"),
        ("kubectl get --raw /api --watch", 1, "unknown flag: --watch"),
        ("kubectl get --raw", 1, "flag needs an argument: --raw"),
        ("kubectl get --raw api/v1", 1, "valid URL path"),
        ("kubectl create --raw /api/v1/namespaces", 1, "single local file"),
        ("kubectl create --raw /api/v1/namespaces -f gone.json", 1, "open gone.json: no such file or directory"),
        ("kubectl patch serviceaccounts --type merge --patch-file gone.json", 1, "must provide one or more resources"),
        ("kubectl patch serviceaccounts a", 1, "must specify --patch"),
        ("kubectl patch serviceaccounts a --type json --patch-file p.json -o json", 1, "--type merge"),
        ("kubectl get --raw /nowhere", 1, "the server could not find the requested resource"),
    ],
)
def test_the_kubectl_does_no_more_than_it_says(azure: Azure, line: str, exit_code: int, output: str) -> None:
    outcome = kubectl.run(line, {}, azure.api_server.app, azure.cluster.admin_token)
    assert outcome.exit_code == exit_code
    assert output in outcome.output


def server(azure: Azure, **query: str) -> str:
    answer = azure.send("POST", f"{CLUSTER}/listClusterUserCredential", **query)
    assert answer.status_code == 200
    (entry,) = t.cast("Json", answer.json)["kubeconfigs"]
    return str(yaml.safe_load(base64.b64decode(entry["value"]))["clusters"][0]["cluster"]["server"])


def test_a_private_cluster_has_a_private_name_and_a_public_one_if_it_is_told_to(azure: Azure) -> None:
    public = azure.cluster.api_server_url
    assert server(azure) == server(azure, **{"server-fqdn": "public"}) == public
    profile: Json = {"enablePrivateCluster": True}
    azure.properties.update(apiServerAccessProfile=profile, privateFQDN="one.privatelink.westeurope.azmk8s.io")
    assert server(azure) == "https://one.privatelink.westeurope.azmk8s.io:443"
    path = f"{CLUSTER}/listClusterUserCredential"
    assert azure.send("POST", path, **{"server-fqdn": "public"}).status_code == 400
    profile["enablePrivateClusterPublicFQDN"] = True
    assert server(azure, **{"server-fqdn": "public"}) == public
    assert azure.send("POST", path, **{"server-fqdn": "other"}).status_code == 400
