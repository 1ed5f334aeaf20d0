# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AssumeRole: the chain from one role to another."""

from __future__ import annotations

import json
import typing as t

import pytest

from tests.unit.sandbox.aws_support import (
    ACCOUNT,
    CONTROLLER_ARN,
    ROLE,
    ROLE_ARN,
    Aws,
    Keys,
    allow,
    failure,
    policy,
    trust_policy,
)

if t.TYPE_CHECKING:
    from sandbox.world import Json

TARGET = "metrics-target"
TARGET_ARN = f"arn:aws:iam::{ACCOUNT}:role/{TARGET}"
MAY_CHAIN = allow("sts:AssumeRole", TARGET_ARN)


@pytest.fixture
def aws() -> Aws:
    return Aws()


def trusting(principal: str, **elements: t.Any) -> Json:
    return policy({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **elements})


def assume(aws: Aws, keys: Keys | None = None, **changes: t.Any) -> Json:
    parameters = {"RoleArn": TARGET_ARN, "RoleSessionName": "chained", **changes}
    answer: Json = aws.sts(keys).assume_role(**parameters)
    return answer


def denied(arn: str, role_arn: str = TARGET_ARN) -> tuple[int, str, str]:
    message = f"User: {arn} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
    return 403, "AccessDenied", message


SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/prometheus"


@pytest.mark.parametrize(
    ("principal", "own", "opens"),
    [
        (ROLE_ARN, (), True),  # named itself: within one account that is enough
        (SESSION_ARN, (), True),
        (ACCOUNT, (MAY_CHAIN,), True),
        (ACCOUNT, (), False),
        (ACCOUNT, (allow("sts:AssumeRole", ROLE_ARN),), False),
        (CONTROLLER_ARN, (MAY_CHAIN,), False),
        (ROLE_ARN, ({"Effect": "Deny", "Action": "sts:*", "Resource": "*"},), False),
    ],
)
def test_trust_policy_and_own_policies_decide(aws: Aws, principal: str, own: tuple[Json, ...], opens: bool) -> None:
    keys = aws.session(*own)
    aws.account.seed_role(TARGET, trusting(principal), {})
    if not opens:
        assert failure(lambda: assume(aws, keys)) == denied(SESSION_ARN)
        return
    answer = assume(aws, keys)
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{TARGET}/chained"
    assert aws.sts(Keys.of(answer)).get_caller_identity()["Arn"] == answer["AssumedRoleUser"]["Arn"]


def test_a_role_assumes_itself_only_by_explicit_trust(aws: Aws) -> None:
    keys = aws.session(allow("sts:AssumeRole"))
    assert failure(lambda: assume(aws, keys, RoleArn=ROLE_ARN)) == denied(SESSION_ARN, ROLE_ARN)
    both = policy(*trust_policy()["Statement"], *trusting(ROLE_ARN)["Statement"])
    aws.iam().update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(both))
    assert assume(aws, keys, RoleArn=ROLE_ARN)["AssumedRoleUser"]["Arn"].startswith("arn:aws:sts::")


def test_a_user_assumes_a_role(aws: Aws) -> None:
    aws.account.seed_role(TARGET, trusting(CONTROLLER_ARN), {"p": policy(allow("iam:ListRoles"))})
    keys = Keys.of(assume(aws))
    assert aws.iam(keys).list_roles()["Roles"]
    assert failure(lambda: aws.iam(keys).get_role(RoleName=TARGET))[1] == "AccessDenied"


def test_an_unknown_role(aws: Aws) -> None:
    assert failure(lambda: assume(aws)) == denied(CONTROLLER_ARN)


def test_the_external_id_is_a_condition_key(aws: Aws) -> None:
    condition = {"StringEquals": {"sts:ExternalId": "secret"}}
    aws.account.seed_role(TARGET, trusting(ACCOUNT, Condition=condition), {})
    assert failure(lambda: assume(aws)) == denied(CONTROLLER_ARN)
    assert failure(lambda: assume(aws, ExternalId="other")) == denied(CONTROLLER_ARN)
    assert assume(aws, ExternalId="secret")


def test_a_chained_session_lasts_an_hour_at_most(aws: Aws) -> None:
    keys = aws.session()
    aws.account.seed_role(TARGET, trusting(ACCOUNT), {})
    aws.account.seed_role("other", trusting(ROLE_ARN), {})
    aws.iam().update_role(RoleName=TARGET, MaxSessionDuration=7200)
    aws.iam().update_role(RoleName="other", MaxSessionDuration=7200)
    assert assume(aws, DurationSeconds=7200)
    other = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/other"}
    assert assume(aws, keys, **other)
    assert failure(lambda: assume(aws, keys, **other, DurationSeconds=3601)) == (
        400,
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    )


def test_only_the_signed_may_ask(aws: Aws) -> None:
    aws.account.seed_role(TARGET, trusting("*"), {})
    answer = aws.unsigned(
        "sts.amazonaws.com", Action="AssumeRole", Version="2011-06-15", RoleArn=TARGET_ARN, RoleSessionName="nobody"
    )
    assert answer.status_code == 403
    assert b"<Code>MissingAuthenticationToken</Code>" in answer.data


def test_managed_policies_and_boundaries_count(aws: Aws) -> None:
    keys = aws.session(allow("iam:*"))
    iam = aws.iam()
    boundary = iam.create_policy(PolicyName="b", PolicyDocument=json.dumps(policy(allow("iam:Get*"), allow("aps:*"))))
    managed = iam.create_policy(PolicyName="m", PolicyDocument=json.dumps(policy(allow("aps:ListWorkspaces"))))
    assert failure(aws.amp(keys=keys).list_workspaces)[1] == "AccessDeniedException"
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=managed["Policy"]["Arn"])
    assert aws.amp(keys=keys).list_workspaces()["workspaces"] == []
    assert aws.iam(keys).list_roles()
    iam.put_role_permissions_boundary(RoleName=ROLE, PermissionsBoundary=boundary["Policy"]["Arn"])
    assert aws.amp(keys=keys).list_workspaces()["workspaces"] == []
    assert aws.iam(keys).get_role(RoleName=ROLE)
    assert failure(aws.iam(keys).list_roles)[1] == "AccessDenied"


def test_a_session_limited_by_managed_policies(aws: Aws) -> None:
    aws.account.seed_role(TARGET, trusting(CONTROLLER_ARN), {"p": policy(allow("iam:*"))})
    managed = aws.iam().create_policy(PolicyName="m", PolicyDocument=json.dumps(policy(allow("iam:ListRoles"))))
    keys = Keys.of(assume(aws, PolicyArns=[{"arn": managed["Policy"]["Arn"]}]))
    assert aws.iam(keys).list_roles()
    assert failure(lambda: aws.iam(keys).get_role(RoleName=TARGET))[1] == "AccessDenied"


def test_a_session_ends_with_its_role(aws: Aws) -> None:
    keys = aws.session(allow("iam:*"))
    iam = aws.iam()
    assert aws.iam(keys).list_roles()
    iam.delete_role_policy(RoleName=ROLE, PolicyName="test")
    iam.delete_role(RoleName=ROLE)
    iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(trust_policy()))
    iam.put_role_policy(RoleName=ROLE, PolicyName="test", PolicyDocument=json.dumps(policy(allow("iam:*"))))
    assert failure(aws.iam(keys).list_roles)[1] == "AccessDenied"  # the same name is another role
    assert aws.sts(keys).get_caller_identity()["Arn"] == SESSION_ARN
