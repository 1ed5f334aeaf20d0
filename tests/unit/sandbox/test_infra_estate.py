# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seeded estate, seen through the clouds' own SDKs by their own host names."""

from __future__ import annotations

import asyncio
import json
import ssl
import typing as t
import urllib.parse

import boto3
import httpx
import kubernetes
import pytest
import yaml
from azure.identity import ClientSecretCredential
from azure.mgmt.containerservice import ContainerServiceClient
from botocore.config import Config
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory  # type: ignore[import-untyped]  # it ships no type information

from sandbox import estate, world

if t.TYPE_CHECKING:
    from sandbox.server import Sandbox
    from sandbox.world import Json

ROLE = "AKS-Prometheus-AMP-Role-"
PROVIDER = f"arn:aws:iam::{world.AWS_ACCOUNT}:oidc-provider/"
SUBJECT = "system:serviceaccount:monitoring:prometheus-sa"


@pytest.fixture(autouse=True)
def _no_presets(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients are told everything explicitly; what the machine presets must play no part."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, "/nonexistent")


def _aws(sandbox: Sandbox, service: str) -> t.Any:
    return boto3.client(
        service,
        region_name=estate.AWS_REGION,
        aws_access_key_id=world.CONTROLLER_AWS_ACCESS_KEY,
        aws_secret_access_key=world.CONTROLLER_AWS_SECRET_KEY,
        verify=str(sandbox.ca_file),
        config=Config(proxies={"https": sandbox.proxy_url}, retries={"max_attempts": 0}),
    )


def _azure_options(sandbox: Sandbox) -> Json:
    """What azure-core's pipelines need to reach the sandbox, and nothing that the machine presets."""
    return {
        "proxies": {"https": sandbox.proxy_url},
        "connection_verify": str(sandbox.ca_file),
        "use_env_settings": False,
    }


def _credential(sandbox: Sandbox) -> ClientSecretCredential:
    return ClientSecretCredential(
        world.AZURE_TENANT,
        world.CONTROLLER_CLIENT_ID,
        world.CONTROLLER_CLIENT_SECRET,
        **_azure_options(sandbox),
    )


def _kubernetes(sandbox: Sandbox, context: str) -> t.Any:
    # The library's own annotations of this function are incomplete.
    return kubernetes.config.new_client_from_config(str(sandbox.kubeconfig), context=context)  # type: ignore[no-untyped-call]


def _core(sandbox: Sandbox, context: str) -> t.Any:
    return kubernetes.client.CoreV1Api(_kubernetes(sandbox, context))


def _apps(sandbox: Sandbox, context: str) -> t.Any:
    return kubernetes.client.AppsV1Api(_kubernetes(sandbox, context))


def test_arm_shows_three_running_clusters(sandbox: Sandbox) -> None:
    client: t.Any = ContainerServiceClient(_credential(sandbox), world.AZURE_SUBSCRIPTION, **_azure_options(sandbox))
    flags = {
        cluster.name: (
            bool(cluster.oidc_issuer_profile.enabled),
            bool(cluster.security_profile.workload_identity and cluster.security_profile.workload_identity.enabled),
            cluster.oidc_issuer_profile.issuer_url,
            cluster.provisioning_state,
            cluster.power_state.code,
        )
        for cluster in client.managed_clusters.list_by_resource_group(estate.RESOURCE_GROUP)
    }
    url = {name: sandbox.cluster(name).issuer_url for name in flags}
    assert flags == {
        "fresh": (False, False, None, "Succeeded", "Running"),
        "halfdone": (True, True, url["halfdone"], "Succeeded", "Running"),
        "finished": (True, True, url["finished"], "Succeeded", "Running"),
    }


def test_amp_has_one_active_workspace(sandbox: Sandbox) -> None:
    (workspace,) = _aws(sandbox, "amp").list_workspaces()["workspaces"]
    assert workspace["alias"] == estate.WORKSPACE_ALIAS
    assert workspace["status"]["statusCode"] == "ACTIVE"
    assert workspace["arn"] == (
        f"arn:aws:aps:{estate.AWS_REGION}:{world.AWS_ACCOUNT}:workspace/{workspace['workspaceId']}"
    )


def test_iam_has_the_guides_provider_and_the_right_one(sandbox: Sandbox) -> None:
    iam = _aws(sandbox, "iam")
    issuer = {name: sandbox.cluster(name).issuer_url.removeprefix("https://") for name in ("halfdone", "finished")}
    arns = {provider["Arn"] for provider in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]}
    assert arns == {PROVIDER + path for path in issuer.values()}
    halfdone = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER + issuer["halfdone"])
    assert halfdone["ClientIDList"] == ["api://AzureADTokenExchange"]
    assert halfdone["ThumbprintList"] == [sandbox.issuer_certificate.leaf_thumbprint]
    finished = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER + issuer["finished"])
    assert finished["ClientIDList"] == ["sts.amazonaws.com"]
    assert finished["ThumbprintList"] == [sandbox.authority.intermediate_thumbprint]
    assert not halfdone.get("Tags")
    assert not finished.get("Tags")


def test_iam_has_the_guides_role_and_the_right_one(sandbox: Sandbox) -> None:
    iam = _aws(sandbox, "iam")
    assert {role["RoleName"] for role in iam.list_roles()["Roles"]} == {f"{ROLE}halfdone", f"{ROLE}finished"}
    issuer = {name: sandbox.cluster(name).issuer_url.removeprefix("https://") for name in ("halfdone", "finished")}
    conditions = {
        name: iam.get_role(RoleName=ROLE + name)["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
        for name in issuer
    }
    assert conditions == {
        "halfdone": {"StringEquals": {f"{issuer['halfdone']}/:sub": SUBJECT}},
        "finished": {
            "StringEquals": {f"{issuer['finished']}:aud": "sts.amazonaws.com", f"{issuer['finished']}:sub": SUBJECT}
        },
    }
    (workspace,) = _aws(sandbox, "amp").list_workspaces()["workspaces"]
    for name in issuer:
        (policy,) = iam.list_role_policies(RoleName=ROLE + name)["PolicyNames"]
        document = iam.get_role_policy(RoleName=ROLE + name, PolicyName=policy)["PolicyDocument"]
        assert document["Statement"] == [{"Effect": "Allow", "Action": "aps:RemoteWrite", "Resource": workspace["arn"]}]


def test_graph_holds_the_guides_application_and_the_engineers(sandbox: Sandbox) -> None:
    credential = _credential(sandbox)

    async def read() -> tuple[dict[str, t.Any], set[str], dict[str, t.Any]]:
        http = GraphClientFactory.create_with_default_middleware(
            client=httpx.AsyncClient(
                proxy=sandbox.proxy_url,
                verify=ssl.create_default_context(cafile=str(sandbox.ca_file)),
                trust_env=False,
            )
        )
        provider = AzureIdentityAuthenticationProvider(credential, scopes=["https://graph.microsoft.com/.default"])
        graph: t.Any = GraphServiceClient(request_adapter=GraphRequestAdapter(provider, http))
        applications = {found.display_name: found for found in (await graph.applications.get()).value}
        principals = {found.app_id for found in (await graph.service_principals.get()).value}
        credentials = {}
        for name, found in applications.items():
            builder = graph.applications.by_application_id(found.id).federated_identity_credentials
            (credentials[name],) = (await builder.get()).value
        return applications, principals, credentials

    applications, principals, credentials = asyncio.run(read())
    assert {name: found.unique_name for name, found in applications.items()} == {
        "Prometheus-AMP-Federation": None,
        "Prometheus-AMP-Federation-finished": None,
    }
    # The guide's command makes an application without a service principal.
    assert principals == {applications["Prometheus-AMP-Federation-finished"].app_id}
    audiences = ["api://AzureADTokenExchange"]
    assert {name: (c.name, c.issuer, c.subject, c.audiences) for name, c in credentials.items()} == {
        "Prometheus-AMP-Federation": (
            "aks-prometheus-federation-halfdone",
            f"https://{sandbox.cluster('halfdone').issuer_url}/",
            SUBJECT,
            audiences,
        ),
        "Prometheus-AMP-Federation-finished": (
            "aks-prometheus-federation-finished",
            sandbox.cluster("finished").issuer_url,
            SUBJECT,
            audiences,
        ),
    }


@pytest.mark.parametrize("name", ["fresh", "halfdone", "finished"])
def test_each_cluster_runs_prometheus(sandbox: Sandbox, name: str) -> None:
    core = _core(sandbox, name)
    text = core.read_namespaced_config_map("prometheus-config", "monitoring").data["prometheus.yml"]
    config = yaml.safe_load(text)
    assert config["global"]["external_labels"] == {"cluster": name}
    assert "#" in text
    deployment = _apps(sandbox, name).read_namespaced_deployment("prometheus", "monitoring")
    assert [container.name for container in deployment.spec.template.spec.containers] == [
        "prometheus",
        "config-reloader",
    ]
    assert deployment.status.ready_replicas == 1


def test_kubernetes_is_as_far_as_each_clusters_story_says(sandbox: Sandbox) -> None:
    (workspace,) = _aws(sandbox, "amp").list_workspaces()["workspaces"]
    url = f"https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/{workspace['workspaceId']}/api/v1/remote_write"

    accounts, entries, pods = {}, {}, {}
    for name in ("fresh", "halfdone", "finished"):
        core = _core(sandbox, name)
        accounts[name] = {a.metadata.name for a in core.list_namespaced_service_account("monitoring").items}
        config = core.read_namespaced_config_map("prometheus-config", "monitoring").data["prometheus.yml"]
        entries[name] = yaml.safe_load(config)["remote_write"]
        deployment: Json = json.loads(
            _apps(sandbox, name).read_namespaced_deployment("prometheus", "monitoring", _preload_content=False).data
        )
        pods[name] = deployment["spec"]["template"]["spec"]

    assert accounts == {
        "fresh": {"default"},
        "halfdone": {"default", "prometheus-sa"},
        "finished": {"default", "prometheus-sa"},
    }
    assert [entry["url"] for entry in entries["fresh"]] == ["https://metrics.example.net/api/v1/push"]
    assert entries["halfdone"] == [
        {
            "url": url,
            "sigv4": {"region": "eu-west-1", "role_arn": f"arn:aws:iam::{world.AWS_ACCOUNT}:role/{ROLE}halfdone"},
        }
    ]
    assert entries["finished"] == [{"url": url, "sigv4": {"region": "eu-west-1"}}]
    assert [pods[name].get("serviceAccountName") for name in pods] == [None, "prometheus-sa", "prometheus-sa"]
    assert [volume["name"] for volume in pods["halfdone"]["volumes"]] == ["config", "data"]
    assert pods["finished"]["volumes"][-1]["projected"]["sources"] == [
        {"serviceAccountToken": {"audience": "sts.amazonaws.com", "expirationSeconds": 3600, "path": "token"}}
    ]
    environment = {e["name"]: e.get("value") for e in pods["finished"]["containers"][0]["env"]}
    assert environment["AWS_ROLE_ARN"] == f"arn:aws:iam::{world.AWS_ACCOUNT}:role/{ROLE}finished"
    assert environment["AWS_WEB_IDENTITY_TOKEN_FILE"] == "/var/run/secrets/aws/token"


def test_only_the_finished_cluster_gets_a_session(sandbox: Sandbox) -> None:
    sts = _aws(sandbox, "sts")
    outcome = {}
    for name in ("halfdone", "finished"):
        token = _core(sandbox, name).create_namespaced_service_account_token(
            "prometheus-sa",
            "monitoring",
            {"spec": {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600}},
        )
        try:
            sts.assume_role_with_web_identity(
                RoleArn=f"arn:aws:iam::{world.AWS_ACCOUNT}:role/{ROLE}{name}",
                RoleSessionName="estate-test",
                WebIdentityToken=token.status.token,
            )
            outcome[name] = "accepted"
        except sts.exceptions.ClientError as error:
            outcome[name] = f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    assert outcome == {"halfdone": "InvalidIdentityToken: Incorrect token audience", "finished": "accepted"}


def test_the_service_accounts_carry_the_applications_client_id(sandbox: Sandbox) -> None:
    client_ids = {found["displayName"]: found["appId"] for found in sandbox.directory.applications()}
    for name in ("halfdone", "finished"):
        account = _core(sandbox, name).read_namespaced_service_account("prometheus-sa", "monitoring")
        assert account.metadata.labels == {"azure.workload.identity/use": "true"}
        assert account.metadata.annotations == {
            "azure.workload.identity/client-id": client_ids[estate.application_name(name)]
        }


def test_seeding_is_no_request(sandbox: Sandbox) -> None:
    assert sandbox.world.log.since() == ()


def test_the_inventory_leads_to_each_cluster(sandbox: Sandbox) -> None:
    inventory = yaml.safe_load(sandbox.folder.inventory.read_text())["aks"]
    assert list(inventory["hosts"]) == ["fresh", "halfdone", "finished"]
    shared = inventory["vars"]
    assert shared["ansible_connection"] == "local"
    assert shared["ansible_python_interpreter"] == "{{ ansible_playbook_python }}"
    assert shared["aks_amp_https_proxy"] == sandbox.proxy_url
    assert shared["aks_amp_ca_bundle"] == str(sandbox.ca_file)
    assert shared["aks_amp_trust_anchors"] == [str(sandbox.ca_file)]
    contexts = {c["name"] for c in yaml.safe_load(sandbox.kubeconfig.read_text())["contexts"]}
    for name, host in inventory["hosts"].items():
        assert host["aks_amp_kube_context"] in contexts
        cluster = sandbox.world.find_cluster(
            shared["aks_amp_subscription_id"], host["aks_amp_resource_group"], host["aks_amp_cluster_name"]
        )
        assert cluster is sandbox.cluster(name)


def test_the_bodies_are_well_formed(sandbox: Sandbox) -> None:
    for cluster in sandbox.world.clusters:
        assert cluster.body["id"].endswith(
            f"/resourcegroups/{estate.RESOURCE_GROUP}/providers/Microsoft.ContainerService/managedClusters/"
            f"{cluster.name}"
        )
        assert cluster.body["type"] == "Microsoft.ContainerService/ManagedClusters"
        assert urllib.parse.urlsplit(f"https://{cluster.body['properties']['fqdn']}").hostname
        assert len(cluster.body["properties"]) > 25


def test_a_fleet_is_as_finished_in_all_but_the_names(sandbox: Sandbox) -> None:
    sandbox.add_fleet("one", "two")
    iam = _aws(sandbox, "iam")
    arns = set()
    for name in ("one", "two"):
        cluster = sandbox.cluster(name)
        host_and_path = cluster.issuer_url.removeprefix("https://")
        assert cluster.issuer_enabled
        provider = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=PROVIDER + host_and_path)
        assert provider["ClientIDList"] == ["sts.amazonaws.com"]
        role = iam.get_role(RoleName=f"{ROLE}{name}")["Role"]
        arns.add(role["Arn"])
        condition = role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
        assert condition["StringEquals"] == {
            f"{host_and_path}:aud": "sts.amazonaws.com",
            f"{host_and_path}:sub": SUBJECT,
        }
        for kind, object_name in (("ConfigMap", "prometheus-config"), ("Deployment", "prometheus")):
            its = sandbox.api_server(name).get(kind, "monitoring", object_name)
            model = sandbox.api_server("finished").get(kind, "monitoring", object_name)
            assert its is not None
            assert model is not None
            content = json.dumps([its.get("data"), its.get("spec")])
            assert content == json.dumps([model.get("data"), model.get("spec")]).replace("finished", name)
    assert len(arns) == 2
    inventory = yaml.safe_load(sandbox.folder.inventory.read_text())
    assert {"one", "two", "finished"} <= set(inventory["aks"]["hosts"])
    assert [request for request in sandbox.world.log.since() if request.write] == []
