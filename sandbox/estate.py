# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estate that every sandbox starts with: one AMP workspace, three AKS clusters and a managed identity without
credentials.

``fresh``
    Nothing is federated: OIDC issuer and workload identity are off, a Prometheus runs.
``halfdone``
    Done by the usual guide to the letter, and so with its mistakes: the IAM provider pins the leaf certificate and
    lacks the client ID ``sts.amazonaws.com``, the trust policy has no ``:aud`` and a doubled slash before ``:sub``,
    the Entra application has no service principal and its credential the scheme twice, Prometheus is told ``role_arn``
    and has no token.
``finished``
    Federated by hand by a careful engineer, hence without marks of any tool. ``seed_fleet`` makes more like it.

Everything is written out here by hand and imports nothing of the collection: what the collection derives must agree
with what a person would write.
"""

from __future__ import annotations

import dataclasses
import typing as t
import uuid

from sandbox import bodies, manifests
from sandbox.world import (
    AWS_ACCOUNT,
    AZURE_SUBSCRIPTION,
    AZURE_TENANT,
    AksCluster,
    Json,
    UserAssignedIdentity,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sandbox.aws import AwsAccount
    from sandbox.graph import Directory
    from sandbox.world import World

RESOURCE_GROUP = "rg-fleet"
AWS_REGION = "eu-west-1"
WORKSPACE_ALIAS = "fleet-metrics"
APPLICATION_NAME = "Prometheus-AMP-Federation"
MANAGED_IDENTITY = "id-prometheus"
SERVICE_ACCOUNT = "prometheus-sa"

_SUBJECT = f"system:serviceaccount:{manifests.NAMESPACE}:{SERVICE_ACCOUNT}"


class Seeded(t.Protocol):
    """An API server, as far as the estate needs it."""

    def seed(self, obj: Json) -> Json:
        """Store an object as if it had been created earlier."""


@dataclasses.dataclass(frozen=True)
class Ground:
    """What the estate is built on.

    ``add_cluster`` takes a cluster into the world and gives its API server. Thumbprints are SHA-1 in lower-case hex.
    """

    world: World
    aws: AwsAccount
    directory: Directory
    add_cluster: Callable[[AksCluster], Seeded]
    issuer_leaf_thumbprint: str
    intermediate_thumbprint: str


def seed(ground: Ground) -> None:
    """Fill an empty world with the estate."""
    workspace = ground.aws.seed_workspace(WORKSPACE_ALIAS, AWS_REGION)
    # Both were made by display name, so they have no unique name; the guide's command makes no service principal.
    by_guide = ground.directory.seed_application(application_name("halfdone"))
    by_hand = ground.directory.seed_application(application_name("finished"))
    ground.directory.seed_service_principal(by_hand["appId"])
    ground.world.identities.append(UserAssignedIdentity(AZURE_SUBSCRIPTION, RESOURCE_GROUP, MANAGED_IDENTITY))
    _seed_fresh(ground)
    _seed_halfdone(ground, workspace, by_guide)
    _seed_finished(ground, _finished(), workspace, by_hand)


def seed_fleet(ground: Ground, names: Iterable[str]) -> None:
    """Add clusters that are as ``finished`` in all but their names, each with a role and an application of its own.

    Much cheaper than running the playbook for each: a cluster takes a few milliseconds.
    """
    workspace = ground.aws.workspace_id(WORKSPACE_ALIAS, AWS_REGION)
    for name in names:
        application = ground.directory.seed_application(application_name(name))
        ground.directory.seed_service_principal(application["appId"])
        _seed_finished(ground, finished_cluster(name, str(uuid.uuid4())), workspace, application)


def issuer_urls() -> dict[str, str]:
    """The OIDC issuers of the estate's clusters, by the clusters' names; they are the same in every sandbox."""
    return {cluster.name: cluster.issuer_url for cluster in (_fresh(), _halfdone(), _finished())}


def application_name(cluster: str) -> str:
    """The display name of a cluster's Entra application: the guide's own name where the guide was followed."""
    return APPLICATION_NAME if cluster == "halfdone" else f"{APPLICATION_NAME}-{cluster}"


# --- fresh ------------------------------------------------------------------------------------------------------------

_FRESH_PROMETHEUS_YML = """\
# Prometheus of the monitoring namespace. Owner: platform team.
global:
  scrape_interval: 30s   # agreed with the application teams
  evaluation_interval: 30s
  external_labels:
    cluster: fresh

rule_files:
  - /etc/prometheus/alerts.yml

scrape_configs:
  # Prometheus itself
  - job_name: prometheus
    static_configs:
      - targets: ["localhost:9090"]

  # Pods opt in with the annotation prometheus.io/scrape
  - job_name: kubernetes-pods
    kubernetes_sd_configs:
      - role: pod
    relabel_configs:
      - source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
        action: keep
        regex: "true"

remote_write:
  # The old central store; it stays until the end of the year.
  - url: https://metrics.example.net/api/v1/push
    basic_auth:
      username: fleet
      password_file: /etc/prometheus/secrets/push-password
"""


def fresh_objects(name: str) -> list[Json]:
    """The Kubernetes objects of a cluster like ``fresh``."""
    return [
        manifests.namespace(manifests.NAMESPACE),
        manifests.config_map(_FRESH_PROMETHEUS_YML.replace("cluster: fresh", f"cluster: {name}")),
        manifests.service(),
        manifests.deployment(),
    ]


def fresh_cluster(name: str, guid: str) -> AksCluster:
    """A cluster like ``fresh``: OIDC issuer and workload identity are off."""
    return _cluster(name, guid, location="eastus", version="1.33.4", environment="test")


def _fresh() -> AksCluster:
    return fresh_cluster("fresh", "3c5b5d2e-8b1f-4f0a-9f6e-2a4d7c1e9b01")


def _seed_fresh(ground: Ground) -> None:
    api_server = ground.add_cluster(_fresh())
    for manifest in fresh_objects("fresh"):
        api_server.seed(manifest)


# --- halfdone ---------------------------------------------------------------------------------------------------------

_HALFDONE_ROLE = "AKS-Prometheus-AMP-Role-halfdone"
_HALFDONE_PROMETHEUS_YML = """\
global:
  scrape_interval: 15s
  external_labels:
    cluster: halfdone
scrape_configs:
- job_name: prometheus   # Prometheus itself
  static_configs:
  - targets: ['localhost:9090']
- job_name: node-exporter
  static_configs:
  - targets: ['node-exporter.monitoring.svc:9100']
remote_write:
- url: "https://aps-workspaces.{region}.amazonaws.com/workspaces/{workspace}/api/v1/remote_write"
  sigv4:
    region: {region}
    role_arn: arn:aws:iam::{account}:role/{role}
"""


def _halfdone() -> AksCluster:
    cluster = _cluster(
        "halfdone", "9d1f0c64-77a3-4c4f-8f0b-5b6e3f2a8c02", location="westeurope", version="1.32.7", environment="stage"
    )
    _switch_on(cluster)
    return cluster


def _seed_halfdone(ground: Ground, workspace: str, application: Json) -> None:
    cluster = _halfdone()
    host_and_path = cluster.issuer_url.removeprefix("https://")

    ground.aws.seed_provider(
        cluster.issuer_url, client_ids=["api://AzureADTokenExchange"], thumbprints=[ground.issuer_leaf_thumbprint]
    )
    ground.aws.seed_role(
        _HALFDONE_ROLE,
        trust={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Federated": f"arn:aws:iam::{AWS_ACCOUNT}:oidc-provider/{host_and_path}"},
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {"StringEquals": {f"{host_and_path}/:sub": _SUBJECT}},
                }
            ],
        },
        inline_policies={"AMP-RemoteWrite": _write_policy(workspace)},
    )
    ground.directory.seed_federated_credential(
        application["id"], _credential("aks-prometheus-federation-halfdone", f"https://{cluster.issuer_url}/")
    )

    api_server = ground.add_cluster(cluster)
    deployment = manifests.deployment()
    _run_as(deployment, SERVICE_ACCOUNT)
    text = _HALFDONE_PROMETHEUS_YML.format(
        region=AWS_REGION, workspace=workspace, account=AWS_ACCOUNT, role=_HALFDONE_ROLE
    )
    for manifest in (
        manifests.namespace(manifests.NAMESPACE),
        _federated_service_account(application["appId"]),
        manifests.config_map(text),
        manifests.service(),
        deployment,
    ):
        api_server.seed(manifest)


# --- finished ---------------------------------------------------------------------------------------------------------

_FINISHED_PROMETHEUS_YML = """\
global:
  scrape_interval: 30s
  external_labels:
    cluster: {name}

scrape_configs:
  - job_name: prometheus
    static_configs:
      - targets: ["localhost:9090"]

remote_write:
  # Amazon Managed Prometheus; the credentials come from the pod's web identity (AWS_ROLE_ARN and its token file)
  - url: https://aps-workspaces.{region}.amazonaws.com/workspaces/{workspace}/api/v1/remote_write
    sigv4:
      region: {region}
"""


def finished_role(name: str) -> str:
    """The name of the role of a cluster like ``finished``."""
    return f"AKS-Prometheus-AMP-Role-{name}"


def finished_cluster(name: str, guid: str) -> AksCluster:
    """A cluster like ``finished``: OIDC issuer and workload identity are on."""
    cluster = _cluster(name, guid, location="northeurope", version="1.33.4", environment="prod")
    _switch_on(cluster)
    return cluster


def _finished() -> AksCluster:
    return finished_cluster("finished", "5e8a2b90-1c7d-4d3e-a1c2-7f9b0d4e6a03")


def _seed_finished(ground: Ground, cluster: AksCluster, workspace: str, application: Json) -> None:
    host_and_path = cluster.issuer_url.removeprefix("https://")

    ground.aws.seed_provider(
        cluster.issuer_url, client_ids=["sts.amazonaws.com"], thumbprints=[ground.intermediate_thumbprint]
    )
    ground.aws.seed_role(
        finished_role(cluster.name),
        trust={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "AksPrometheus",
                    "Effect": "Allow",
                    "Principal": {"Federated": f"arn:aws:iam::{AWS_ACCOUNT}:oidc-provider/{host_and_path}"},
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {
                        "StringEquals": {f"{host_and_path}:aud": "sts.amazonaws.com", f"{host_and_path}:sub": _SUBJECT}
                    },
                }
            ],
        },
        inline_policies={"AMP-RemoteWrite": _write_policy(workspace)},
    )
    ground.directory.seed_federated_credential(
        application["id"], _credential(f"aks-prometheus-federation-{cluster.name}", cluster.issuer_url)
    )

    api_server = ground.add_cluster(cluster)
    text = _FINISHED_PROMETHEUS_YML.format(name=cluster.name, region=AWS_REGION, workspace=workspace)
    for manifest in (
        manifests.namespace(manifests.NAMESPACE),
        _federated_service_account(application["appId"]),
        manifests.config_map(text),
        manifests.service(),
        _finished_deployment(finished_role(cluster.name)),
    ):
        api_server.seed(manifest)


def _finished_deployment(role: str) -> Json:
    deployment = manifests.deployment()
    _run_as(deployment, SERVICE_ACCOUNT)
    pod = deployment["spec"]["template"]["spec"]
    prometheus = pod["containers"][0]
    prometheus["env"] += [
        {"name": "AWS_ROLE_ARN", "value": f"arn:aws:iam::{AWS_ACCOUNT}:role/{role}"},
        {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/var/run/secrets/aws/token"},
        {"name": "AWS_REGION", "value": AWS_REGION},
        {"name": "AWS_STS_REGIONAL_ENDPOINTS", "value": "regional"},
    ]
    prometheus["volumeMounts"].append({"name": "aws-iam-token", "mountPath": "/var/run/secrets/aws", "readOnly": True})
    token = {"audience": "sts.amazonaws.com", "expirationSeconds": 3600, "path": "token"}
    pod["volumes"].append(
        {"name": "aws-iam-token", "projected": {"sources": [{"serviceAccountToken": token}], "defaultMode": 420}}
    )
    return deployment


# --- shared -----------------------------------------------------------------------------------------------------------


def _cluster(name: str, guid: str, *, location: str, version: str, environment: str) -> AksCluster:
    """A cluster of the fleet whose OIDC issuer and workload identity are off."""
    cluster = AksCluster(AZURE_SUBSCRIPTION, RESOURCE_GROUP, name, AZURE_TENANT, guid, body={})
    cluster.body = bodies.managed_cluster(cluster, location=location, version=version, environment=environment)
    return cluster


def _switch_on(cluster: AksCluster) -> None:
    """The two flags as AKS answers them."""
    properties = cluster.body["properties"]
    properties["oidcIssuerProfile"] = {"enabled": True, "issuerURL": cluster.issuer_url}
    properties["securityProfile"] = {"workloadIdentity": {"enabled": True}}


def _write_policy(workspace: str) -> Json:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "aps:RemoteWrite",
                "Resource": f"arn:aws:aps:{AWS_REGION}:{AWS_ACCOUNT}:workspace/{workspace}",
            }
        ],
    }


def _credential(name: str, issuer: str) -> Json:
    return {"name": name, "issuer": issuer, "subject": _SUBJECT, "audiences": ["api://AzureADTokenExchange"]}


def _federated_service_account(client_id: str) -> Json:
    return manifests.service_account(
        SERVICE_ACCOUNT,
        labels={"azure.workload.identity/use": "true"},
        annotations={"azure.workload.identity/client-id": client_id},
    )


def _run_as(deployment: Json, service_account: str) -> None:
    """An API server keeps the deprecated name of the field beside the current one."""
    pod = deployment["spec"]["template"]["spec"]
    pod["serviceAccountName"] = service_account
    pod["serviceAccount"] = service_account
