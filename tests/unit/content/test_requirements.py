# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names the clusters of a fleet get, and which fleets are refused before a first request: no cloud is needed."""

from __future__ import annotations

import json
import typing as t

import pytest
import yaml

from demo.runs import ROOT, PlaybookRun, run_playbook

if t.TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, t.Any]

NAMES: t.Final = (
    "iam_web_identity_role_name",
    "entra_federation_application_name",
    "entra_federation_credential_name",
    "aks_amp_entra_names.display_name",
)
ROLE, APPLICATION, CREDENTIAL = "AKS-Prometheus-AMP-Role", "Prometheus-AMP-Federation", "aks-prometheus-federation"
TWO: Json = {"one": {}, "two": {}}


REQUIREMENTS: Json = {"ansible.builtin.import_tasks": str(ROOT / "playbooks/tasks/requirements.yml")}
PLAY: Json = {
    "gather_facts": False,
    "connection": "local",
    "vars_files": [str(ROOT / "playbooks/vars/wiring.yml")],
}


def run_plays(folder: Path, inventory: Json, plays: list[Json], *arguments: str) -> PlaybookRun:
    (folder / "play.yml").write_text(yaml.safe_dump(plays), encoding="utf-8")
    (folder / "hosts.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    return run_playbook(str(folder / "play.yml"), folder / "hosts.yml", *arguments)


def play(folder: Path, hosts: Json, *arguments: str, groups: Json | None = None, **variables: t.Any) -> PlaybookRun:
    """What the playbooks require, of these hosts in the group aks, and then the names of each host."""
    shown: Json = {"ansible.builtin.debug": {"msg": {"names": [f"{{{{ {name} }}}}" for name in NAMES]}}}
    made: Json = {**PLAY, "hosts": "{{ aks_amp_hosts | default('aks') }}", "tasks": [REQUIREMENTS, shown]}
    given = {name: {"hosts": dict.fromkeys(members, None)} for name, members in (groups or {}).items()}
    return run_plays(folder, {"aks": {"hosts": hosts, "vars": variables}, **given}, [made], *arguments)


def names(run: PlaybookRun) -> dict[str, list[str]]:
    assert run.exit_code == 0, run.output[-4000:]
    return {task.host: task.result["msg"]["names"] for task in run.tasks if task.action.endswith("debug")}


def refusal(run: PlaybookRun) -> str:
    assert run.exit_code == 2, run.output[-4000:]
    (message,) = {task.msg for task in run.tasks if task.status == "failed"}
    return message


def with_suffix(suffix: str) -> list[str]:
    return [f"{ROLE}{suffix}", f"{APPLICATION}{suffix}", f"{CREDENTIAL}{suffix}", f"{APPLICATION}{suffix}"]


def test_a_cluster_alone_has_the_guides_names(tmp_path: Path) -> None:
    assert names(play(tmp_path, {"one": {}})) == {"one": with_suffix("")}


@pytest.mark.parametrize(
    "arguments",
    [(), ("--limit", "one"), ("-e", "aks_amp_hosts=west"), ("-e", "aks_amp_hosts=aks:!two")],
)
def test_a_cluster_of_a_fleet_has_the_same_names_in_every_run(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    found = names(play(tmp_path, TWO, *arguments, groups={"west": ["one"]}))
    assert found["one"] == with_suffix("-one")


@pytest.mark.parametrize("limit", ["all", "three", "one"])
@pytest.mark.parametrize("hosts", ["aks,other", "aks:other", ["aks", "other"], ["one,three"]], ids=str)
def test_a_fleet_of_several_groups_has_the_same_names_whatever_the_limit(
    tmp_path: Path, hosts: str | list[str], limit: str
) -> None:
    given = ("-e", json.dumps({"aks_amp_hosts": hosts}))
    found = names(play(tmp_path, {"one": {}}, *given, "--limit", limit, groups={"other": ["three"]}))
    assert found == {name: with_suffix(f"-{name}") for name in ("one", "three") if limit in ("all", name)}


@pytest.mark.parametrize(
    ("hosts", "fleet"),
    [(None, ["one", "two"]), ("other", ["three"]), ("aks,other", ["one", "three", "two"]), (["aks:!two"], ["one"])],
)
def test_the_clusters_that_a_report_must_hold_are_those_of_the_pattern(
    tmp_path: Path, hosts: str | list[str] | None, fleet: list[str]
) -> None:
    told: Json = {"ansible.builtin.debug": {"msg": {"clusters": "{{ aks_amp_drift_report_expected | sort }}"}}}
    report: Json = {**PLAY, "hosts": "localhost", "vars_files": [str(ROOT / "playbooks/vars/drift_report.yml")]}
    given: Json = {"aks_amp_drift_report_complete": True, **({} if hosts is None else {"aks_amp_hosts": hosts})}
    inventory = {"aks": {"hosts": dict.fromkeys(TWO)}, "other": {"hosts": {"three": None}}}
    run = run_plays(tmp_path, inventory, [{**report, "tasks": [told]}], "-e", json.dumps(given))
    assert [task.result["msg"]["clusters"] for task in run.tasks] == [fleet], run.output


def test_a_fleet_may_have_another_group(tmp_path: Path) -> None:
    """Of which the play's hosts are not all in the group aks, so that one says nothing about it."""
    found = names(play(tmp_path, {"one": {}}, "-e", "aks_amp_hosts=mine", groups={"mine": ["one", "other"]}))
    assert found == {"one": with_suffix("-one"), "other": with_suffix("-other")}


def test_a_cluster_without_a_name_is_called_by_its_host(tmp_path: Path) -> None:
    found = names(play(tmp_path, TWO, aks_amp_cluster_name="", aks_amp_cluster_tags={"a": "b"}))
    assert found == {name: with_suffix(f"-{name}") for name in TWO}


def test_the_first_cluster_keeps_its_names_when_told_so(tmp_path: Path) -> None:
    found = names(play(tmp_path, {"one": {"aks_amp_name_suffix": ""}, "two": {}}))
    assert found == {"one": with_suffix(""), "two": with_suffix("-two")}


def at(account: str, role: str = "admin") -> Json:
    return {"aks_amp_aws_assume_role_arn": f"arn:aws:iam::{account}:role/{role}"}


ONE_APPLICATION: Json = {"aks_amp_credential_name": "same", "aks_amp_application_id": "app"}
IDENTITY: Json = {"aks_amp_managed_identity_name": "id", "aks_amp_resource_group": "rg"}
NO_ENTRA: Json = {"aks_amp_entra_enabled": False}
ROLES_APART: Json = {"aks_amp_name_suffix": "-prod", "aks_amp_role_name": "R-{{ inventory_hostname }}"}
#: Fleets of two: what each cluster has, what both have, and what the refusal says, if there is one.
FLEETS: t.Final[dict[str, tuple[Json, Json, Json, tuple[str, ...]]]] = {
    "accounts": (at("123456789012"), at("210987654321"), {"aks_amp_role_name": "shared"}, ()),
    "applications": ({}, {}, {"aks_amp_credential_name": "shared"}, ()),
    "credentials": ({}, {}, {"aks_amp_application_name": "shared"}, ()),
    "tenants": ({"aks_amp_tenant_id": "a"}, {"aks_amp_tenant_id": "b"}, ONE_APPLICATION, ()),
    "no-entra": ({}, {}, {**ONE_APPLICATION, **NO_ENTRA}, ()),
    # What only a play knows is not known of another host.
    "template": ({}, {}, {"aks_amp_role_name": "team{{ aks_amp_suffix }}"}, ()),
    "unknown-role": ({}, {}, {**NO_ENTRA, "aks_amp_name_suffix": "-x", "aks_amp_role_name": "R-{{ of_a_play }}"}, ()),
    "unknown-credential": ({}, {}, {**ROLES_APART, "aks_amp_credential_name": "c-{{ of_a_play }}"}, ()),
    "unknown-application": ({}, {}, {**ROLES_APART, "aks_amp_application_name": "a-{{ of_a_play }}"}, ()),
    "unknown-entra": ({}, {}, {**ROLES_APART, "aks_amp_entra_enabled": "{{ of_a_play }}"}, ()),
    "unknown-suffix": ({}, {}, {"aks_amp_name_suffix": "-{{ of_a_play }}", "aks_amp_cluster_name": "prod"}, ()),
    "unknown-cluster": ({}, {}, {"aks_amp_cluster_name": "{{ of_a_play }}"}, ()),
    # Another name that can't be told keeps none from being compared.
    "known-credential": (
        {},
        {},
        {"aks_amp_name_suffix": "-prod", "aks_amp_role_name": "R-{{ of_a_play }}"},
        (f"credential, {CREDENTIAL}-prod,",),
    ),
    "suffixes": ({"aks_amp_name_suffix": "-weu"}, {"aks_amp_name_suffix": "-neu"}, {"aks_amp_cluster_name": "p"}, ()),
    # Azure lets each resource group have a cluster of the name.
    "twins": ({}, {}, {"aks_amp_cluster_name": "prod"}, (f"role, {ROLE}-prod,", "aks_amp_name_suffix")),
    "roles": ({}, {}, {"aks_amp_role_name": "shared"}, ("role, shared,", "aks_amp_role_name")),
    "cases": ({"aks_amp_role_name": "Shared"}, {"aks_amp_role_name": "shared"}, {}, ("role, shared,",)),
    "logins": (at("123456789012"), at("123456789012", "other"), {"aks_amp_role_name": "shared"}, ("role, shared,",)),
    "application": ({}, {}, ONE_APPLICATION, ("credential, same,", "aks_amp_credential_name")),
    "identity": ({}, {}, {**IDENTITY, "aks_amp_credential_name": "same"}, ("credential, same,",)),
}


@pytest.mark.parametrize("limit", ["all", "*-two"])
def test_two_clusters_that_share_a_name_are_refused_whatever_the_limit(tmp_path: Path, limit: str) -> None:
    """And none that have names alike for different things. Each fleet is a group of its own."""
    inventory, plays = {}, []
    for fleet, (one, two, both, _unused) in FLEETS.items():
        inventory[fleet] = {"hosts": {f"{fleet}-one": one, f"{fleet}-two": two}, "vars": both}
        block: list[Json] = [REQUIREMENTS, {"ansible.builtin.debug": {"msg": "may run"}}]
        rescue: list[Json] = [{"ansible.builtin.debug": {"msg": "refused"}}]
        tasks: list[Json] = [{"block": block, "rescue": rescue}]
        plays.append({**PLAY, "hosts": fleet, "vars": {"aks_amp_hosts": fleet}, "tasks": tasks})
    # The exit code is left alone: a task that runs once fails the hosts that did not run it, though each is rescued.
    run = run_plays(tmp_path, inventory, plays, "--limit", limit)
    for fleet, (_one, _two, _both, says) in FLEETS.items():
        mine = [task for task in run.tasks if task.host.startswith(f"{fleet}-")]
        assert {task.msg for task in mine if task.action.endswith("debug")} == {"refused" if says else "may run"}, (
            run.output
        )
        failures = [task.msg for task in mine if task.status in ("failed", "ignored")]
        assert len(failures) == bool(says), fleet
        for text in (f"{fleet}-one and {fleet}-two are given the same", *says) if says else ():
            assert text in failures[0].replace("Shared", "shared")


def test_clusters_that_share_a_name_do_not_keep_others_from_a_run(tmp_path: Path) -> None:
    twins = {name: {"aks_amp_cluster_name": "prod"} for name in TWO}
    found = names(play(tmp_path, {**twins, "other": {}}, "--limit", "other"))
    assert found == {"other": with_suffix("-other")}


@pytest.mark.parametrize(
    ("named", "hosts", "others"),
    [
        ("west", TWO, "two"),
        ("aks:!two", TWO, "two"),
        ("nowhere", TWO, "one, two"),
        ("west", {"one": {"aks_amp_hosts": "west"}, "two": {"aks_amp_hosts": None}}, "two"),
    ],
)
def test_hosts_that_the_inventory_names_are_not_overrun(tmp_path: Path, named: str, hosts: Json, others: str) -> None:
    message = refusal(play(tmp_path, hosts, groups={"west": ["one"]}, aks_amp_hosts=named))
    assert f"-e aks_amp_hosts={named}" in message
    assert f"act on {others} too" in message


def test_hosts_that_the_inventory_names_may_be_those_of_the_play(tmp_path: Path) -> None:
    groups = {"west": ["one"]}
    assert set(names(play(tmp_path, TWO, groups=groups, aks_amp_hosts="aks"))) == {"one", "two"}
    assert set(names(play(tmp_path, TWO, "--limit", "one", groups=groups, aks_amp_hosts="west"))) == {"one"}
