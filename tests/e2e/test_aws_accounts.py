# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller that may do nothing in AWS itself: it works as one role, and as another for the workspace."""

from __future__ import annotations

import json
import typing as t

import pytest

from sandbox.world import AWS_ACCOUNT
from tests.boto3_age import require_resource_policies

if t.TYPE_CHECKING:
    from demo.runs import PlaybookRun
    from tests.e2e.conftest import Estate

FEDERATION_ADMIN, METRICS_ADMIN = (f"arn:aws:iam::{AWS_ACCOUNT}:role/{name}" for name in ("federation", "metrics"))
VARIABLES = {
    "aks_amp_aws_assume_role_arn": FEDERATION_ADMIN,
    "aks_amp_aws_assume_role_external_id": "fleet-7",
    "aks_amp_aws_assume_role_session_name": "ticket-4711",
    "aks_amp_workspace_assume_role_arn": METRICS_ADMIN,
    "aks_amp_resource_policy": True,
}


def policy(**statement: t.Any) -> dict[str, t.Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


@pytest.fixture
def divided(estate: Estate) -> Estate:
    """The controller may assume two roles only: one for IAM, with an external ID, and one for AMP."""
    require_resource_policies()
    aws, caller = estate.sandbox.aws, {"AWS": AWS_ACCOUNT}
    condition = {"StringEquals": {"sts:ExternalId": "fleet-7"}}
    trust = policy(Principal=caller, Action="sts:AssumeRole", Condition=condition)
    aws.seed_role("federation", trust, {"iam": policy(Action="iam:*", Resource="*")})
    aws.seed_role(
        "metrics", policy(Principal=caller, Action="sts:AssumeRole"), {"amp": policy(Action="aps:*", Resource="*")}
    )
    aws.set_controller_policies(policy(Action="sts:AssumeRole", Resource=[FEDERATION_ADMIN, METRICS_ADMIN]))
    return estate


def play(estate: Estate, playbook: str, *arguments: str) -> PlaybookRun:
    run = estate.play(playbook, "--limit", "fresh", "-e", json.dumps(VARIABLES), *arguments)
    assert run.exit_code == 0, run.output[-6000:]
    return run


def test_each_account_s_part_is_done_as_its_own_role_and_undone_likewise(divided: Estate) -> None:
    before = divided.requests()
    planned = play(divided, "federate", "--check")
    assert divided.writes(before) == []
    applied = play(divided, "federate")
    assert applied.agrees_with_plan(planned, "fresh")
    assert ("iam_web_identity", "create", "AMP resource policy") in {change[:3] for change in applied.changes("fresh")}
    role_arn = applied.result("fresh", "iam_web_identity_role")["arn"]
    (statement,) = applied.result("fresh", "amp_resource_policy")["policy"]["Statement"]
    assert statement["Principal"] == {"AWS": role_arn}
    assert {sample.role_arn for sample in divided.sandbox.world.samples} == {role_arn}
    assert play(divided, "federate").changed("fresh") == 0
    undone = play(divided, "teardown")
    assert ("iam_web_identity", "delete", "AMP resource policy") in {change[:3] for change in undone.changes("fresh")}
    assert undone.result("fresh", "amp_resource_policy")["policy"] == {}
    assert "fleet-7" not in undone.output
