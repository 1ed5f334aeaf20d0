# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet in which some clusters have drifted: the report names those, each by its kind, and nothing is written.

``AKS_AMP_FLEET`` chooses the number of clusters: ``make fleet`` looks at two hundred, of which two drift by each of ten
kinds. In a small fleet one does by each.
"""

from __future__ import annotations

import json
import os
import typing as t

import boto3
import jsonschema
from botocore.config import Config

from sandbox import estate, manifests, world
from sandbox.graph.directory import Key
from sandbox.testing import running_sandbox
from tests.e2e.conftest import Estate
from tests.unit.plugins.module_utils._drift.test_drift_model import SCHEMA

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.server import Sandbox

Json = dict[str, t.Any]

CLUSTERS = int(os.environ.get("AKS_AMP_FLEET", "12"))
WHO = "kubectl-edit"
SERVICE_ACCOUNT = f"/api/v1/namespaces/{manifests.NAMESPACE}/serviceaccounts/{estate.SERVICE_ACCOUNT}"
CONFIG_MAP = f"/api/v1/namespaces/{manifests.NAMESPACE}/configmaps/{manifests.CONFIG_MAP}"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{manifests.NAMESPACE}/deployments/{manifests.WORKLOAD}"


class Cluster:
    """One federated cluster, as somebody who spoils it sees it."""

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        self.sandbox = sandbox
        self.name = name
        self.role = estate.finished_role(name)
        self.issuer = sandbox.cluster(name).issuer_url.removeprefix("https://")
        self.provider = f"arn:aws:iam::{world.AWS_ACCOUNT}:oidc-provider/{self.issuer}"

    @property
    def iam(self) -> t.Any:
        return boto3.client(
            "iam",
            region_name=estate.AWS_REGION,
            aws_access_key_id=world.CONTROLLER_AWS_ACCESS_KEY,
            aws_secret_access_key=world.CONTROLLER_AWS_SECRET_KEY,
            verify=str(self.sandbox.ca_file),
            config=Config(proxies={"https": self.sandbox.proxy_url}),
        )

    def trust(self, change: Callable[[Json], None]) -> None:
        """Rewrite the condition of the trust policy's statement."""
        document = self.iam.get_role(RoleName=self.role)["Role"]["AssumeRolePolicyDocument"]
        change(document["Statement"][0]["Condition"])
        self.iam.update_assume_role_policy(RoleName=self.role, PolicyDocument=json.dumps(document))

    def permit(self, change: Callable[[Json], None]) -> None:
        """Rewrite the statement of the role's policy."""
        found = self.iam.get_role_policy(RoleName=self.role, PolicyName="AMP-RemoteWrite")["PolicyDocument"]
        change(found["Statement"][0])
        self.iam.put_role_policy(RoleName=self.role, PolicyName="AMP-RemoteWrite", PolicyDocument=json.dumps(found))

    def credential(self, changes: Json) -> None:
        directory = self.sandbox.directory
        name = estate.application_name(self.name)
        application = next(one for one in directory.applications() if one["displayName"] == name)
        key = Key("id", application["id"])
        directory.update_credential(key, Key("id", directory.credentials(key)[0]["id"]), changes)

    def patch(self, path: str, body: object, kind: str = "merge-patch") -> None:
        """Change an object as ``kubectl edit`` would."""
        api_server = self.sandbox.api_server(self.name)
        answer = api_server.app.test_client().patch(
            f"{path}?fieldManager={WHO}",
            data=json.dumps(body),
            headers={
                "Authorization": f"Bearer {api_server.controller_token}",
                "Content-Type": f"application/{kind}+json",
            },
        )
        assert answer.status_code == 200, answer.text

    def configure(self, old: str, new: str) -> None:
        """Edit the text of prometheus.yml."""
        found = self.sandbox.api_server(self.name).get("ConfigMap", manifests.NAMESPACE, manifests.CONFIG_MAP) or {}
        text = found["data"][manifests.CONFIG_KEY]
        assert old in text
        self.patch(CONFIG_MAP, {"data": {manifests.CONFIG_KEY: text.replace(old, new)}})


def workload_identity_off(cluster: Cluster) -> None:
    cluster.sandbox.cluster(cluster.name).body["properties"]["securityProfile"]["workloadIdentity"]["enabled"] = False


def client_id_removed(cluster: Cluster) -> None:
    cluster.iam.add_client_id_to_open_id_connect_provider(
        OpenIDConnectProviderArn=cluster.provider, ClientID="api://AzureADTokenExchange"
    )
    cluster.iam.remove_client_id_from_open_id_connect_provider(
        OpenIDConnectProviderArn=cluster.provider, ClientID="sts.amazonaws.com"
    )


def leaf_pinned(cluster: Cluster) -> None:
    cluster.iam.update_open_id_connect_provider_thumbprint(
        OpenIDConnectProviderArn=cluster.provider,
        ThumbprintList=[cluster.sandbox.issuer_certificate.leaf_thumbprint],
    )


def audience_lost(cluster: Cluster) -> None:
    cluster.trust(lambda condition: condition["StringEquals"].pop(f"{cluster.issuer}:aud"))


def every_account_trusted(cluster: Cluster) -> None:
    def change(condition: Json) -> None:
        del condition["StringEquals"][f"{cluster.issuer}:sub"]
        condition["StringLike"] = {f"{cluster.issuer}:sub": "system:serviceaccount:monitoring:*"}

    cluster.trust(change)


def other_workspace(cluster: Cluster) -> None:
    cluster.permit(lambda statement: statement.update(Resource=f"{statement['Resource'].rpartition('/')[0]}/ws-other"))


def other_subject(cluster: Cluster) -> None:
    cluster.credential({"subject": "system:serviceaccount:monitoring:default"})


def annotation_lost(cluster: Cluster) -> None:
    cluster.patch(SERVICE_ACCOUNT, {"metadata": {"annotations": {"azure.workload.identity/client-id": None}}})


def token_lost(cluster: Cluster) -> None:
    pod = {
        "volumes": [{"$patch": "delete", "name": "aws-iam-token"}],
        "containers": [
            {
                "name": manifests.CONTAINER,
                "volumeMounts": [{"$patch": "delete", "mountPath": "/var/run/secrets/aws"}],
            }
        ],
    }
    cluster.patch(DEPLOYMENT, {"spec": {"template": {"spec": pod}}}, "strategic-merge-patch")


def role_assumed_twice(cluster: Cluster) -> None:
    arn = f"arn:aws:iam::{world.AWS_ACCOUNT}:role/{cluster.role}"
    region = f"      region: {estate.AWS_REGION}\n"
    cluster.configure(region, f"{region}      role_arn: {arn}\n")


#: What is spoiled, and by which kinds the report names it.
DRIFTS: dict[Callable[[Cluster], None], set[str]] = {
    workload_identity_off: {"workload_identity_disabled"},
    client_id_removed: {"client_id_missing"},
    leaf_pinned: {"thumbprint_changed"},
    audience_lost: {"trust_lost_audience"},
    every_account_trusted: {"trust_wildcard"},
    other_workspace: {"permission_lost", "permission_too_wide"},
    other_subject: {"federated_credential_subject_changed"},
    annotation_lost: {"service_account_annotation_changed"},
    token_lost: {"pod_token_missing"},
    role_assumed_twice: {"remote_write_self_role"},
}


def test_all_drifts_of_a_fleet_are_found_and_no_others(tmp_path: Path) -> None:
    spoilers = [*DRIFTS, *DRIFTS] if len(DRIFTS) * 2 < CLUSTERS else [*DRIFTS]
    names = [f"fleet-{number:03}" for number in range(max(CLUSTERS, len(spoilers) + 1))]
    step = len(names) // len(spoilers)
    spoiled = {names[number * step]: spoil for number, spoil in enumerate(spoilers)}
    with running_sandbox() as sandbox:
        sandbox.aws.set_provider_quota(len(names) + 10)
        sandbox.add_fleet(*names)
        for name, spoil in spoiled.items():
            spoil(Cluster(sandbox, name))
        estate_of_all = Estate(sandbox)
        before = estate_of_all.requests()
        run = estate_of_all.play(
            "drift",
            *("--limit", "fleet-*", "--forks", str(os.cpu_count() or 2)),
            *("-e", f"aks_amp_drift_report_dest={tmp_path}"),
            environment={"ANSIBLE_PIPELINING": "true"},
        )
        assert run.exit_code == 2, run.output[-6000:]
        assert estate_of_all.writes(before) == []
        seen = {request.service.removeprefix("kubernetes/") for request in sandbox.world.log.since(before)}
    assert set(names) <= seen
    report = json.loads((tmp_path / "drift-report.json").read_text())
    jsonschema.validate(report, SCHEMA)
    assert [cluster["name"] for cluster in report["clusters"]] == names
    found = {
        cluster["name"]: {drift["kind"] for step in cluster["steps"] for drift in step["drifts"]}
        for cluster in report["clusters"]
    }
    assert {name: kinds for name, kinds in found.items() if kinds} == {
        name: DRIFTS[spoil] for name, spoil in spoiled.items()
    }
    writers = {
        cluster["name"]: drift["last_changed_by"]
        for cluster in report["clusters"]
        for step in cluster["steps"]
        for drift in step["drifts"]
        if drift["kind"] == "remote_write_self_role"
    }
    twice_assumed = [name for name, spoil in spoiled.items() if spoil is role_assumed_twice]
    assert {name: (one["who"], one["how"]) for name, one in writers.items()} == dict.fromkeys(
        twice_assumed, (WHO, "field")
    )
    healthy = [cluster["status"] for cluster in report["clusters"] if cluster["name"] not in spoiled]
    assert set(healthy) == {"in_sync"}
    assert report["summary"]["in_sync"] == len(names) - len(spoiled)
    assert report["summary"]["failed"] == report["summary"]["unknown"] == 0
