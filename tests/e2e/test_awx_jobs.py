# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each job template of awx/ on the sandbox, as AWX runs it: by ansible-runner, with injected credentials, in slices."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import jsonschema
import pytest
import yaml

from demo.runs import ROOT, clean_environment
from sandbox import estate as seeded
from sandbox import world
from tests.unit.plugins.module_utils._drift.test_drift_model import SCHEMA

pytest.importorskip("ansible_runner", reason="the oldest versions are tested without the tools of AWX")

from tests.e2e.awx_jobs import (
    Inventory,
    Job,
    Launcher,
    aws_environment,
    azure_environment,
    kubernetes_environment,
    rendered_templates,
)

if t.TYPE_CHECKING:
    from tests.e2e.conftest import Estate

Json = dict[str, t.Any]

#: What AWX's credential types inject in place of the sandbox inventory's variables.
INJECTED = {
    "aks_amp_subscription_id",
    "aks_amp_tenant_id",
    "aks_amp_client_id",
    "aks_amp_client_secret",
    "aks_amp_aws_access_key",
    "aks_amp_aws_secret_key",
    "aks_amp_kubeconfig",
    "aks_amp_kube_context",
}
SECRETS = (world.CONTROLLER_CLIENT_SECRET, world.CONTROLLER_AWS_SECRET_KEY)
CLOUDS = {
    **aws_environment(world.CONTROLLER_AWS_ACCESS_KEY, world.CONTROLLER_AWS_SECRET_KEY),
    **azure_environment(
        world.AZURE_SUBSCRIPTION,
        world.AZURE_TENANT,
        world.CONTROLLER_CLIENT_ID,
        world.CONTROLLER_CLIENT_SECRET,
        "AzureCloud",
    ),
}


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """The folder that is mounted into every job."""
    return tmp_path / "reports"


@pytest.fixture
def launcher(estate: Estate, tmp_path: Path, reports: Path, monkeypatch: pytest.MonkeyPatch) -> Launcher:
    """The sandbox's fleet with nothing in the inventory that a credential of AWX gives."""
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)
    group = yaml.safe_load(estate.sandbox.folder.inventory.read_text(encoding="utf-8"))["aks"]
    hosts = {
        host: {name: value for name, value in variables.items() if name not in INJECTED}
        for host, variables in group["hosts"].items()
    }
    shared = {name: value for name, value in group["vars"].items() if name not in INJECTED}
    settings = {
        "aks_amp_awx_slices": 2,
        "aks_amp_awx_report_folder": str(reports),
        "aks_amp_awx_survey": {
            "aks_amp_aws_region": seeded.AWS_REGION,
            "aks_amp_workspace_alias": seeded.WORKSPACE_ALIAS,
            "aks_amp_namespace": "monitoring",
            "aks_amp_cluster_access": "user",
            "aks_amp_entra_enabled": "true",
        },
    }
    return Launcher(tmp_path, rendered_templates(tmp_path, settings), Inventory(hosts, shared), CLOUDS)


def explain(job: Job) -> str:
    return job.output[-6000:]


def no_secret(job: Job) -> bool:
    told = job.output + json.dumps(job.events)
    return not any(secret in told for secret in SECRETS)


def of_clusters(inventory: Inventory, *names: str) -> Inventory:
    return Inventory({name: inventory.hosts[name] for name in names}, inventory.shared)


def read_report(path: Path) -> Json:
    report: Json = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.validate(report, SCHEMA)
    return report


def timeless(report: Json) -> Json:
    """The report without its times and the ids that the services give to single requests."""
    text = json.dumps(report)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", text)
    return t.cast("Json", json.loads(text))


def test_two_slices_of_a_look_become_the_report_of_the_whole(estate: Estate, launcher: Launcher, reports: Path) -> None:
    slices = [launcher.launch("drift", 11, part=(1, 2)), launcher.launch("drift", 12, part=(2, 2))]
    assert [job.exit_code for job in slices] == [2, 2], explain(slices[0]) + explain(slices[1])
    assert estate.writes() == []
    # Each slice hands on its own clusters under its own key, and has a file of its own.
    assert [list(job.artifacts) for job in slices] == [["aks_amp_drift_11"], ["aks_amp_drift_12"]]
    handed_on = {**slices[0].artifacts, **slices[1].artifacts}
    assert handed_on["aks_amp_drift_11"]["clusters"] == {"finished": "in_sync", "halfdone": "broken"}
    assert handed_on["aks_amp_drift_12"]["clusters"] == {"fresh": "drifted"}
    parts = [Path(one["report"]) for one in handed_on.values()]
    assert parts == [reports / "parts" / str(number) / "drift-report.json" for number in (11, 12)]
    assert [list(part.parent.iterdir()) for part in parts] == [[part] for part in parts]

    merged = launcher.launch("drift report", 13, handed_on=handed_on, credentials={})
    assert merged.exit_code == 2, explain(merged)
    assert sorted(path.name for path in reports.iterdir()) == [
        "drift-report.html",
        "drift-report.json",
        "drift-report.md",
        "drift-report.prom",
        "drift-report.xml",
        "parts",
    ]
    fleet = read_report(reports / "drift-report.json")
    assert merged.artifacts["aks_amp_drift_of_fleet_13"]["summary"] == fleet["summary"]

    whole = launcher.launch("drift", 14)
    assert whole.exit_code == 2, explain(whole)
    found = read_report(reports / "parts" / "14" / "drift-report.json")
    # It had the report of the fleet before it, which the slices did not have yet.
    assert found["compared_with"] == fleet["generated_at"]
    assert {drift["new"] for one in found["clusters"] for step in one["steps"] for drift in step["drifts"]} == {False}
    for one in found["clusters"]:
        for step in one["steps"]:
            step["drifts"] = [{**drift, "new": None} for drift in step["drifts"]]
    one, other = timeless({**found, "compared_with": ""}), timeless(fleet)
    for mine, its in zip(one.pop("clusters"), other.pop("clusters"), strict=True):
        assert mine.pop("chain") == its.pop("chain")
        assert mine == its
    assert one == other
    assert all(no_secret(job) for job in (*slices, merged, whole))


def test_a_slice_that_was_lost_is_told(launcher: Launcher) -> None:
    one = launcher.launch("drift", 21, part=(2, 2), limit="fresh")
    merged = launcher.launch("drift report", 22, handed_on=one.artifacts)
    clusters = merged.artifacts["aks_amp_drift_of_fleet_22"]["clusters"]
    assert clusters == {"finished": "unknown", "fresh": "drifted", "halfdone": "unknown"}
    nothing = launcher.launch("drift report", 23)
    assert nothing.exit_code == 2
    assert "There is no report to merge." in nothing.output


def test_the_fleet_is_federated_verified_and_taken_back_in_slices(estate: Estate, launcher: Launcher) -> None:
    two = of_clusters(launcher.inventory, "finished", "halfdone")
    federated = [launcher.launch("federate", 31 + n, part=(1 + n, 2), inventory=two) for n in range(2)]
    assert [job.exit_code for job in federated] == [0, 0], explain(federated[0]) + explain(federated[1])
    finished, halfdone = (
        job.artifacts[f"aks_amp_federate_{number}"]["clusters"] for number, job in zip((31, 32), federated, strict=True)
    )
    assert (finished["finished"]["status"], finished["finished"]["changes"]) == ("ok", 0)
    assert halfdone["halfdone"]["changes"] > 0
    assert halfdone["halfdone"]["role_arn"].endswith("role/AKS-Prometheus-AMP-Role-halfdone")
    assert halfdone["halfdone"]["issuer"].startswith("https://")
    assert halfdone["halfdone"]["broken_links"] == []

    verified = launcher.launch("verify", 33, inventory=two, limit="halfdone")
    assert verified.exit_code == 0, explain(verified)
    assert verified.artifacts["aks_amp_verify_33"]["clusters"].keys() == {"halfdone"}

    since = estate.requests()
    unconfirmed = launcher.launch("teardown", 34, inventory=two)
    assert unconfirmed.exit_code == 2
    assert "The teardown is not confirmed." in unconfirmed.output
    assert estate.writes(since) == []
    torn_down = launcher.launch(
        "teardown", 35, part=(2, 2), inventory=two, answers={"aks_amp_teardown_confirmation": "teardown"}
    )
    assert torn_down.exit_code == 0, explain(torn_down)
    assert torn_down.artifacts["aks_amp_teardown_35"]["clusters"]["halfdone"]["changes"] > 0
    assert all(no_secret(job) for job in (*federated, verified, unconfirmed, torn_down))


def test_a_failed_cluster_is_in_what_is_handed_on(launcher: Launcher) -> None:
    job = launcher.launch("verify", 41, inventory=of_clusters(launcher.inventory, "halfdone"))
    assert job.exit_code == 2, explain(job)
    (cluster,) = job.artifacts["aks_amp_verify_41"]["clusters"].values()
    assert cluster["status"] == "failed"
    assert cluster["broken_links"]
    assert "provider_audience_not_listed" in cluster["findings"]


def test_the_inventory_of_awx_lists_the_fleet_by_the_injected_login(estate: Estate, launcher: Launcher) -> None:
    """As AWX updates an inventory: the source's file in the project, the credential for Azure in the environment."""
    body = copy.deepcopy(estate.sandbox.cluster("fresh").body)
    estate.sandbox.add_cluster("tagged", {**body, "tags": {"prometheus": "amp"}})
    way = {"HTTPS_PROXY": estate.sandbox.proxy_url, "REQUESTS_CA_BUNDLE": str(estate.sandbox.folder.ca_file)}
    finished = subprocess.run(  # noqa: S603  # the project's own
        (
            str(Path(sys.executable).parent / "ansible-inventory"),
            "-i",
            settings()["aks_amp_awx_inventory_path"],
            "--list",
        ),
        cwd=ROOT,
        env={**os.environ, **launcher.credentials, **way, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stderr
    found = json.loads(finished.stdout)
    assert found["aks"]["hosts"] == ["tagged"]
    assert found["_meta"]["hostvars"]["tagged"]["aks_amp_cluster_name"] == "tagged"
    assert not any(secret in finished.stdout + finished.stderr for secret in SECRETS)


def settings() -> Json:
    found: Json = yaml.safe_load((ROOT / "playbooks" / "vars" / "awx_settings.yml").read_text(encoding="utf-8"))
    return found


def test_one_cluster_is_reached_by_the_bearer_token_of_awx(estate: Estate, launcher: Launcher) -> None:
    kubeconfig = yaml.safe_load(estate.sandbox.folder.kubeconfig.read_text(encoding="utf-8"))
    server = next(one["cluster"]["server"] for one in kubeconfig["clusters"] if one["name"] == "finished")
    token = next(one["user"]["token"] for one in kubeconfig["users"] if one["name"] == "finished")
    job = launcher.launch(
        "verify",
        51,
        inventory=of_clusters(launcher.inventory, "finished"),
        answers={"aks_amp_cluster_access": "kubeconfig"},
        credentials={**CLOUDS, **kubernetes_environment(server, token, estate.sandbox.folder.ca_file)},
    )
    assert job.exit_code == 0, explain(job)
    assert job.artifacts["aks_amp_verify_51"]["clusters"]["finished"]["broken_links"] == []
    assert no_secret(job)
    assert token not in job.output + json.dumps(job.events)
