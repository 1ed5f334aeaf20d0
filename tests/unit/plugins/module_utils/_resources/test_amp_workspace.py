# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One workspace by id or exact alias."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.amp import (
    WorkspaceDescription,
    WorkspaceSummary,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import amp_workspace
from sandbox.testing import running_sandbox
from tests.unit.plugins.module_utils._resources.aws_modules import REGION, Runner, params_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

ARN = "arn:aws:aps:eu-west-1:123456789012:workspace/ws-1"
CANDIDATES = [WorkspaceSummary(f"ws-{number}", alias, "ACTIVE") for number, alias in enumerate(["a", "b", "b", ""])]


def test_the_only_exact_match_is_taken() -> None:
    assert amp_workspace.select("a", CANDIDATES, REGION).workspace_id == "ws-0"


def test_an_alias_that_only_begins_so_is_no_match() -> None:
    with pytest.raises(errors.NotFound, match=r"alias 'al'; there are: ws-9 \(alias-long, ACTIVE\)"):
        amp_workspace.select("al", [WorkspaceSummary("ws-9", "alias-long", "ACTIVE")], REGION)


def test_several_exact_matches_are_listed() -> None:
    with pytest.raises(errors.Ambiguous, match=r"2 workspaces in eu-west-1 .* ws-1 \(b, ACTIVE\), ws-2") as caught:
        amp_workspace.select("b", CANDIDATES, REGION)
    assert "workspace_id" in caught.value.fix


def test_a_long_list_of_candidates_is_cut() -> None:
    many = [WorkspaceSummary(f"ws-{number:02d}", "x", "ACTIVE") for number in range(13)]
    with pytest.raises(errors.NotFound, match=r"ws-09 \(x, ACTIVE\) and 3 more\."):
        amp_workspace.select("y", many, REGION)


@pytest.mark.parametrize("status", ["CREATING", "UPDATING", "DELETING", "CREATION_FAILED", ""])
def test_a_workspace_that_is_not_active_is_refused(status: str) -> None:
    with pytest.raises(errors.NotReady, match="ws-1 is"):
        amp_workspace.facts(WorkspaceDescription(ARN, "ws-1", "a", status, ""))


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("CREATING", "still being created.*: its status is CREATING, not ACTIVE. Run again when it is active"),
        ("UPDATING", "being changed at the moment"),
        ("DELETING", "being deleted, and its data with it.* Choose another one"),
        ("CREATION_FAILED", "could not be created.* Delete it and create another one"),
        ("SOMETHING_NEW", "does not know: its status is SOMETHING_NEW"),
    ],
)
def test_each_status_is_explained(status: str, text: str) -> None:
    with pytest.raises(errors.NotReady) as caught:
        amp_workspace.facts(WorkspaceDescription(ARN, "ws-1", "a", status, ""))
    assert re.search(text, caught.value.sentence())


def test_an_alias_differs_by_case_and_by_blanks_inside() -> None:
    for alias in ("A", "a ", " a"):
        with pytest.raises(errors.NotFound):
            amp_workspace.select(alias, CANDIDATES, REGION)


@pytest.mark.parametrize("ending", ["", "/", "/api/v1/", "/api/v1"])
def test_urls_come_from_the_endpoint_however_it_ends(ending: str) -> None:
    base = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1"
    facts = amp_workspace.facts(WorkspaceDescription(ARN, "ws-1", "a", "ACTIVE", base + ending))
    assert facts == {
        "arn": ARN,
        "workspace_id": "ws-1",
        "alias": "a",
        "region": "eu-west-1",
        "partition": "aws",
        "account_id": "123456789012",
        "status": "ACTIVE",
        "prometheus_endpoint": base,
        "remote_write_url": f"{base}/api/v1/remote_write",
        "query_url": f"{base}/api/v1/query",
    }


# Against the sandbox


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with running_sandbox() as sandbox:
        yield Runner(sandbox)


@pytest.fixture(autouse=True)
def _reset(request: pytest.FixtureRequest) -> None:
    if "runner" in request.fixturenames:
        request.getfixturevalue("runner").sandbox.reset()


def find(runner: Runner, **options: t.Any) -> dict[str, t.Any]:
    result = runner.run(amp_workspace.DEFINITION, check_mode=True, **options)
    assert not result.changes
    return t.cast("dict[str, t.Any]", result.facts["workspace"])


def test_by_alias_and_by_id_are_the_same(runner: Runner) -> None:
    by_alias = find(runner, alias="fleet-metrics")
    assert by_alias["status"] == "ACTIVE"
    assert by_alias["remote_write_url"].endswith(f"/workspaces/{by_alias['workspace_id']}/api/v1/remote_write")
    start = runner.last_request
    assert find(runner, workspace_id=by_alias["workspace_id"]) == by_alias
    assert runner.operations_since(start) == ["DescribeWorkspace"]
    assert runner.writes_since(0) == []


def test_an_alias_is_found_beyond_the_first_page_and_beside_longer_ones(runner: Runner) -> None:
    amp = runner.client("amp")
    for number in range(120):
        amp.create_workspace(alias=f"metrics-{number:03d}")
    wanted = amp.create_workspace(alias="metrics-")["workspaceId"]
    assert find(runner, alias="metrics-")["workspace_id"] == wanted
    assert find(runner, alias="metrics-119")["alias"] == "metrics-119"


def test_an_unknown_alias_lists_what_there_is(runner: Runner) -> None:
    with pytest.raises(errors.NotFound, match=r"alias 'fleet'; there are: ws-.* \(fleet-metrics, ACTIVE\)"):
        find(runner, alias="fleet")
    with pytest.raises(errors.NotFound, match=r"alias 'metrics-fleet'; there are: ws-.* \(fleet-metrics, ACTIVE\)"):
        find(runner, alias="metrics-fleet")


def test_an_unknown_id_names_the_region(runner: Runner) -> None:
    with pytest.raises(errors.NotFound, match="no workspace ws-nowhere in eu-west-1"):
        find(runner, workspace_id="ws-nowhere")


def test_a_missing_right_is_named(runner: Runner) -> None:
    runner.sandbox.aws.set_controller_policies()
    with pytest.raises(errors.Forbidden) as caught:
        find(runner, workspace_id="ws-nowhere")
    assert caught.value.fix == "Allow aps:DescribeWorkspace to the caller."


def test_both_empty_is_bad_input(runner: Runner) -> None:
    with pytest.raises(errors.InvalidInput, match="Both workspace_id and alias are empty"):
        find(runner, alias="")


# What was found before in the same run


SETTINGS = {
    "alias": "fleet-metrics",
    "region": REGION,
    "access_key": "AKIAEXAMPLE",
    "secret_key": "first-secret",
    "https_proxy": "http://user:password@proxy.example.com:3128",
}


def settings_of(**changes: t.Any) -> str:
    given = {name: value for name, value in {**SETTINGS, **changes}.items() if value is not None}
    return amp_workspace.settings_of(params_of(amp_workspace.DEFINITION, given))


@pytest.mark.parametrize(
    "changes",
    [
        {"alias": "another"},
        {"alias": None, "workspace_id": "fleet-metrics"},
        {"region": "eu-central-1"},
        {"access_key": "AKIAOTHER"},
        {"access_key": None, "secret_key": None, "profile": "AKIAEXAMPLE"},
        {"assume_role_arn": "arn:aws:iam::123456789012:role/reader"},
        {"assume_role_external_id": "fleet"},
        {"endpoint_url": "https://aps.example.com"},
        {"use_fips_endpoint": True},
        {"use_fips_endpoint": False},
        {"https_proxy": "http://user:password@other.example.com:3128"},
        {"ca_bundle": "/etc/ssl/other.pem"},
    ],
    ids=str,
)
def test_other_settings_are_told_apart(changes: dict[str, t.Any]) -> None:
    assert settings_of(**changes) != settings_of()


@pytest.mark.parametrize(
    "changes",
    [
        {"secret_key": "second-secret"},
        {"session_token": "a-token"},
        {"https_proxy": "http://proxy.example.com:3128"},
        {"endpoint_url": "", "known": []},
    ],
    ids=str,
)
def test_nothing_secret_and_nothing_empty_goes_into_them(changes: dict[str, t.Any]) -> None:
    assert settings_of(**changes) == settings_of()


def test_a_known_workspace_is_taken_without_a_request(runner: Runner) -> None:
    first = runner.run(amp_workspace.DEFINITION, alias="fleet-metrics").facts
    start = runner.last_request
    second = runner.run(amp_workspace.DEFINITION, alias="fleet-metrics", known=[first]).facts
    assert second == first
    assert runner.operations_since(start) == []


def test_one_that_was_found_otherwise_is_not(runner: Runner) -> None:
    first = runner.run(amp_workspace.DEFINITION, alias="fleet-metrics").facts
    identity = str(first["workspace"]["workspace_id"])  # type: ignore[index]  # facts are objects
    start = runner.last_request
    runner.run(amp_workspace.DEFINITION, workspace_id=identity, known=[first])
    assert runner.operations_since(start) == ["DescribeWorkspace"]
