# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus with the Azure webhook's token, against API servers whose webhook acts as Azure's does."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    KNOWN_AFTER_APPLY,
    FederationError,
    ProjectedToken,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import (
    federation_check,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import (
    prometheus_remote_write as resource,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, Result
from sandbox.kubernetes.access import Rule
from sandbox.kubernetes.azure_webhook import DEPLOYMENT, IMAGE
from sandbox.kubernetes.monitoring import definitions
from sandbox.testing import running_sandbox
from sandbox.world import AWS_ACCOUNT
from tests.unit.plugins.module_utils._resources.aws_modules import params_of
from tests.unit.plugins.module_utils._resources.federation_proof import Proof

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server import Sandbox

Json = dict[str, t.Any]

OLD = "/var/run/secrets/azure/tokens/azure-identity-token"
NEW = "/var/run/secrets/azure/wi/token/azure-identity-token"
OWN = "/var/run/secrets/aws/token"
ROLE = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-finished"
URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"
LABEL = "azure.workload.identity/use"
#: What every write changes, and what the Deployment controller counts.
REVISION = "deployment.kubernetes.io/revision"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """The webhook runs in the clusters halfdone and finished; in fresh it does not."""
    running.reset()
    account = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "sa", "namespace": "monitoring"}}
    for cluster in ("fresh", "halfdone"):
        running.api_server(cluster).seed(account)
    return running


def run(sandbox: Sandbox, cluster: str = "halfdone", *, check_mode: bool = False, **options: t.Any) -> Result:
    values = {
        "namespace": "monitoring",
        "configmap": "prometheus-config",
        "workload_name": "prometheus",
        "service_account": "sa",
        "role_arn": ROLE,
        "region": "eu-west-1",
        "remote_write_url": URL,
        "token_source": "azure_workload_identity",
        "kubeconfig": str(sandbox.kubeconfig),
        "context": cluster,
        **options,
    }
    return resource.DEFINITION.run(
        params_of(resource.DEFINITION, values), Context(check_mode=check_mode, sleep=lambda _: None)
    )


def template(sandbox: Sandbox, cluster: str = "halfdone") -> Json:
    stored = sandbox.api_server(cluster).get("Deployment", "monitoring", "prometheus")
    assert stored is not None
    return t.cast("Json", stored["spec"]["template"])


def whole(sandbox: Sandbox, cluster: str = "halfdone") -> Json:
    """Workload and configuration without what every write changes."""
    api_server = sandbox.api_server(cluster)
    found = {}
    for kind, name in (("Deployment", "prometheus"), ("ConfigMap", "prometheus-config")):
        stored = api_server.get(kind, "monitoring", name)
        assert stored is not None
        annotations = {k: v for k, v in stored["metadata"].get("annotations", {}).items() if k != REVISION}
        found[kind] = [stored.get("spec"), stored.get("data"), stored["metadata"].get("labels"), annotations]
    return found


def environment(sandbox: Sandbox, cluster: str = "halfdone") -> dict[str, str]:
    env = template(sandbox, cluster)["spec"]["containers"][0]["env"]
    return {item["name"]: item["value"] for item in env if item["name"].startswith("AWS_")}


def own_volumes(sandbox: Sandbox) -> list[str]:
    spec = template(sandbox)["spec"]
    mounts = [mount["name"] for mount in spec["containers"][0]["volumeMounts"]]
    return [volume["name"] for volume in spec["volumes"] if volume["name"] == "aws-iam-token"] + [
        name for name in mounts if name == "aws-iam-token"
    ]


def set_webhook(sandbox: Sandbox, cluster: str = "halfdone", *, image: str = IMAGE, replicas: int = 2) -> None:
    api_server = sandbox.api_server(cluster)
    deployment = api_server.get("Deployment", "kube-system", DEPLOYMENT)
    assert deployment is not None
    deployment["spec"]["replicas"] = replicas
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = image
    api_server.seed({key: deployment[key] for key in ("apiVersion", "kind", "metadata", "spec")})


def running_pod(sandbox: Sandbox, cluster: str = "halfdone") -> Json:
    """The pod that the workload's template made, as the webhook left it."""
    from sandbox.kubernetes import kinds  # the store has no public list

    pods = sandbox.api_server(cluster)._store.select(kinds.PODS, "monitoring")
    (found,) = [pod for pod in pods if pod["metadata"]["name"].startswith("prometheus-")]
    return t.cast("Json", found)


def writes(sandbox: Sandbox) -> list[str]:
    return [request.operation for request in sandbox.world.log.since() if request.write]


# --- the pod ----------------------------------------------------------------------------------------------------------


def test_what_is_checked_is_what_is_applied_and_the_file_is_where_the_webhook_mounts_it(sandbox: Sandbox) -> None:
    checked = run(sandbox, check_mode=True)
    assert writes(sandbox) == []
    applied = run(sandbox)
    assert [change.report() for change in applied.changes] == [change.report() for change in checked.changes]
    assert environment(sandbox) == {
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": OLD,
        "AWS_REGION": "eu-west-1",
        "AWS_STS_REGIONAL_ENDPOINTS": "regional",
    }
    assert template(sandbox)["metadata"]["labels"][LABEL] == "true"
    assert own_volumes(sandbox) == []
    # In the pod that runs the file is there: a mount of the webhook's leads to it.
    container = running_pod(sandbox)["spec"]["containers"][0]
    assert OLD.rpartition("/")[0] in [mount["mountPath"] for mount in container["volumeMounts"]]
    again = run(sandbox)
    assert (again.changes, again.warnings) == ((), ())


def test_from_one_source_to_the_other_and_back(sandbox: Sandbox) -> None:
    before = whole(sandbox)
    run(sandbox, token_source="projected")
    projected = environment(sandbox)
    assert projected["AWS_WEB_IDENTITY_TOKEN_FILE"] == OWN
    assert own_volumes(sandbox) == ["aws-iam-token", "aws-iam-token"]
    checked = run(sandbox, check_mode=True)
    switched = run(sandbox)
    assert [change.diff() for change in switched.changes] == [change.diff() for change in checked.changes]
    assert own_volumes(sandbox) == []
    assert environment(sandbox) == {**projected, "AWS_WEB_IDENTITY_TOKEN_FILE": OLD}
    assert run(sandbox).changes == ()
    run(sandbox, token_source="projected")
    assert own_volumes(sandbox) == ["aws-iam-token", "aws-iam-token"]
    assert environment(sandbox) == projected
    assert run(sandbox, token_source="projected").changes == ()
    run(sandbox)
    run(sandbox, state="absent")
    assert whole(sandbox) == before


def test_a_volume_that_others_use_stays_when_the_source_changes(sandbox: Sandbox) -> None:
    run(sandbox, token_source="projected")
    api_server = sandbox.api_server("halfdone")
    deployment = api_server.get("Deployment", "monitoring", "prometheus")
    assert deployment is not None
    sidecar = deployment["spec"]["template"]["spec"]["containers"][1]
    sidecar["volumeMounts"].append({"name": "aws-iam-token", "mountPath": "/var/run/secrets/aws"})
    api_server.seed({key: deployment[key] for key in ("apiVersion", "kind", "metadata", "spec")})
    result = run(sandbox)
    assert own_volumes(sandbox) == ["aws-iam-token"]
    assert any("aws-iam-token" in warning and "config-reloader" in warning for warning in result.warnings)


def test_a_volume_that_somebody_else_made_is_left_alone(sandbox: Sandbox) -> None:
    """The cluster finished was federated by hand: nothing of it is recorded as ours."""
    before = template(sandbox, "finished")["spec"]["volumes"]
    run(sandbox, "finished", service_account="prometheus-sa")
    assert template(sandbox, "finished")["spec"]["volumes"] == before
    assert environment(sandbox, "finished")["AWS_WEB_IDENTITY_TOKEN_FILE"] == OLD


# --- where the token is -----------------------------------------------------------------------------------------------


def test_a_newer_webhook_moves_the_file_and_the_next_run_follows(sandbox: Sandbox) -> None:
    run(sandbox)
    set_webhook(sandbox, image=IMAGE.replace("v1.5.1", "v1.6.0"))
    result = run(sandbox)
    assert environment(sandbox)["AWS_WEB_IDENTITY_TOKEN_FILE"] == NEW
    assert any(OLD in warning and NEW in warning for warning in result.warnings)
    assert run(sandbox).warnings == ()


def test_a_running_pod_tells_where_the_version_does_not(sandbox: Sandbox) -> None:
    set_webhook(sandbox, image="registry.example/webhook:latest")
    with pytest.raises(errors.Refused, match="can't be told"):
        run(sandbox)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "shop", "namespace": "monitoring", "labels": {LABEL: "true"}},
        "spec": {"containers": [{"name": "shop", "image": "shop:1"}]},
    }
    sandbox.api_server("halfdone").seed(pod)
    run(sandbox)
    assert environment(sandbox)["AWS_WEB_IDENTITY_TOKEN_FILE"] == OLD


def test_the_option_wins(sandbox: Sandbox) -> None:
    result = run(sandbox, token_file="/var/run/other/token")
    assert environment(sandbox)["AWS_WEB_IDENTITY_TOKEN_FILE"] == "/var/run/other/token"
    assert any(OLD in warning for warning in result.warnings)


@pytest.mark.parametrize(
    ("rights", "hidden"),
    [
        ((), ("mutatingwebhookconfigurations", "deployments", "pods")),
        ((Rule(("list",), ("pods",)),), ("mutatingwebhookconfigurations", "deployments")),
    ],
)
def test_missing_rights_are_named_and_the_option_makes_up_for_them(
    sandbox: Sandbox, rights: tuple[Rule, ...], hidden: tuple[str, ...]
) -> None:
    own = Rule(
        verbs=("get", "patch"),
        resources=("configmaps", "deployments", "namespaces", "serviceaccounts"),
        api_groups=("", "apps"),
        namespaces=("monitoring",),
    )
    sandbox.api_server("halfdone").grant("limited", [own, *rights], "limited")
    with pytest.raises(errors.Refused) as refused:
        run(sandbox, api_key="limited")
    for plural in hidden:
        assert plural in refused.value.sentence()
    assert writes(sandbox) == []
    result = run(sandbox, api_key="limited", token_file=OLD)
    assert any("mutatingwebhookconfigurations" in warning for warning in result.warnings)
    assert environment(sandbox)["AWS_WEB_IDENTITY_TOKEN_FILE"] == OLD


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_without_the_webhook_the_step_that_brings_it_is_named(sandbox: Sandbox) -> None:
    with pytest.raises(errors.NotFound, match="azure-wi-webhook-mutating-webhook-configuration") as refused:
        run(sandbox, "fresh")
    assert "aks_oidc_issuer" in refused.value.fix
    assert writes(sandbox) == []
    planned = run(sandbox, "fresh", check_mode=True)
    assert KNOWN_AFTER_APPLY in str(planned.changes[-1].after)


def test_a_webhook_that_does_not_run_is_said_before_any_write(sandbox: Sandbox) -> None:
    set_webhook(sandbox, replicas=0)
    with pytest.raises(errors.NotReady, match="no ready pod"):
        run(sandbox)
    assert writes(sandbox) == []


def test_a_pod_that_keeps_the_webhook_from_its_container_is_refused(sandbox: Sandbox) -> None:
    api_server = sandbox.api_server("halfdone")
    deployment = api_server.get("Deployment", "monitoring", "prometheus")
    assert deployment is not None
    annotations = deployment["spec"]["template"]["metadata"].setdefault("annotations", {})
    annotations["azure.workload.identity/skip-containers"] = "config-reloader;prometheus"
    api_server.seed({key: deployment[key] for key in ("apiVersion", "kind", "metadata", "spec")})
    with pytest.raises(errors.Refused, match="skip-containers"):
        run(sandbox)
    assert writes(sandbox) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"token_source": "projected", "token_file": OLD}, "token_file"),
        ({"token_file": "tokens/file"}, "absolute path"),
        ({"token_file": "/tokens/"}, "absolute path"),
        ({"token_file": "/a b"}, "absolute path"),
        ({"namespace": "kube-system"}, "kube-system"),
    ],
)
def test_bad_input_is_one_sentence(sandbox: Sandbox, options: Json, words: str) -> None:
    with pytest.raises(errors.InvalidInput) as refused:
        run(sandbox, **options)
    assert words in refused.value.sentence()
    assert "\n" not in refused.value.sentence()


def test_a_token_of_our_own_never_takes_the_webhook_s_name() -> None:
    with pytest.raises(FederationError, match="azure-identity-token"):
        ProjectedToken(ROLE, "eu-west-1", file_name="azure-identity-token")


# --- the proof --------------------------------------------------------------------------------------------------------


def test_the_proof_asks_for_a_token_of_the_chosen_source(sandbox: Sandbox) -> None:
    proof = Proof(sandbox)
    assert proof.look("finished", scope="token_exchange")["healthy"]
    broken = proof.look("finished", scope="token_exchange", token_source="azure_workload_identity")
    assert broken["claims"]["aud"] == ["api://AzureADTokenExchange"]
    assert not broken["healthy"]
    host_and_path = sandbox.cluster("finished").issuer_url.removeprefix("https://")
    proof.iam.add_client_id_to_open_id_connect_provider(
        OpenIDConnectProviderArn=f"arn:aws:iam::{AWS_ACCOUNT}:oidc-provider/{host_and_path}",
        ClientID="api://AzureADTokenExchange",
    )
    proof.set_trust(
        "finished", {"aud": "api://AzureADTokenExchange", "sub": "system:serviceaccount:monitoring:prometheus-sa"}
    )
    assert proof.look("finished", token_source="azure_workload_identity")["healthy"]
    assert federation_check.DEFINITION.spec.options["token_source"]["choices"] == [
        "projected",
        "azure_workload_identity",
    ]


# --- the operator's resource ------------------------------------------------------------------------------------------


def test_the_operator_s_resource_changes_its_source_and_back(sandbox: Sandbox) -> None:
    api_server = sandbox.api_server("halfdone")
    for definition in definitions():
        api_server.seed(definition)
    manifest = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": "k8s", "namespace": "monitoring"},
        "spec": {"version": "v3.5.0", "replicas": 1, "volumes": [{"name": "extra", "emptyDir": {}}]},
    }
    before = api_server.seed(manifest)["spec"]
    operated: Json = {"workload_kind": "Prometheus", "workload_name": "k8s", "configmap": None}

    def spec() -> Json:
        stored = api_server.get("Prometheus", "monitoring", "k8s")
        assert stored is not None
        return t.cast("Json", stored["spec"])

    def token_file() -> str:
        env = next(item for item in spec()["containers"] if item["name"] == "prometheus")["env"]
        return str(next(item["value"] for item in env if item["name"] == "AWS_WEB_IDENTITY_TOKEN_FILE"))

    run(sandbox, token_source="projected", **operated)
    projected = spec()
    checked = run(sandbox, check_mode=True, **operated)
    switched = run(sandbox, **operated)
    assert [change.diff() for change in switched.changes] == [change.diff() for change in checked.changes]
    assert [volume["name"] for volume in spec()["volumes"]] == ["extra"]
    assert "volumeMounts" not in spec()
    assert token_file() == OLD
    assert spec()["podMetadata"]["labels"][LABEL] == "true"
    assert run(sandbox, **operated).changes == ()
    run(sandbox, token_source="projected", **operated)
    assert spec()["volumes"] == projected["volumes"]
    assert spec()["volumeMounts"] == projected["volumeMounts"]
    assert token_file() == OWN
    run(sandbox, **operated)
    run(sandbox, state="absent", **operated)
    assert spec() == before
