# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The federation taken apart again: what was created or added goes, everything else is as it was before."""

from __future__ import annotations

import json
import typing as t

import boto3
import botocore.config

from sandbox import world
from sandbox.testing import running_sandbox
from sandbox.world import Settings
from tests.e2e.conftest import Estate

if t.TYPE_CHECKING:
    from demo.runs import PlaybookRun
    from sandbox.server import Sandbox

Json = dict[str, t.Any]

KUBERNETES = "prometheus_remote_write,service_account"
#: What every write changes, and what the Deployment controller counts.
VOLATILE = ("resourceVersion", "generation", "managedFields", "uid", "creationTimestamp")
REVISION = "deployment.kubernetes.io/revision"


def explain(run: PlaybookRun) -> str:
    return run.output[-6000:]


def kubernetes_state(sandbox: Sandbox, cluster: str) -> Json:
    """The objects that the steps 4 and 5 touch, without what every write changes."""
    api_server = sandbox.api_server(cluster)
    names = (
        ("Namespace", None, "monitoring"),
        ("ServiceAccount", "monitoring", "prometheus-sa"),
        ("ConfigMap", "monitoring", "prometheus-config"),
        ("Deployment", "monitoring", "prometheus"),
    )
    return {kind: _steady(api_server.get(kind, namespace, name)) for kind, namespace, name in names}


def _steady(found: Json | None) -> Json | None:
    if found is None:
        return None
    metadata = {key: value for key, value in found["metadata"].items() if key not in VOLATILE}
    annotations = {key: value for key, value in metadata.pop("annotations", {}).items() if key != REVISION}
    return {
        **{key: value for key, value in found.items() if key != "status"},
        "metadata": {**metadata, "annotations": annotations},
    }


def iam_state(sandbox: Sandbox) -> Json:
    """All providers and roles with their policies."""
    iam = boto3.client(
        "iam",
        region_name="us-east-1",
        aws_access_key_id=world.CONTROLLER_AWS_ACCESS_KEY,
        aws_secret_access_key=world.CONTROLLER_AWS_SECRET_KEY,
        verify=str(sandbox.ca_file),
        config=botocore.config.Config(proxies={"https": sandbox.proxy_url}),
    )
    providers = {}
    for entry in iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]:
        found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=entry["Arn"])
        providers[entry["Arn"]] = [found["Url"], found["ClientIDList"], found["ThumbprintList"], found.get("Tags")]
    roles = {}
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        policies = {
            policy: iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        }
        roles[name] = [role["AssumeRolePolicyDocument"], policies]
    return {"providers": providers, "roles": roles}


def entra_state(sandbox: Sandbox) -> Json:
    directory = sandbox.directory
    return {
        "principals": [item["appId"] for item in directory.service_principals()],
        "applications": {item["displayName"]: [item["appId"], item.get("tags")] for item in directory.applications()},
    }


def whole_state(sandbox: Sandbox, cluster: str) -> Json:
    return {"kubernetes": kubernetes_state(sandbox, cluster), **iam_state(sandbox), **entra_state(sandbox)}


def summary(run: PlaybookRun, host: str) -> Json:
    """What the play says at its end of one cluster."""
    (found,) = [
        task.result["msg"] for task in run.tasks if task.host == host and isinstance(task.result.get("msg"), dict)
    ]
    return t.cast("Json", found)


# --- Kubernetes alone -------------------------------------------------------------------------------------------------


def test_the_cluster_is_as_it_was_before_and_check_mode_predicts_it(estate: Estate) -> None:
    before = kubernetes_state(estate.sandbox, "fresh")
    assert estate.federate("--limit", "fresh").exit_code == 0
    assert kubernetes_state(estate.sandbox, "fresh") != before
    since = estate.requests()
    planned = estate.play("teardown", "--check", "--diff", "--limit", "fresh", "--tags", KUBERNETES)
    assert planned.exit_code == 0, explain(planned)
    assert estate.writes(since) == []
    applied = estate.play("teardown", "--diff", "--limit", "fresh", "--tags", KUBERNETES)
    assert applied.exit_code == 0, explain(applied)
    assert applied.changes("fresh") == planned.changes("fresh")
    assert {change[:2] for change in applied.changes("fresh")} == {
        ("prometheus_remote_write", "update"),
        ("service_account", "delete"),
    }
    assert kubernetes_state(estate.sandbox, "fresh") == before
    assert len(summary(applied, "fresh")["removed"]) == 3
    again = estate.play("teardown", "--limit", "fresh", "--tags", KUBERNETES)
    assert again.changed("fresh") == 0, explain(again)


# --- everything -------------------------------------------------------------------------------------------------------


def test_all_that_was_created_goes_and_the_issuer_stays_on(estate: Estate) -> None:
    before = whole_state(estate.sandbox, "fresh")
    assert estate.federate("--limit", "fresh").exit_code == 0
    since = estate.requests()
    planned = estate.play("teardown", "--check", "--diff", "--limit", "fresh")
    assert planned.exit_code == 0, explain(planned)
    assert estate.writes(since) == []
    applied = estate.play("teardown", "--limit", "fresh")
    assert applied.exit_code == 0, explain(applied)
    assert applied.changes("fresh") == planned.changes("fresh"), (planned.changes("fresh"), applied.changes("fresh"))
    assert whole_state(estate.sandbox, "fresh") == before
    cluster = estate.sandbox.world.find_cluster(world.AZURE_SUBSCRIPTION, "rg-fleet", "fresh")
    assert cluster is not None
    assert cluster.issuer_enabled
    assert any("issuer" in kept and "switch it off" in kept for kept in summary(applied, "fresh")["kept"])
    again = estate.play("teardown", "--limit", "fresh")
    assert again.exit_code == 0, explain(again)
    assert again.changed("fresh") == 0, explain(again)


def test_federate_works_again_after_teardown(estate: Estate) -> None:
    assert estate.federate("--limit", "fresh").exit_code == 0
    torn_down = estate.play("teardown", "--limit", "fresh")
    assert torn_down.exit_code == 0, explain(torn_down)
    run = estate.federate("--limit", "fresh")
    assert run.exit_code == 0, explain(run)
    assert run.result("fresh", "federation_check")["healthy"] is True


def test_what_was_there_before_is_kept_and_the_play_says_so(estate: Estate) -> None:
    """The guide's own objects were repaired, not created."""
    kubernetes = kubernetes_state(estate.sandbox, "halfdone")
    assert estate.federate("--limit", "halfdone").exit_code == 0
    text = kubernetes_state(estate.sandbox, "halfdone")["ConfigMap"]
    federated = {**iam_state(estate.sandbox), **entra_state(estate.sandbox)}
    run = estate.play("teardown", "--limit", "halfdone")
    assert run.exit_code == 0, explain(run)
    after = kubernetes_state(estate.sandbox, "halfdone")
    assert after["Deployment"] == kubernetes["Deployment"]
    assert after["ServiceAccount"] == kubernetes["ServiceAccount"]
    assert after["ConfigMap"] == text
    iam = iam_state(estate.sandbox)
    assert iam["providers"].keys() == federated["providers"].keys()
    assert iam["roles"].keys() == federated["roles"].keys()
    assert entra_state(estate.sandbox)["applications"].keys() == federated["applications"].keys()
    kept = " ".join(summary(run, "halfdone")["kept"])
    assert "the collection did not add it" in kept
    assert "prometheus-sa is kept: the collection did not create it" in kept
    again = estate.play("teardown", "--limit", "halfdone")
    assert again.changed("halfdone") == 0, explain(again)


def test_a_cluster_that_was_never_federated_is_left_alone(estate: Estate) -> None:
    before = {cluster: whole_state(estate.sandbox, cluster) for cluster in ("fresh", "finished")}
    run = estate.play("teardown", "--limit", "fresh,finished")
    assert run.exit_code == 0, explain(run)
    assert run.changed("fresh") == run.changed("finished") == 0
    assert estate.writes() == []
    assert {cluster: whole_state(estate.sandbox, cluster) for cluster in before} == before
    assert "no OIDC issuer" in " ".join(summary(run, "fresh")["skipped"])


def test_a_cluster_that_is_gone_is_cleaned_up_by_its_issuer(estate: Estate) -> None:
    before = {**iam_state(estate.sandbox), **entra_state(estate.sandbox)}
    assert estate.federate("--limit", "fresh").exit_code == 0
    cluster = estate.sandbox.world.find_cluster(world.AZURE_SUBSCRIPTION, "rg-fleet", "fresh")
    assert cluster is not None
    since = estate.requests()
    estate.sandbox.world.clusters.remove(cluster)
    variables = {"aks_amp_issuer": cluster.issuer_url, "aks_amp_prometheus_render_to": "/values/fresh.yaml"}
    run = estate.play("teardown", "--limit", "fresh", "-e", json.dumps(variables))
    assert run.exit_code == 0, explain(run)
    services = {request.service for request in estate.sandbox.world.log.since(since)}
    assert not any(service == "arm" or service.startswith("kubernetes") for service in services)
    assert {**iam_state(estate.sandbox), **entra_state(estate.sandbox)} == before
    of_cluster, of_file = summary(run, "fresh")["skipped"]
    assert "the cluster is taken to be gone" in of_cluster
    assert "/values/fresh.yaml" in of_file


def test_no_secret_reaches_the_output(estate: Estate) -> None:
    assert estate.federate("--limit", "fresh").exit_code == 0
    run = estate.play("teardown", "-vvv", "--diff", "--limit", "fresh")
    assert run.exit_code == 0, explain(run)
    kept = run.output + json.dumps([task.result for task in run.tasks], default=str)
    bearer = estate.sandbox.api_server("fresh").controller_token
    for secret in (world.CONTROLLER_CLIENT_SECRET, world.CONTROLLER_AWS_SECRET_KEY, bearer):
        assert secret not in kept
    assert "eyJ" not in kept


# --- the exchange before step 5 ---------------------------------------------------------------------------------------


def exchanges(estate: Estate, since: int = 0) -> int:
    log = estate.sandbox.world.log.since(since)
    return sum(request.operation == "AssumeRoleWithWebIdentity" for request in log)


def test_a_refusal_is_tried_again_within_bounds_after_a_change_of_this_run() -> None:
    """The sandbox's STS knows a provider and a role only some time after they were written; here, too late."""
    with running_sandbox(Settings(iam_propagation_seconds=3600)) as sandbox:
        estate = Estate(sandbox)
        before = kubernetes_state(sandbox, "fresh")
        patience = ("-e", "aks_amp_check_wait_timeout=3", "-e", "aks_amp_check_poll_interval=0.2")
        run = estate.federate("--limit", "fresh", *patience)
        assert run.exit_code == 2, explain(run)
        assert exchanges(estate) >= 2
        after = kubernetes_state(sandbox, "fresh")
        assert (after["ConfigMap"], after["Deployment"]) == (before["ConfigMap"], before["Deployment"])


def test_a_refusal_is_final_when_this_run_changed_no_trust() -> None:
    with running_sandbox(Settings(iam_propagation_seconds=3600)) as sandbox:
        estate = Estate(sandbox)
        first = estate.federate(
            "--limit", "fresh", "--tags", "aks_oidc_issuer,iam_web_identity,entra_federation,service_account"
        )
        assert first.exit_code == 0, explain(first)
        since = estate.requests()
        run = estate.federate(
            "--limit", "fresh", "--tags", "prometheus_remote_write", "-e", "aks_amp_check_poll_interval=0.1"
        )
        assert run.exit_code == 2, explain(run)
        assert exchanges(estate, since) == 1
        assert estate.writes(since) == []
