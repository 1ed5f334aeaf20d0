# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks with every way in which Prometheus runs in a cluster, several at once, and with each token source."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
import yaml

from sandbox.kubernetes.monitoring import definitions
from sandbox.world import AWS_ACCOUNT
from tests.unit.plugins.module_utils._resources.prometheus_targets import Target

if t.TYPE_CHECKING:
    from demo.runs import PlaybookRun
    from tests.e2e.conftest import Estate

Json = dict[str, t.Any]

STATEFUL = Target("StatefulSet", "Secret", "packed")
#: As the playbook's variable names them.
STATEFUL_OPTIONS = {{"config_secret": "secret"}.get(name, name): value for name, value in STATEFUL.options.items()}
AZURE_FILE = "/var/run/secrets/azure/tokens/azure-identity-token"
MORE_ALIAS = "audit-metrics"
#: What every write changes, and what the Deployment controller counts.
VOLATILE = ("resourceVersion", "generation", "managedFields", "uid", "creationTimestamp")
REVISION = "deployment.kubernetes.io/revision"


def explain(run: PlaybookRun) -> str:
    return run.output[-6000:]


def play(estate: Estate, playbook: str, variables: Json, *arguments: str, exit_code: int = 0) -> PlaybookRun:
    run = estate.play(playbook, "--limit", "fresh", "-e", json.dumps(variables), *arguments)
    assert run.exit_code == exit_code, explain(run)
    return run


def stored(estate: Estate, kind: str, namespace: str, name: str) -> Json:
    found = estate.sandbox.api_server("fresh").get(kind, namespace, name)
    assert found is not None
    return found


def shown(estate: Estate, *objects: tuple[str, str, str]) -> list[Json]:
    """Objects without what every write changes."""
    found = []
    for kind, namespace, name in objects:
        each = stored(estate, kind, namespace, name)
        metadata = {key: value for key, value in each["metadata"].items() if key not in VOLATILE}
        metadata["annotations"] = {k: v for k, v in metadata.get("annotations", {}).items() if k != REVISION}
        rest = {key: value for key, value in each.items() if key != "status"}
        # Text that is packed again is the same text in other bytes.
        content = {"data": STATEFUL.text(each)} if kind == "Secret" else {}
        found.append({**rest, **content, "metadata": metadata})
    return found


def environment(estate: Estate, kind: str, namespace: str, name: str) -> dict[str, str]:
    containers = stored(estate, kind, namespace, name)["spec"]["template"]["spec"]["containers"]
    return {item["name"]: item["value"] for item in containers[0].get("env", []) if item["name"].startswith("AWS_")}


# --- several, of every kind -------------------------------------------------------------------------------------------


@pytest.fixture
def crowded(estate: Estate, tmp_path: Path) -> tuple[Estate, Json]:
    """The cluster fresh with three more Prometheus, and the variables that name all four and a file."""
    api_server = estate.sandbox.api_server("fresh")
    for definition in definitions():
        api_server.seed(definition)
    for manifest in (STATEFUL.config("global: {}\n"), STATEFUL.workload()):
        api_server.seed({**manifest, "metadata": {**manifest["metadata"], "namespace": "observability"}})
    api_server.seed(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "Prometheus",
            "metadata": {"name": "k8s", "namespace": "operated"},
            "spec": {"version": "v3.5.0", "replicas": 1},
        }
    )
    more = estate.sandbox.aws.seed_workspace(MORE_ALIAS, "eu-west-1")
    prometheus = [
        {"external_labels": {"team": "shop"}},
        {"namespace": "observability", "service_account": "watcher", "name": "amp", **STATEFUL_OPTIONS},
        {"namespace": "operated", "workload_kind": "Prometheus", "workload_name": "k8s"},
        # It shares the service account of the one before.
        {
            "namespace": "operated",
            "workload_name": "gitops",
            "render_to": str(tmp_path / "values.yaml"),
            "render_format": "helm_kube_prometheus_stack",
        },
    ]
    return estate, {
        "aks_amp_prometheus": prometheus,
        "aks_amp_more_workspace_arns": [f"arn:aws:aps:eu-west-1:{AWS_ACCOUNT}:workspace/{more}"],
        "aks_amp_prometheus_wait_timeout": 1,
    }


def test_several_prometheus_of_every_kind_in_one_run(crowded: tuple[Estate, Json], tmp_path: Path) -> None:
    estate, variables = crowded
    workloads = (
        ("Deployment", "monitoring", "prometheus"),
        ("ConfigMap", "monitoring", "prometheus-config"),
        ("StatefulSet", "observability", "prometheus"),
        ("Secret", "observability", "prometheus-config"),
        ("Prometheus", "operated", "k8s"),
    )
    before = shown(estate, *workloads)
    since = estate.requests()
    planned = play(estate, "federate", variables, "--check", "--diff")
    assert estate.writes(since) == []
    assert not (tmp_path / "values.yaml").exists()
    applied = play(estate, "federate", variables)
    assert applied.agrees_with_plan(planned, "fresh"), (planned.changes("fresh"), applied.changes("fresh"))
    assert_all_are_federated(estate, applied, tmp_path / "values.yaml")
    repeated = play(estate, "federate", variables)
    assert repeated.changed("fresh") == 0, explain(repeated)
    steady = play(estate, "drift", variables)
    assert steady.changed("fresh") == 0

    forecast = play(estate, "teardown", variables, "--check")
    undone = play(estate, "teardown", variables)
    assert undone.agrees_with_plan(forecast, "fresh"), (forecast.changes("fresh"), undone.changes("fresh"))
    assert shown(estate, *workloads) == before
    assert not (tmp_path / "values.yaml").exists()
    api_server = estate.sandbox.api_server("fresh")
    for namespace, name in (
        ("monitoring", "prometheus-sa"),
        ("observability", "watcher"),
        ("operated", "prometheus-sa"),
    ):
        assert api_server.get("ServiceAccount", namespace, name) is None


def assert_all_are_federated(estate: Estate, run: PlaybookRun, file: Path) -> None:
    """Each has entry and identity, and the clouds trust each service account."""
    role = run.result("fresh", "iam_web_identity_role")
    (statement,) = role["trust_policy"]["Statement"]
    (subjects,) = [value for key, value in statement["Condition"]["StringEquals"].items() if key.endswith(":sub")]
    accounts = {("monitoring", "prometheus-sa"), ("observability", "watcher"), ("operated", "prometheus-sa")}
    assert set(subjects) == {f"system:serviceaccount:{namespace}:{name}" for namespace, name in accounts}
    credentials = run.result("fresh", "entra_federated_credential")["credentials"]
    assert {item["subject"] for item in credentials} == set(subjects)
    assert len({item["name"] for item in credentials}) == len(accounts)
    labels = [dict(sample.labels) for sample in estate.sandbox.world.samples]
    assert {(item["namespace"], item["service_account"]) for item in labels} == accounts

    configuration = yaml.safe_load(
        stored(estate, "ConfigMap", "monitoring", "prometheus-config")["data"]["prometheus.yml"]
    )
    own, *further = [item["url"] for item in configuration["remote_write"] if "aps-workspaces" in item["url"]]
    assert configuration["global"]["external_labels"]["team"] == "shop"
    assert len(further) == 1
    secret = yaml.safe_load(STATEFUL.text(stored(estate, "Secret", "observability", "prometheus-config")))
    assert [item["url"] for item in secret["remote_write"]] == [own, *further]
    assert secret["remote_write"][0]["name"] == "amp"
    resource = stored(estate, "Prometheus", "operated", "k8s")["spec"]
    assert [item["url"] for item in resource["remoteWrite"]] == [own, *further]
    assert resource["serviceAccountName"] == "prometheus-sa"
    for kind, namespace in (("Deployment", "monitoring"), ("StatefulSet", "observability")):
        assert environment(estate, kind, namespace, "prometheus")["AWS_ROLE_ARN"] == role["arn"]
    values = yaml.safe_load(file.read_text(encoding="utf-8"))["prometheus"]
    assert [item["url"] for item in values["prometheusSpec"]["remoteWrite"]] == [own, *further]
    assert role["arn"] in json.dumps(values)


# --- a file of others -------------------------------------------------------------------------------------------------

VALUES = "# ask first\ngrafana: {enabled: true}  # stays\nprometheus:\n  prometheusSpec:\n    retention: 7d\n"


def into_file(file: Path) -> Json:
    return {"aks_amp_prometheus_render_to": str(file), "aks_amp_prometheus_render_format": "helm_kube_prometheus_stack"}


def ending(run: PlaybookRun) -> Json:
    """What a teardown says at its end."""
    (found,) = [task.result["msg"] for task in run.tasks if isinstance(task.result.get("msg"), dict)]
    return t.cast("Json", found)


def ends_the_trust(run: PlaybookRun) -> bool:
    removed = " ".join(ending(run)["removed"])
    return all(said in removed for said in ("Delete the role", "Delete the IAM OIDC provider", "Delete the Entra"))


def test_a_merged_file_gets_back_what_it_was_and_the_trust_ends(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(VALUES, encoding="utf-8")
    play(estate, "federate", into_file(file))
    merged = file.read_text(encoding="utf-8")
    assert "AWS_ROLE_ARN" in merged
    forecast = play(estate, "teardown", into_file(file), "--check")
    assert file.read_text(encoding="utf-8") == merged
    undone = play(estate, "teardown", into_file(file))
    assert undone.agrees_with_plan(forecast, "fresh"), (forecast.changes("fresh"), undone.changes("fresh"))
    assert ending(undone) == ending(forecast)
    assert file.read_text(encoding="utf-8") == VALUES
    assert ends_the_trust(undone)
    again = play(estate, "teardown", into_file(file))
    assert again.changed("fresh") == 0
    assert len(ending(again)["kept"]) == 1  # the issuer


def test_what_was_edited_in_a_file_is_kept_and_the_trust_ends(estate: Estate, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(VALUES, encoding="utf-8")
    play(estate, "federate", into_file(file))
    edited = file.read_text(encoding="utf-8").replace(":role/", ":role/moved/")
    file.write_text(edited, encoding="utf-8")
    forecast = play(estate, "teardown", into_file(file), "--check")
    assert file.read_text(encoding="utf-8") == edited
    undone = play(estate, "teardown", into_file(file))
    assert ending(undone) == ending(forecast)
    assert ":role/moved/" in file.read_text(encoding="utf-8")
    assert any(f"In {file}, " in kept and "by hand" in kept for kept in ending(undone)["kept"])
    assert ends_the_trust(undone)


def test_a_file_stays_whose_workspace_is_gone_and_the_trust_ends(estate: Estate, tmp_path: Path) -> None:
    merged, intact = tmp_path / "values.yaml", tmp_path / "own.yaml"
    merged.write_text(VALUES, encoding="utf-8")
    variables = {
        "aks_amp_prometheus": [
            {"render_to": str(merged)},
            {"workload_name": "second", "render_to": str(intact)},
        ]
    }
    play(estate, "federate", variables)
    before = merged.read_text(encoding="utf-8")
    gone = {**variables, "aks_amp_workspace_alias": "gone", "aks_amp_workspace_id": ""}
    forecast = play(estate, "teardown", gone, "--check")
    undone = play(estate, "teardown", gone)
    assert ending(undone) == ending(forecast)
    assert merged.read_text(encoding="utf-8") == before
    assert not intact.exists()
    kept = ending(undone)["kept"]
    assert any(one.startswith(f"{merged} is kept as it is") and "role_arn, region" in one for one in kept)
    assert any("has the alias 'gone'" in one for one in kept)
    assert ends_the_trust(undone)


def test_a_file_that_can_not_be_read_fails_the_teardown_after_the_trust_has_ended(
    estate: Estate, tmp_path: Path
) -> None:
    file = tmp_path / "values.yaml"
    play(estate, "federate", into_file(file))
    file.write_text("prometheus: [\n", encoding="utf-8")
    undone = play(estate, "teardown", into_file(file), exit_code=2)
    assert file.read_text(encoding="utf-8") == "prometheus: [\n"
    assert ends_the_trust(undone)
    assert any(kept.startswith(f"{file} is left as it is: ") for kept in ending(undone)["kept"])
    assert str(file) in next(task.msg for task in reversed(undone.tasks) if task.status == "failed")
    assert "failed=1 " in undone.output


@pytest.mark.parametrize(
    "prometheus",
    [
        [{}, {"namespace": "monitoring"}],
        [{}, {"workload_name": "other", "config_map": "x"}],
    ],
    ids=["twice", "unknown"],
)
def test_a_list_that_can_not_be_right_stops_the_run_at_its_start(estate: Estate, prometheus: list[Json]) -> None:
    run = play(estate, "federate", {"aks_amp_prometheus": prometheus}, "--check", exit_code=2)
    assert "aks_amp_prometheus" in next(task.msg for task in run.tasks if task.status == "failed")
    assert estate.writes() == []


# --- the Azure token source -------------------------------------------------------------------------------------------


def test_the_guide_s_token_source_and_back(estate: Estate) -> None:
    azure = {"aks_amp_token_source": "azure_workload_identity", "aks_amp_entra_enabled": False}
    deployment = ("Deployment", "monitoring", "prometheus")
    since = estate.requests()
    planned = play(estate, "federate", azure, "--check")
    assert estate.writes(since) == []
    applied = play(estate, "federate", azure)
    assert applied.agrees_with_plan(planned, "fresh"), (planned.changes("fresh"), applied.changes("fresh"))
    assert "api://AzureADTokenExchange" in applied.result("fresh", "iam_oidc_provider_thumbprint")["client_ids"]
    assert "api://AzureADTokenExchange" in json.dumps(applied.result("fresh", "iam_web_identity_role")["trust_policy"])
    assert applied.result("fresh", "federation_check")["claims"]["aud"] == ["api://AzureADTokenExchange"]
    assert applied.result("fresh", "federation_check")["healthy"]
    assert environment(estate, *deployment)["AWS_WEB_IDENTITY_TOKEN_FILE"] == AZURE_FILE
    template = stored(estate, *deployment)["spec"]["template"]
    assert template["metadata"]["labels"]["azure.workload.identity/use"] == "true"
    assert "aws-iam-token" not in json.dumps(template)
    assert play(estate, "federate", azure).changed("fresh") == 0

    back = {"aks_amp_entra_enabled": False}
    play(estate, "federate", back)
    assert environment(estate, *deployment)["AWS_WEB_IDENTITY_TOKEN_FILE"] == "/var/run/secrets/aws/token"
    assert play(estate, "federate", back).changed("fresh") == 0
