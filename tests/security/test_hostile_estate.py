# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An estate whose every name, tag and log was written by an enemy, from the inventory to the reports.

Nothing of it is evaluated as a template, nothing reaches the terminal or a file as a control character, and nothing in
a report is markup.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml
from prometheus_client.openmetrics import parser as openmetrics_parser

from demo.runs import run_playbook
from sandbox.kubernetes.fates import Fate, FateKind
from sandbox.world import AWS_ACCOUNT, AZURE_TENANT, CONTROLLER_CLIENT_ID, CONTROLLER_CLIENT_SECRET
from tests.real import chromium_part
from tests.real.browser import running_browser
from tests.security.hostile import HOSTILE, MARKUP, RESULTS, unfit_in

if t.TYPE_CHECKING:
    from demo.runs import PlaybookRun
    from tests.e2e.conftest import Estate

Json = dict[str, t.Any]

FORMATS: t.Final = ["json", "html", "markdown", "junit", "openmetrics"]
#: What Microsoft Graph takes.
_LONGEST_NAME: t.Final = 256
_LONGEST_SUBJECT: t.Final = 600
ROLE: t.Final = "AKS-Prometheus-AMP-Role-halfdone"


def spoil(estate: Estate) -> None:
    """Write into everything that is read, wherever the service takes it."""
    sandbox = estate.sandbox
    for cluster in sandbox.world.clusters:
        cluster.body["tags"] = {"owner": HOSTILE, HOSTILE: "x", "team": "{{ 61*97 }}"}
    application = sandbox.directory.seed_application(HOSTILE[:_LONGEST_NAME])
    for number in range(2):
        credential = {"name": f"hostile-{number}", "subject": HOSTILE[:_LONGEST_SUBJECT], "audiences": ["a"]}
        sandbox.directory.seed_federated_credential(application["id"], {**credential, "issuer": f"https://x/{number}"})
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{AWS_ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": HOSTILE}},
    }
    roles = sandbox.aws._account.store.roles
    for key in [key for key, role in roles.items() if role.name == ROLE]:
        del roles[key]
    sandbox.aws.seed_role(
        ROLE,
        trust={"Version": "2012-10-17", "Statement": [statement]},
        inline_policies={},
    )
    (role,) = (role for role in roles.values() if role.name == ROLE)
    role.tags.append({"Key": "owner", "Value": HOSTILE})  # more than IAM would take
    for name in ("fresh", "halfdone"):
        spoil_cluster(estate, name)


def spoil_cluster(estate: Estate, name: str) -> None:
    server = estate.sandbox.api_server(name)
    labels = {"cluster": HOSTILE, "note": HOSTILE}
    configuration = {
        "global": {"external_labels": labels},
        "remote_write": [{"url": "https://old.example/push", "name": HOSTILE}],
    }
    server.seed(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": "prometheus-config",
                "namespace": "monitoring",
                "managedFields": [{"manager": HOSTILE, "time": "2026-01-01T00:00:00Z", "fieldsV1": {}}],
            },
            "data": {"prometheus.yml": f"# {MARKUP} \u202e {{{{ 61*97 }}}}\n{yaml.safe_dump(configuration)}"},
        }
    )
    annotations = {"azure.workload.identity/client-id": HOSTILE, "note": HOSTILE}
    server.seed(
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "prometheus-sa", "namespace": "monitoring", "annotations": annotations},
        }
    )
    server.set_fate(Fate(FateKind.CRASH, message=f'level=error err="{HOSTILE}"'))


@dataclasses.dataclass(frozen=True)
class Hostile:
    """The spoiled estate, as an inventory plugin finds it."""

    estate: Estate
    folder: Path

    def run(self, playbook: str, *arguments: str, **variables: t.Any) -> PlaybookRun:
        sandbox = self.estate.sandbox
        file = self.folder / "fleet.aks_clusters.yml"
        content = {
            "plugin": "crosscloud.aks_amp.aks_clusters",
            "tenant": AZURE_TENANT,
            "client_id": CONTROLLER_CLIENT_ID,
            "secret": CONTROLLER_CLIENT_SECRET,
            "https_proxy": sandbox.proxy_url,
            "ca_bundle": str(sandbox.ca_file),
            # IAM takes no such text, so one cluster fails and says why.
            "compose": {"aks_amp_role_description": "aks_tags.owner if aks_amp_cluster_name == 'fresh' else ''"},
            "keyed_groups": [{"key": "aks_tags.owner", "prefix": "owner"}],
        }
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        given = self.folder / "given.json"
        shared = yaml.safe_load(Path(sandbox.folder.inventory).read_text("utf-8"))["aks"]["vars"]
        named = {
            "aks_amp_kube_context": "{{ aks_amp_cluster_name }}",
            "aks_amp_application_name": "Prometheus-AMP-Federation-{{ aks_amp_cluster_name }}",
        }
        given.write_text(json.dumps({**shared, **named, **variables}), encoding="utf-8")
        environment = {"ANSIBLE_LOG_PATH": str(self.folder / "ansible.log"), "ANSIBLE_DIFF_ALWAYS": "true"}
        environment |= {"ANSIBLE_CALLBACKS_ENABLED": "recorder,crosscloud.aks_amp.fleet_progress"}
        run = run_playbook(f"playbooks/{playbook}.yml", file, "-e", f"@{given}", *arguments, environment=environment)
        assert "Traceback" not in run.output, run.output[-3000:]
        for text in (run.output, (self.folder / "ansible.log").read_text(encoding="utf-8")):
            assert unfit_in(text) == set()
            assert not [result for result in RESULTS if result in text]
        return run


@pytest.fixture
def hostile(estate: Estate, tmp_path: Path) -> Hostile:
    spoil(estate)
    return Hostile(estate, tmp_path)


def test_a_drift_run_with_every_report(hostile: Hostile) -> None:
    report = hostile.folder / "report"
    run = hostile.run("drift", "-v", aks_amp_drift_report_dest=str(report), aks_amp_drift_report_formats=FORMATS)
    assert run.exit_code in (2, 4), run.output[-3000:]
    assert "clusters done" in run.output, "fleet_progress said nothing"
    texts = {path.suffix: path.read_text(encoding="utf-8") for path in report.iterdir()}
    assert len(texts) == len(FORMATS)
    for suffix, text in texts.items():
        assert unfit_in(text) == set(), suffix
        assert not [result for result in RESULTS if result in text], suffix
    shown = json.dumps(json.loads(texts[".json"]), ensure_ascii=False)
    assert "{{ 61*97 }}" in shown, "no text of the estate is in the report"
    assert "<script>" in shown
    assert ET.fromstring(texts[".xml"]).tag == "testsuites"  # noqa: S314  # our own report
    assert list(openmetrics_parser.text_string_to_metric_families(texts[".prom"]))
    assert "<script>alert" not in texts[".html"]
    assert "<script>" not in texts[".md"].replace("\\<script\\>", "")
    in_the_browser(report / "drift-report.html", hostile.folder)


def in_the_browser(page: Path, folder: Path) -> None:
    """No script but the page's own runs, and no element comes from a text. Without Chromium the texts must do."""
    program = chromium_part.on_path()
    if program is None:
        return
    (folder / "browser").mkdir()
    with running_browser(program, folder / "browser") as browser:
        browser.open(f"file://{page}")
        browser.click("#all")
        assert "<script>" in browser.evaluate("document.body.textContent")
        assert browser.evaluate("document.querySelectorAll('img, svg, body script:not(:last-child)').length") == 0
        assert browser.complaints() == []
        assert set(browser.requested()) == {f"file://{page}"}


def test_a_diagnosis_with_its_findings(hostile: Hostile) -> None:
    named = {"aks_amp_application_name": "Prometheus-AMP-Federation"}
    run = hostile.run("verify", "-v", "--limit", "halfdone", aks_amp_check_wait_timeout=0, **named)
    assert run.exit_code == 2, run.output[-3000:]
    kinds = {finding["kind"] for finding in run.result("halfdone", "federation_check")["findings"]}
    assert "configuration_entry_missing" in kinds
    assert "{{ 61*97 }}" in run.output, "no text of the estate is shown"


def test_a_run_that_writes(hostile: Hostile) -> None:
    """What is refused is said, and what is written carries the texts as they are."""
    run = hostile.run("federate", "-v", "--limit", "halfdone", aks_amp_prometheus_wait=False)
    assert run.tasks
    configuration = hostile.estate.sandbox.api_server("halfdone").get("ConfigMap", "monitoring", "prometheus-config")
    assert configuration is not None
    assert "{{ 61*97 }}" in configuration["data"]["prometheus.yml"]
