# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory leaves to the defaults, and what it says where it does not count: names, hosts, and the report."""

from __future__ import annotations

import typing as t

import yaml

from demo.runs import run_playbook

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from demo.runs import PlaybookRun
    from tests.e2e.conftest import Estate

Json = dict[str, t.Any]


def play(estate: Estate, folder: Path, playbook: str, *arguments: str, change: Callable[[Json], object]) -> PlaybookRun:
    """Run a playbook with the sandbox's inventory, which ``change`` has changed."""
    inventory: Json = yaml.safe_load(estate.sandbox.folder.inventory.read_text(encoding="utf-8"))
    change(inventory)
    changed = folder / "hosts.yml"
    changed.write_text(yaml.safe_dump(inventory), encoding="utf-8")
    return run_playbook(f"playbooks/{playbook}.yml", changed, *arguments)


def test_each_cluster_of_a_fleet_has_an_application_of_its_own_by_default(estate: Estate, tmp_path: Path) -> None:
    """An application takes twenty credentials, which a fleet outgrows."""

    def by_default(inventory: Json) -> None:
        for host in inventory["aks"]["hosts"].values():
            del host["aks_amp_application_name"]

    limit = ("--limit", "fresh,finished")
    run = play(estate, tmp_path, "federate", *limit, "--skip-tags", "federation_check", change=by_default)
    assert run.exit_code == 0, run.output[-6000:]
    assert run.changed("finished") == 0, "its application is named so"
    made = ("entra_federation", "create", "Entra application", "Prometheus-AMP-Federation-fresh")
    assert made in run.changes("fresh")
    holder = run.result("fresh", "entra_federated_credential")
    assert holder["credential"]["name"] == "aks-prometheus-federation-fresh"
    verified = play(estate, tmp_path, "verify", "--limit", "finished", change=by_default)
    assert verified.exit_code == 0, verified.output[-6000:]


def test_a_teardown_takes_no_cluster_that_the_inventory_did_not_mean(estate: Estate, tmp_path: Path) -> None:
    def only_one(inventory: Json) -> None:
        inventory["decommissioned"] = {"hosts": {"halfdone": {}}}
        inventory["aks"]["vars"]["aks_amp_hosts"] = "decommissioned"

    run = play(estate, tmp_path, "teardown", change=only_one)
    assert run.exit_code == 2, run.output[-6000:]
    assert "would act on finished, fresh too" in run.output
    assert not estate.sandbox.world.log.since()


def test_what_the_group_says_of_the_report_counts_without_a_limit(estate: Estate, tmp_path: Path) -> None:
    report = tmp_path / "report"

    def lenient(inventory: Json) -> None:
        inventory["aks"]["vars"] |= {
            "aks_amp_drift_report_dest": str(report),
            "aks_amp_drift_report_formats": ["markdown"],
            "aks_amp_fail_on_drift": False,
            "aks_amp_fail_on_unknown": False,
        }

    run = play(estate, tmp_path, "drift", "--tags", "aks_oidc_issuer", change=lenient)
    assert run.exit_code == 0, run.output[-6000:]
    assert [path.name for path in report.iterdir()] == ["drift-report.md"]


def test_a_cluster_that_only_tags_name_is_reached_through_azure(estate: Estate, tmp_path: Path) -> None:
    tags = estate.sandbox.cluster("finished").body["tags"]

    def only_tags(inventory: Json) -> None:
        host = inventory["aks"]["hosts"]["finished"]
        host |= {"aks_amp_name_suffix": "-finished", "aks_amp_cluster_access": "user"}
        host |= {"aks_amp_cluster_name": "", "aks_amp_cluster_resource_id": "", "aks_amp_cluster_tags": dict(tags)}

    limit = ("--limit", "finished")
    for steps in ((), ("--tags", "prometheus_remote_write")):
        run = play(estate, tmp_path, "federate", *limit, *steps, "--skip-tags", "federation_check", change=only_tags)
        assert run.exit_code == 0, run.output[-6000:]
        assert run.changed("finished") == 0
    for access, asks_azure in (("user", True), ("kubeconfig", False)):
        number = estate.requests()
        taken = play(
            estate,
            tmp_path,
            "teardown",
            *(*limit, "--check", "--tags", "service_account", "-e", f"aks_amp_cluster_access={access}"),
            change=only_tags,
        )
        assert taken.exit_code == 0, taken.output[-6000:]
        asked = [request for request in estate.sandbox.world.log.since(number) if request.service == "arm"]
        assert bool(asked) is asks_azure
    assert not estate.writes()
