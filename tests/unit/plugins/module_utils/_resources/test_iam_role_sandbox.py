# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module iam_web_identity_role against the sandbox."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_roles import UnknownPrincipal
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, FederationError
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._ownership import MARK
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, ApplyFailed
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import iam_role as resource
from sandbox.testing import running_sandbox
from tests.unit.plugins.module_utils._resources.aws_modules import Runner
from tests.unit.plugins.module_utils._resources.role_of import POLICY, SERVICE_ACCOUNTS, SUBJECT, RoleOf

if t.TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with running_sandbox() as sandbox:
        yield Runner(sandbox)


@pytest.fixture(autouse=True)
def _reset(runner: Runner) -> None:
    runner.sandbox.reset()


@pytest.fixture
def finished(runner: Runner) -> RoleOf:
    return RoleOf(runner, "finished")


@pytest.fixture
def halfdone(runner: Runner) -> RoleOf:
    return RoleOf(runner, "halfdone")


@pytest.fixture
def new(runner: Runner) -> RoleOf:
    """A role that does not exist, for a cluster whose provider does."""
    role = RoleOf(runner, "finished")
    role.name = "New-Role"
    return role


def test_create(new: RoleOf) -> None:
    result = new.contract(path="/amp/", description="d", max_session_duration=7200, tags={"team": "x"})
    assert [change.action for change in result.changes] == [Action.CREATE, Action.CREATE]
    assert result.facts["arn"] == "arn:aws:iam::123456789012:role/amp/New-Role"
    stored = new.stored()
    assert stored["Arn"] == result.facts["arn"]
    assert (stored["Description"], stored["MaxSessionDuration"]) == ("d", 7200)
    assert {tag["Key"]: tag["Value"] for tag in stored["Tags"]} == {"team": "x", **MARK}
    assert stored["AssumeRolePolicyDocument"] == result.facts["trust_policy"]
    assert new.permission() == result.facts["permission_policy"]


def test_the_created_role_can_be_assumed_by_its_service_account_only(new: RoleOf) -> None:
    new.run()
    cluster = new.runner.sandbox.cluster("finished")
    sts = new.runner.client("sts")

    def assume(subject: str, audience: str = "sts.amazonaws.com") -> str:
        now = 1_700_000_000
        claims = {"iss": cluster.issuer_url, "aud": [audience], "sub": subject, "iat": now, "nbf": now, "exp": 1 << 32}
        token = cluster.signing_key.sign(claims)
        try:
            answer = sts.assume_role_with_web_identity(
                RoleArn="arn:aws:iam::123456789012:role/New-Role", RoleSessionName="test", WebIdentityToken=token
            )
        except sts.exceptions.ClientError as error:
            return str(error.response["Error"]["Code"])
        return str(answer["SubjectFromWebIdentityToken"])

    assert assume(SUBJECT) == SUBJECT
    assert assume("system:serviceaccount:monitoring:other") == "AccessDenied"
    assert assume(SUBJECT, "api://AzureADTokenExchange") == "InvalidIdentityToken"


def test_the_guide_s_role_is_repaired_and_not_marked(halfdone: RoleOf) -> None:
    result = halfdone.contract()
    (change,) = result.changes
    assert change.kind == "IAM trust policy"
    assert "never matches" in change.summary
    assert "no condition on the audience" in change.summary
    host_and_path = halfdone.issuer.removeprefix("https://")
    (statement,) = halfdone.stored()["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {f"{host_and_path}:aud": "sts.amazonaws.com", f"{host_and_path}:sub": SUBJECT}
    }
    assert not halfdone.stored().get("Tags")


def test_what_a_careful_engineer_made_stays_as_it_is_at_the_cost_of_two_reads(finished: RoleOf) -> None:
    start = finished.runner.last_request
    assert finished.run().changes == ()
    assert finished.runner.operations_since(start) == ["GetRole", "GetRolePolicy"]


def test_modify_everything_that_can_be_modified(finished: RoleOf) -> None:
    boundary = finished.iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(finished.permission()))
    result = finished.contract(
        service_accounts=[*SERVICE_ACCOUNTS, {"namespace": "other", "name": "agent"}],
        allow_query=True,
        description="d",
        max_session_duration=7200,
        permissions_boundary=boundary["Policy"]["Arn"],
        tags={"team": "x"},
    )
    assert [change.kind for change in result.changes] == [
        "IAM trust policy",
        "IAM role",
        "IAM role",
        "IAM role",
        "IAM inline policy",
    ]
    stored = finished.stored()
    assert (stored["Description"], stored["MaxSessionDuration"]) == ("d", 7200)
    assert stored["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary["Policy"]["Arn"]
    (statement,) = stored["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Sid"] == "AksPrometheus"
    assert "aps:QueryMetrics" in finished.permission()["Statement"][0]["Action"]
    assert finished.contract(tags={"team": "y"}, purge_tags=True).facts["arn"] == stored["Arn"]


def test_a_service_account_that_was_not_asked_for_loses_its_trust(finished: RoleOf) -> None:
    finished.run(service_accounts=[*SERVICE_ACCOUNTS, {"namespace": "other", "name": "agent"}])
    (change,) = finished.contract().changes
    assert change.summary.endswith("system:serviceaccount:other:agent is no longer trusted.")


def test_a_foreign_statement_stays(finished: RoleOf) -> None:
    foreign = {
        "Sid": "Ec2",
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    before = finished.stored()["AssumeRolePolicyDocument"]["Statement"]
    finished.iam.update_assume_role_policy(
        RoleName=finished.name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [foreign, *before]})
    )
    assert finished.run().changes == ()
    finished.contract(service_accounts=[{"namespace": "other", "name": "agent"}])
    after = finished.stored()["AssumeRolePolicyDocument"]["Statement"]
    assert after[0] == foreign
    assert len(after) == 2


def test_a_policy_made_by_hand_under_another_name_is_accepted(finished: RoleOf) -> None:
    document = finished.permission()
    finished.iam.delete_role_policy(RoleName=finished.name, PolicyName=POLICY)
    finished.iam.put_role_policy(RoleName=finished.name, PolicyName="ByHand", PolicyDocument=json.dumps(document))
    result = finished.run()
    assert result.changes == ()
    assert (result.facts["policy_name"], result.facts["permission_policy"]) == ("ByHand", document)


def test_another_path_is_refused_before_any_write(finished: RoleOf) -> None:
    start = finished.runner.last_request
    with pytest.raises(errors.Refused, match="has the path /, not /amp/"):
        finished.run(path="/amp/")
    assert finished.runner.writes_since(start) == []


def test_a_name_that_differs_in_case_is_reported(finished: RoleOf) -> None:
    finished.name = finished.name.upper()
    with pytest.raises(ApplyFailed) as caught:
        finished.run()
    cause = caught.value.__cause__
    assert isinstance(cause, errors.Conflict)
    assert cause.code == "EntityAlreadyExists"
    assert "differs in case only" in cause.fix


def test_a_provider_that_is_not_there_yet_is_waited_for(runner: Runner) -> None:
    role = RoleOf(runner, "fresh")
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        runner.clock.now += seconds
        if len(waited) == 2:  # IAM shows the provider at last
            role.iam.create_open_id_connect_provider(
                Url=role.issuer, ClientIDList=["sts.amazonaws.com"], ThumbprintList=["a" * 39 + "b"]
            )

    role.runner.clock.sleep = sleep  # type: ignore[method-assign]  # the test's own clock
    try:
        result = role.run()
    finally:
        del role.runner.clock.sleep
    assert [change.action for change in result.changes] == [Action.CREATE, Action.CREATE]
    assert waited == [1.0, 2.0]


def test_a_provider_that_never_comes_is_an_error_that_says_what_to_do(runner: Runner) -> None:
    role = RoleOf(runner, "fresh")
    start = runner.clock.now
    with pytest.raises(ApplyFailed) as caught:
        role.run()
    cause = caught.value.__cause__
    assert isinstance(cause, UnknownPrincipal)
    assert "iam_oidc_provider_thumbprint" in cause.fix
    assert runner.clock.now - start == resource.PRINCIPAL_SECONDS


def test_an_unknown_issuer_is_for_check_mode_only(new: RoleOf) -> None:
    start = new.runner.last_request
    result = new.run(check_mode=True, issuer=KNOWN_AFTER_APPLY)
    assert result.facts["arn"] == "arn:aws:iam::123456789012:role/New-Role"
    assert new.runner.operations_since(start) == ["GetRole", "GetCallerIdentity"]
    for options in ({"issuer": KNOWN_AFTER_APPLY}, {"workspace_arns": [KNOWN_AFTER_APPLY]}):
        with pytest.raises(errors.InvalidInput, match="accepted in check mode only"):
            new.run(**options)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"name": "bad name!"}, "option 'name'"),
        ({"service_accounts": []}, "service_accounts is empty"),
        ({"service_accounts": [{"namespace": "*", "name": "x"}]}, "wildcard"),
        ({"workspace_arns": ["arn:aws:aps:eu-west-1:123456789012:workspace/*"]}, "not the ARN of an AMP workspace"),
        ({"audience": "a b"}, "malformed"),
        ({"issuer": "https://x.example:1/"}, "port"),
        ({"tags": {"aws:x": "1"}}, "not one that IAM takes"),
    ],
)
def test_bad_input_is_refused_before_any_request(new: RoleOf, options: dict[str, t.Any], text: str) -> None:
    start = new.runner.last_request
    with pytest.raises((errors.InvalidInput, FederationError), match=text):
        new.run(**options)
    assert new.runner.operations_since(start) == []


def test_a_missing_right_is_named_and_what_was_done_is_told(new: RoleOf) -> None:
    new.runner.deny("iam:PutRolePolicy")
    with pytest.raises(ApplyFailed) as caught:
        new.run()
    cause = caught.value.__cause__
    assert isinstance(cause, errors.Forbidden)
    assert "iam:PutRolePolicy" in cause.fix
    assert [change.kind for change in caught.value.done] == ["IAM role"]
