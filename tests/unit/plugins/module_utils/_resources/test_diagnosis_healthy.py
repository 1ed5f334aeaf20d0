# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No false alarm: chains that are in order in many ways, each without any finding."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import (
    entra_federated_credential,
    federated_service_account,
    iam_role,
)
from sandbox import manifests
from sandbox.estate import MANAGED_IDENTITY, application_name
from sandbox.testing import running_sandbox
from sandbox.world import AWS_ACCOUNT, AZURE_SUBSCRIPTION
from tests.unit.plugins.azure_estate import RESOURCE_GROUP
from tests.unit.plugins.module_utils._resources.cluster_diagnosis import Ward
from tests.unit.plugins.module_utils._resources.doctor import Doctor
from tests.unit.plugins.module_utils._resources.federation_proof import link
from tests.unit.plugins.module_utils._resources.prometheus_targets import Target

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.server import Sandbox

Json = dict[str, t.Any]

CLUSTER = "finished"
ACCOUNTS = [{"namespace": "monitoring", "name": name} for name in ("prometheus-sa", "thanos-sa")]


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def doctor(running: Sandbox) -> Iterator[Doctor]:
    yield Doctor(running)
    running.reset()


def _as_it_is(_doctor: Doctor) -> Json:
    return {}


def _by_the_steps(doctor: Doctor) -> Json:
    """The guide's cluster, repaired."""
    doctor.step_iam_web_identity("halfdone")
    doctor.step_entra_federation("halfdone")
    doctor.step_prometheus_remote_write("halfdone")
    return {"cluster": "halfdone"}


def _from_nothing(doctor: Doctor) -> Json:
    doctor.step_aks_oidc_issuer("fresh")
    doctor.step_iam_web_identity("fresh")
    doctor.step_entra_federation("fresh")
    doctor.step_service_account("fresh", _client_id(doctor, "fresh"))
    doctor.step_prometheus_remote_write("fresh")
    return {"cluster": "fresh"}


def _client_id(doctor: Doctor, cluster: str) -> str:
    directory = doctor.sandbox.directory
    return next(one["appId"] for one in directory.applications() if one["displayName"] == application_name(cluster))


def _azure_s_token(doctor: Doctor) -> Json:
    doctor.iam.add_client_id_to_open_id_connect_provider(
        OpenIDConnectProviderArn=_provider(doctor), ClientID="api://AzureADTokenExchange"
    )
    subject = "system:serviceaccount:monitoring:prometheus-sa"
    doctor.set_trust(CLUSTER, {"aud": "api://AzureADTokenExchange", "sub": subject})
    doctor.step_prometheus_remote_write(CLUSTER, token_source="azure_workload_identity", pod_label=True)
    return {"token_source": "azure_workload_identity"}


def _provider(doctor: Doctor) -> str:
    host_and_path = doctor.sandbox.cluster(CLUSTER).issuer_url.removeprefix("https://")
    return f"arn:aws:iam::{AWS_ACCOUNT}:oidc-provider/{host_and_path}"


def _target(kind: str, source: str, form: str) -> Callable[[Doctor], Json]:
    def build(doctor: Doctor) -> Json:
        ward, target = Ward(doctor.sandbox), Target(kind, source, form)
        if kind != "Deployment":
            ward.delete(f"/apis/apps/v1/namespaces/monitoring/deployments/{manifests.WORKLOAD}")
        text = ward.get("ConfigMap", manifests.CONFIG_MAP)["data"][manifests.CONFIG_KEY]
        ward.server.seed(target.config(text))
        ward.server.seed(target.workload())
        doctor.step_prometheus_remote_write(CLUSTER, **{"configmap": None, **target.options})
        return {"prometheus": [target.options]}

    return build


def _operator(kind: str) -> Callable[[Doctor], Json]:
    def build(doctor: Doctor) -> Json:
        Ward(doctor.sandbox).seed_operator(kind, serviceAccountName="prometheus-sa")
        named = {"workload_kind": kind, "workload_name": "k8s"}
        doctor.step_prometheus_remote_write(CLUSTER, configmap=None, **named)
        return {"prometheus": [named]}

    return build


def _role(doctor: Doctor, **changes: t.Any) -> None:
    options: Json = {
        **doctor.runner.connection,
        "name": doctor.role(CLUSTER),
        "issuer": doctor.sandbox.cluster(CLUSTER).issuer_url,
        "service_accounts": ACCOUNTS[:1],
        "workspace_arns": [doctor.workspace_arn],
        **changes,
    }
    doctor.runner.run_alone(iam_role.DEFINITION, **options)


def _several_accounts(doctor: Doctor) -> Json:
    _role(doctor, service_accounts=ACCOUNTS)
    kubernetes = {"kubeconfig": str(doctor.sandbox.kubeconfig), "context": CLUSTER}
    options = {**kubernetes, "namespace": "monitoring", "name": "thanos-sa", "client_id": _client_id(doctor, CLUSTER)}
    doctor.runner.run_alone(federated_service_account.DEFINITION, **options)
    credential = {
        **doctor.azure,
        "display_name": application_name(CLUSTER),
        "name": "thanos",
        "issuer": doctor.sandbox.cluster(CLUSTER).issuer_url,
        "namespace": "monitoring",
        "service_account": "thanos-sa",
    }
    doctor.runner.run_alone(entra_federated_credential.DEFINITION, **credential)
    return {"service_account": "thanos-sa", "prometheus": []}


def _chained_role(doctor: Doctor) -> Json:
    """A role that only the federated one may assume, and which alone may write."""
    federated = doctor.options(CLUSTER)["role_arn"]
    trust = {"Effect": "Allow", "Principal": {"AWS": federated}, "Action": "sts:AssumeRole"}
    writes = {"Effect": "Allow", "Action": "aps:RemoteWrite", "Resource": doctor.workspace_arn}
    version = {"Version": "2012-10-17"}
    doctor.iam.create_role(RoleName="writer", AssumeRolePolicyDocument=json.dumps({**version, "Statement": [trust]}))
    document = json.dumps({**version, "Statement": [writes]})
    doctor.iam.put_role_policy(RoleName="writer", PolicyName="write", PolicyDocument=document)
    chained = f"arn:aws:iam::{AWS_ACCOUNT}:role/writer"
    doctor.set_permissions(CLUSTER, ["sts:AssumeRole"], arn=chained)
    doctor.step_prometheus_remote_write(CLUSTER, chained_role_arn=chained)
    prometheus = {"workload_name": "prometheus", "configmap": "prometheus-config", "chained_role_arn": chained}
    return {"chained_role_arn": chained, "prometheus": [prometheus]}


def _managed_policy(doctor: Doctor) -> Json:
    doctor.iam.delete_role_policy(RoleName=doctor.role(CLUSTER), PolicyName="AMP-RemoteWrite")
    _role(doctor, policy_type="managed")
    return {}


def _aws_s_own_policy(doctor: Doctor) -> Json:
    doctor.iam.delete_role_policy(RoleName=doctor.role(CLUSTER), PolicyName="AMP-RemoteWrite")
    doctor.iam.attach_role_policy(
        RoleName=doctor.role(CLUSTER), PolicyArn="arn:aws:iam::aws:policy/AmazonPrometheusRemoteWriteAccess"
    )
    return {}


def _generous_boundary(doctor: Doctor) -> Json:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "aps:*", "Resource": "*"}]}
    arn = doctor.iam.create_policy(PolicyName="Limit", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    doctor.iam.put_role_permissions_boundary(RoleName=doctor.role(CLUSTER), PermissionsBoundary=arn)
    return {}


def _no_simulator(doctor: Doctor) -> Json:
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"},
    ]
    doctor.sandbox.aws.set_controller_policies({"Version": "2012-10-17", "Statement": statements})
    return {}


def _more_client_ids(doctor: Doctor) -> Json:
    for client_id in ("api://AzureADTokenExchange", "another"):
        doctor.iam.add_client_id_to_open_id_connect_provider(
            OpenIDConnectProviderArn=_provider(doctor), ClientID=client_id
        )
    return {}


def _pinned_top(doctor: Doctor) -> Json:
    anchors = [str(doctor.sandbox.ca_file)]
    doctor.step_iam_web_identity(CLUSTER, thumbprints=["auto"], trust_anchors=anchors)
    return {"trust_anchors": anchors}


def _wildcard_for_names(doctor: Doctor) -> Json:
    """A pattern inside the namespace is a choice that the trust policy's examination accepts."""
    host_and_path = doctor.sandbox.cluster(CLUSTER).issuer_url.removeprefix("https://")
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": _provider(doctor)},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{host_and_path}:aud": "sts.amazonaws.com"},
            "StringLike": {f"{host_and_path}:sub": "system:serviceaccount:monitoring:prometheus-*"},
        },
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    doctor.iam.update_assume_role_policy(RoleName=doctor.role(CLUSTER), PolicyDocument=document)
    return {}


def _statements_of_others(doctor: Doctor) -> Json:
    policy = doctor.iam.get_role(RoleName=doctor.role(CLUSTER))["Role"]["AssumeRolePolicyDocument"]
    other = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    found = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    document = json.dumps({**policy, "Statement": [*found, other]})
    doctor.iam.update_assume_role_policy(RoleName=doctor.role(CLUSTER), PolicyDocument=document)
    return {}


def _managed_identity(doctor: Doctor) -> Json:
    identity = (
        f"/subscriptions/{AZURE_SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"
        f"/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{MANAGED_IDENTITY}"
    )
    trust = {
        **doctor.azure,
        "managed_identity_id": identity,
        "name": "prometheus",
        "issuer": doctor.sandbox.cluster(CLUSTER).issuer_url,
        "namespace": "monitoring",
        "service_account": "prometheus-sa",
    }
    result = doctor.runner.run_alone(entra_federated_credential.DEFINITION, **trust)
    doctor.step_service_account(CLUSTER, str(result.facts["client_id"]))
    Ward(doctor.sandbox).restart()
    return {"entra": {"managed_identity_id": identity}}


def _without_entra(_doctor: Doctor) -> Json:
    return {"entra": None}


def _through_azure(doctor: Doctor) -> Json:
    """The API server's address and the caller's credential come from Azure."""
    access = {**doctor.azure, "resource_group": RESOURCE_GROUP, "name": CLUSTER, "access": "admin"}
    return {"kubeconfig": None, "context": None, "aks": access}


def _entries_of_others(doctor: Doctor) -> Json:
    Ward(doctor.sandbox).change_text(("remote_write:\n", "remote_write:\n  - url: https://other.example/write\n"))
    return {}


HEALTHY: dict[str, Callable[[Doctor], Json]] = {
    "federated by hand": _as_it_is,
    "the guide's cluster, repaired": _by_the_steps,
    "from nothing": _from_nothing,
    "the Azure webhook's token": _azure_s_token,
    "StatefulSet": _target("StatefulSet", "ConfigMap", "text"),
    "DaemonSet": _target("DaemonSet", "ConfigMap", "binary"),
    "Secret": _target("Deployment", "Secret", "binary"),
    "packed Secret": _target("StatefulSet", "Secret", "packed"),
    "operator": _operator("Prometheus"),
    "operator's agent": _operator("PrometheusAgent"),
    "several service accounts": _several_accounts,
    "chained role": _chained_role,
    "managed policy": _managed_policy,
    "AWS' own policy": _aws_s_own_policy,
    "boundary that allows it": _generous_boundary,
    "no right to simulate": _no_simulator,
    "more client IDs": _more_client_ids,
    "pinned authority": _pinned_top,
    "pattern inside the namespace": _wildcard_for_names,
    "trust of others beside it": _statements_of_others,
    "managed identity": _managed_identity,
    "without Entra": _without_entra,
    "API server through Azure": _through_azure,
    "entries of others beside it": _entries_of_others,
}


@pytest.mark.parametrize("variant", HEALTHY)
def test_a_chain_in_order_has_no_finding(doctor: Doctor, variant: str) -> None:
    changes = HEALTHY[variant](doctor)
    facts = doctor.examine(changes.pop("cluster", CLUSTER), **changes)
    assert facts["findings"] == [], "\n".join(facts["text"])
    assert facts["healthy"], facts["chain"]
    assert {one["link"] for one in facts["links"] if one["status"] != "ok"} <= {"read_back"}, facts["text"]


def test_there_are_twenty_of_them() -> None:
    assert len(HEALTHY) >= 20


def test_a_chained_role_that_does_not_trust_the_federated_one_is_named(doctor: Doctor) -> None:
    changes = _chained_role(doctor)
    nobody = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{AWS_ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    condition = {"StringEquals": {"sts:ExternalId": "agreed"}}
    document = {"Version": "2012-10-17", "Statement": [{**nobody, "Condition": condition}]}
    doctor.iam.update_assume_role_policy(RoleName="writer", PolicyDocument=json.dumps(document))
    (finding,) = doctor.examine(CLUSTER, **changes)["findings"]
    assert finding["kind"] == "chained_role_not_authorized"
    assert "external ID" in finding["cause"]
    facts = doctor.examine(CLUSTER, **changes, external_id="agreed")
    assert link(facts, "chained_role")["status"] == "ok"
    assert link(facts, "remote_write")["status"] == "ok"


def test_a_federated_role_that_may_not_chain_is_the_cause(doctor: Doctor) -> None:
    changes = _chained_role(doctor)
    doctor.set_permissions(CLUSTER, ["aps:RemoteWrite"])
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{AWS_ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        ],
    }
    doctor.iam.update_assume_role_policy(RoleName="writer", PolicyDocument=json.dumps(document))
    facts = doctor.examine(CLUSTER, **changes)
    assert [one["kind"] for one in facts["findings"]] == ["permission_missing"]
    (fix,) = [one["fix"] for one in facts["findings"]]
    assert fix.startswith(f"Name arn:aws:iam::{AWS_ACCOUNT}:role/writer in aks_amp_assumable_role_arns.")
    assert link(facts, "chained_role")["status"] == "broken"
