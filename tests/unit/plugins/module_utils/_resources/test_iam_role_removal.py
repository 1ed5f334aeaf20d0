# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iam_web_identity_role with state absent, against the sandbox."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._ownership import MARK_KEY
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, ApplyFailed
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import failure_values
from sandbox.faults import Fault, Kind
from sandbox.testing import running_sandbox
from tests.unit.plugins.module_utils._resources.aws_modules import Runner
from tests.unit.plugins.module_utils._resources.role_of import POLICY, RoleOf

if t.TYPE_CHECKING:
    from collections.abc import Iterator

EC2 = {"Sid": "Ec2", "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
OTHER_ISSUER = "https://westeurope.oic.prod-aks.azure.com/11111111-2222-3333-4444-555555555555/other/"
REMOTE_WRITE = "arn:aws:iam::aws:policy/AmazonPrometheusRemoteWriteAccess"


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with running_sandbox() as sandbox:
        yield Runner(sandbox)


@pytest.fixture(autouse=True)
def _reset(runner: Runner) -> None:
    runner.sandbox.reset()


@pytest.fixture
def finished(runner: Runner) -> RoleOf:
    """A role that was made by hand, for a cluster whose provider exists."""
    return RoleOf(runner, "finished")


@pytest.fixture
def own(runner: Runner) -> RoleOf:
    """A role that this collection created."""
    role = RoleOf(runner, "finished")
    role.name = "Own-Role"
    role.run()
    return role


def statement_of(role: RoleOf, issuer: str) -> dict[str, t.Any]:
    """The statement of another cluster, whose provider is made for it."""
    arn = role.create_provider(issuer)
    key = issuer.removeprefix("https://")
    equals = {f"{key}:aud": "sts.amazonaws.com", f"{key}:sub": "system:serviceaccount:monitoring:prometheus-sa"}
    return {
        "Effect": "Allow",
        "Principal": {"Federated": arn},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": equals},
    }


def test_an_own_role_goes_with_its_last_statement(own: RoleOf) -> None:
    result = own.contract(state="absent")
    assert [(change.action, change.kind) for change in result.changes] == [
        (Action.DELETE, "IAM inline policy"),
        (Action.DELETE, "IAM role"),
    ]
    assert [change.diff()["after"] for change in result.changes] == [{}, {}]
    assert result.changes[1].before is not None
    assert result.facts["exists"] is False
    assert not own.exists()


def test_what_is_absent_costs_two_reads_and_changes_nothing(finished: RoleOf) -> None:
    finished.name = "Nobody"
    start = finished.runner.last_request
    assert finished.remove().changes == ()
    assert finished.runner.operations_since(start) == ["GetRole", "GetCallerIdentity"]


def test_an_issuer_that_nobody_knows_yet_is_trusted_by_no_role(own: RoleOf) -> None:
    result = own.remove(issuer=KNOWN_AFTER_APPLY)
    assert result.changes == ()
    assert result.warnings == ()
    assert own.exists()


def test_the_statement_of_another_cluster_stays_with_role_and_permission(own: RoleOf) -> None:
    other = statement_of(own, OTHER_ISSUER)
    own.set_statements(EC2, *own.statements(), other)
    result = own.contract(state="absent")
    assert [change.kind for change in result.changes] == ["IAM trust policy"]
    assert own.statements() == [EC2, other]
    assert own.inline() == [POLICY]
    assert "is kept: its trust policy has statements for others" in result.warnings[0]


@pytest.mark.parametrize("policy_type", ["inline", "managed"])
def test_the_permission_stays_while_others_come_in_otherwise_than_by_web_identity(
    own: RoleOf, policy_type: str
) -> None:
    """Prometheus on ECS may write with the same role."""
    own.run(policy_type=policy_type)
    own.set_statements(EC2, *own.statements())
    before = (own.inline(), own.attached())
    result = own.contract(state="absent")
    assert [change.kind for change in result.changes] == ["IAM trust policy"]
    assert own.statements() == [EC2]
    assert (own.inline(), own.attached()) == before
    assert result.warnings == (
        "The IAM role Own-Role is kept: its trust policy has statements for others.",
        "The permission of the IAM role Own-Role is kept: others may assume the role and need it.",
    )


@pytest.mark.parametrize(
    ("effect", "action", "kept"),
    [
        ("Allow", "sts:AssumeRoleWithSAML", True),
        ("Allow", ["sts:TagSession", "sts:AssumeRole"], True),
        ("Allow", "sts:TagSession", False),
        ("Deny", "sts:AssumeRole", False),
    ],
)
def test_the_permission_goes_when_nobody_can_assume_the_role_any_more(
    own: RoleOf, effect: str, action: str | list[str], *, kept: bool
) -> None:
    rest = {"Effect": effect, "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": action}
    own.set_statements(rest, *own.statements())
    own.contract(state="absent")
    assert own.inline() == [POLICY] * kept


def test_a_misspelled_statement_goes_too(own: RoleOf) -> None:
    (statement,) = own.statements()
    wrong = {**statement, "Condition": {"StringEquals": {"x:sub": "y"}}}
    own.set_statements(EC2, wrong)
    own.remove()
    assert own.statements() == [EC2]


def test_a_role_that_others_made_is_not_deleted(finished: RoleOf) -> None:
    start = finished.runner.last_request
    with pytest.raises(errors.Refused, match="was not created by this collection") as caught:
        finished.remove()
    assert "if_shared" in caught.value.fix
    assert "force" in caught.value.fix
    kept = finished.remove(if_shared="keep")
    assert kept.changes == ()
    assert "is kept as it is: it was not created by this collection" in kept.warnings[0]
    assert finished.runner.writes_since(start) == []
    assert finished.inline() == [POLICY]


def test_a_role_that_others_made_and_use_loses_what_is_the_issuers(finished: RoleOf) -> None:
    """It is told once that its permission stays, and not in each later run."""
    denied = {**EC2, "Effect": "Deny"}
    finished.set_statements(*finished.statements(), EC2)
    result = finished.contract(state="absent")
    assert finished.statements() == [EC2]
    assert finished.inline() == [POLICY]
    assert "The permission of the IAM role" in result.warnings[0]
    assert finished.remove().warnings == ()
    finished.set_statements(denied)
    finished.remove()
    assert finished.inline() == []


def test_an_inline_policy_of_others_that_bears_the_name_stays_in_a_role_of_others(finished: RoleOf) -> None:
    wide = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    finished.iam.put_role_policy(RoleName=finished.name, PolicyName=POLICY, PolicyDocument=json.dumps(wide))
    finished.set_statements(*finished.statements(), {**EC2, "Effect": "Deny"})
    finished.remove()
    assert finished.permission() == wide


@pytest.mark.parametrize("kind", ["inline policy", "managed policy", "instance profile"])
def test_what_others_gave_an_own_role_stands_against_its_deletion(own: RoleOf, kind: str) -> None:
    if kind == "inline policy":
        own.iam.put_role_policy(RoleName=own.name, PolicyName="Theirs", PolicyDocument=json.dumps(own.permission()))
    elif kind == "managed policy":
        own.iam.attach_role_policy(RoleName=own.name, PolicyArn=REMOTE_WRITE)
    else:
        own.iam.create_instance_profile(InstanceProfileName="Theirs")
        own.iam.add_role_to_instance_profile(InstanceProfileName="Theirs", RoleName=own.name)
    start = own.runner.last_request
    with pytest.raises(errors.Refused, match=f"others gave it the {kind}"):
        own.remove()
    assert own.remove(if_shared="keep").changes == ()
    assert own.runner.writes_since(start) == []
    own.contract(state="absent", force=True)
    assert not own.exists()


def test_force_deletes_a_role_of_others(finished: RoleOf) -> None:
    finished.contract(state="absent", force=True)
    assert not finished.exists()


def test_another_path_is_another_role(own: RoleOf) -> None:
    with pytest.raises(errors.Refused, match="has the path /"):
        own.remove(path="/amp/")


def test_a_managed_policy_goes_with_the_role_and_all_its_versions(finished: RoleOf) -> None:
    finished.name = "Managed-Role"
    finished.run(policy_type="managed")
    for flag in (True, False):
        finished.run(policy_type="managed", allow_query=flag)
    result = finished.contract(state="absent")  # whatever the type: what is attached is looked into
    assert [change.kind for change in result.changes] == [
        "IAM role",
        "IAM role",
        "IAM managed policy version",
        "IAM managed policy version",
        "IAM managed policy",
    ]
    assert not finished.exists()
    assert finished.iam.list_policies(Scope="Local")["Policies"] == []


@pytest.mark.parametrize("policy_type", ["inline", "managed"])
def test_a_managed_policy_that_somebody_rolled_back_goes_with_all_its_versions(
    finished: RoleOf, policy_type: str
) -> None:
    finished.name = "Managed-Role"
    for flag in (False, True, False):
        finished.run(policy_type="managed", allow_query=flag)
    finished.iam.set_default_policy_version(PolicyArn=finished.attached()[0], VersionId="v1")
    result = finished.contract(state="absent", policy_type=policy_type)
    assert [change.before for change in result.changes if change.kind == "IAM managed policy version"] == [
        {"version_id": "v2"},
        {"version_id": "v3"},
    ]
    assert not finished.exists()
    assert finished.iam.list_policies(Scope="Local")["Policies"] == []


@pytest.mark.parametrize(
    "operation",
    ["ListAttachedRolePolicies", "ListRolePolicies", "GetRolePolicy", "ListInstanceProfilesForRole"],
)
def test_a_role_that_goes_while_it_is_read_is_gone(finished: RoleOf, operation: str) -> None:
    (policy,) = finished.iam.list_role_policies(RoleName=finished.name)["PolicyNames"]

    def remove() -> None:
        finished.iam.delete_role_policy(RoleName=finished.name, PolicyName=policy)
        finished.iam.delete_role(RoleName=finished.name)

    finished.runner.sandbox.faults.add(Fault(Kind.CALL, service="iam", operation=operation, callback=remove))
    result = finished.remove()
    assert result.changes == ()
    assert not finished.exists()


def test_a_managed_policy_is_not_left_behind_by_a_lost_race_after_the_role_has_gone(finished: RoleOf) -> None:
    finished.name = "Managed-Role"
    finished.run(policy_type="managed")
    finished.runner.sandbox.faults.add(Fault(Kind.CONFLICT, service="iam", operation="DeletePolicy"))
    result = finished.remove()
    assert [change.kind for change in result.changes] == ["IAM role", "IAM role", "IAM managed policy"]
    assert finished.iam.list_policies(Scope="Local")["Policies"] == []


def test_the_versions_of_a_managed_policy_of_others_are_not_looked_at(finished: RoleOf) -> None:
    finished.name = "Managed-Role"
    arn = finished.run(policy_type="managed").facts["policy_arn"]
    finished.iam.untag_policy(PolicyArn=arn, TagKeys=[MARK_KEY])
    finished.runner.deny("iam:ListPolicyVersions")
    finished.remove(force=True)
    assert not finished.exists()
    assert finished.iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 0


def test_versions_that_went_are_told_when_their_policy_may_not_go(finished: RoleOf) -> None:
    finished.name = "Managed-Role"
    arn = finished.run(policy_type="managed").facts["policy_arn"]
    finished.run(policy_type="managed", allow_query=True)
    finished.iam.detach_role_policy(RoleName=finished.name, PolicyArn=arn)
    finished.iam.delete_role(RoleName=finished.name)
    finished.runner.deny("iam:DeletePolicy")
    with pytest.raises(ApplyFailed) as caught:
        finished.remove(policy_type="managed")
    values = failure_values(caught.value)
    assert values["changed"] is True
    assert f"Already done in this run: Delete version v1 of {arn}" in str(values["msg"])
    finished.runner.deny()
    (change,) = finished.remove(policy_type="managed").changes
    assert change.kind == "IAM managed policy"


def test_a_managed_policy_that_another_role_uses_stays(finished: RoleOf) -> None:
    arns = []
    for name in ("One", "Two"):
        finished.name = name
        arns.append(finished.run(policy_type="managed").facts["policy_arn"])
    assert arns[0] == arns[1]
    finished.contract(state="absent", policy_type="managed")
    assert finished.iam.get_policy(PolicyArn=arns[0])["Policy"]["AttachmentCount"] == 1
    finished.name = "One"
    finished.contract(state="absent", policy_type="managed")
    assert finished.iam.list_policies(Scope="Local")["Policies"] == []


def test_a_managed_policy_that_a_stopped_run_left_behind_is_found_again(finished: RoleOf) -> None:
    finished.name = "Managed-Role"
    arn = finished.run(policy_type="managed").facts["policy_arn"]
    finished.iam.detach_role_policy(RoleName=finished.name, PolicyArn=arn)
    finished.iam.delete_role(RoleName=finished.name)
    (change,) = finished.contract(state="absent", policy_type="managed").changes
    assert (change.action, change.kind) == (Action.DELETE, "IAM managed policy")


def test_policies_named_by_the_caller_do_not_stand_against_the_deletion(own: RoleOf) -> None:
    own.run(managed_policy_arns=[REMOTE_WRITE])
    own.contract(state="absent", managed_policy_arns=[REMOTE_WRITE])
    assert not own.exists()


def test_a_removal_that_was_cut_short_is_finished_by_the_next_run(own: RoleOf) -> None:
    own.runner.deny("iam:DeleteRole")
    with pytest.raises(ApplyFailed) as caught:
        own.remove()
    assert [change.kind for change in caught.value.done] == ["IAM inline policy"]
    assert isinstance(caught.value.__cause__, errors.Forbidden)
    own.runner.deny()
    assert [change.kind for change in own.remove().changes] == ["IAM role"]
    assert not own.exists()


def test_after_the_removal_the_role_can_be_made_again(own: RoleOf) -> None:
    own.remove()
    assert [change.action for change in own.run().changes] == [Action.CREATE, Action.CREATE]
