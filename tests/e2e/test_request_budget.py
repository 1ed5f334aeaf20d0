# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a converged cluster costs in requests is exactly what docs/requests.md says, in that order."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

import pytest

from demo.runs import ROOT
from sandbox.testing import running_sandbox
from tests.e2e.conftest import Estate

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.world import LoggedRequest

FLEET = ("fleet-0", "fleet-1", "fleet-2", "fleet-3")
SHARED = [("aps", "ListWorkspaces"), ("aps", "DescribeWorkspace")]


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of a table: a step, or what the request is for, and the request."""

    step: str
    request: tuple[str, str]


def table(heading: str) -> list[Row]:
    """The rows below a heading of docs/requests.md."""
    text = (ROOT / "docs" / "requests.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    return [Row(step, _request(request)) for step, request, _why in rows[2:]]


def _request(cell: str) -> tuple[str, str]:
    service, _space, operation = cell.strip("`").partition(" ")
    return service, operation


def asked(requests: t.Iterable[LoggedRequest]) -> list[tuple[str, str]]:
    """Service and operation, without what STS itself reads of an issuer."""
    return [(one.service.partition("/")[0], one.operation) for one in requests if not one.internal]


STEPS = table("A converged cluster, step by step")
REAL_ONLY = "6, for real"
CHECKED = [row.request for row in STEPS if row.step != REAL_ONLY]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Estate]:
    with running_sandbox() as sandbox:
        sandbox.add_fleet(*FLEET)
        yield Estate(sandbox)


def requests_of(estate: Estate, playbook: str, *arguments: str, code: int = 0) -> tuple[LoggedRequest, ...]:
    before = estate.requests()
    run = estate.play(playbook, *arguments)
    assert run.exit_code == code, run.output[-3000:]
    return estate.sandbox.world.log.since(before)


@pytest.mark.parametrize(
    ("playbook", "arguments", "expected"),
    [
        ("drift", (), CHECKED),
        ("federate", ("--check",), CHECKED),
        ("federate", (), [row.request for row in STEPS]),
        ("verify", (), [row.request for row in table("A diagnosis")]),
    ],
    ids=["drift", "check", "federate", "verify"],
)
def test_one_converged_cluster(
    fleet: Estate, playbook: str, arguments: tuple[str, ...], expected: list[tuple[str, str]]
) -> None:
    found = requests_of(fleet, playbook, "--limit", FLEET[0], *arguments)
    assert asked(found) == expected
    assert {one.operation for one in found if one.write} <= {"RemoteWrite"}


def test_no_step_reads_an_object_twice() -> None:
    rows = collections.Counter((row.step.partition(",")[0], row.request) for row in STEPS)
    assert {row: number for row, number in rows.items() if number > 1} == {}


def test_what_clusters_share_is_read_once(fleet: Estate) -> None:
    found = asked(requests_of(fleet, "federate", "--check", "--forks", "2"))
    own = [request for request in CHECKED if request not in SHARED]
    clusters = len(FLEET) + len(("fresh", "halfdone", "finished"))
    assert found[: len(SHARED)] == SHARED
    counted = collections.Counter(found)
    assert {request: counted[request] for request in SHARED} == dict.fromkeys(SHARED, 1)
    assert all(counted[request] >= clusters - 2 for request in own)


@pytest.fixture
def unlike(tmp_path: Path) -> tuple[str, ...]:
    """Of four clusters two look for a workspace that is not there, and one has a variable that can't be evaluated."""
    given = tmp_path / "unlike.yml"
    given.write_text(
        "aks:\n  hosts:\n"
        "    fleet-0:\n      aks_amp_workspace_alias: nowhere\n"
        "    fleet-1:\n      aks_amp_workspace_alias: nowhere\n"
        '    fleet-2:\n      aks_amp_aws_endpoint_url: "{{ 1 // 0 }}"\n',
        encoding="utf-8",
    )
    return "-i", str(given), "--limit", "fleet-*"


def test_what_can_not_be_read_fails_only_those_that_need_it(fleet: Estate, unlike: tuple[str, ...]) -> None:
    before = fleet.requests()
    run = fleet.play("federate", "--check", *unlike)
    assert run.exit_code == 2, run.output[-3000:]
    failed = {task.host: (task.task, task.msg) for task in run.tasks if task.status == "failed"}
    assert failed.keys() == {"fleet-0", "fleet-1", "fleet-2"}
    for host in ("fleet-0", "fleet-1"):
        assert failed[host][0].endswith(": Find the AMP workspace")
        assert failed[host][1].startswith("No workspace in eu-west-1 has the alias 'nowhere'; there are: ws-")
    assert "modulo" in failed["fleet-2"][1]
    found = asked(fleet.sandbox.world.log.since(before))
    assert found.count(("aps", "DescribeWorkspace")) == 1  # of the fourth, which asks for itself


def test_settings_that_differ_are_asked_for_apart(fleet: Estate, tmp_path: Path) -> None:
    given = tmp_path / "apart.yml"
    given.write_text("aks:\n  hosts:\n    fleet-0:\n      aks_amp_aws_assume_role_session_name: of-its-own\n", "utf-8")
    run = ("-i", str(given), "--limit", "fleet-*", "--check", "--tags", "iam_web_identity")
    found = asked(requests_of(fleet, "federate", *run))
    assert {request: found.count(request) for request in SHARED} == dict.fromkeys(SHARED, 2)


def test_what_is_handed_on_holds_no_secret(fleet: Estate) -> None:
    run = fleet.play("federate", "--check", "--limit", "fleet-*", "--tags", "iam_web_identity", "-vvv")
    (shared,) = (task for task in run.tasks if task.action.endswith("fleet_workspaces_info"))
    (known,) = shared.result["known"]
    assert known.keys() == {"settings", "workspace"}
    workspaces = [task.result for task in run.tasks if task.action.endswith("amp_workspace_info")]
    assert {one["settings"] for one in workspaces} == {known["settings"]}
    assert [one["workspace"] for one in workspaces] == [known["workspace"]] * len(FLEET)
