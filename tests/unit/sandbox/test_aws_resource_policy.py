# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource policies of workspaces, and who they let in."""

from __future__ import annotations

import functools
import json
import typing as t

import pytest

from sandbox.aws.remote_write import Point
from tests.unit.sandbox.aws_support import ACCOUNT, CONTROLLER_ARN, REGION, ROLE_ARN, Aws, Keys, allow, failure, policy

if t.TYPE_CHECKING:
    from sandbox.world import Json

OTHER = "210987654321"
OTHER_ROLE = f"arn:aws:iam::{OTHER}:role/writer"


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def workspace(aws: Aws) -> str:
    return aws.account.seed_workspace("demo", REGION)


def arn(workspace_id: str) -> str:
    return f"arn:aws:aps:{REGION}:{ACCOUNT}:workspace/{workspace_id}"


def letting(workspace_id: str, *principals: str, **changes: t.Any) -> Json:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": list(principals)},
        "Action": "aps:RemoteWrite",
        "Resource": arn(workspace_id),
        **changes,
    }
    return policy(statement)


def put(aws: Aws, workspace_id: str, document: Json | str, **options: str) -> Json:
    text = document if isinstance(document, str) else json.dumps(document)
    answer: Json = aws.amp().put_resource_policy(workspaceId=workspace_id, policyDocument=text, **options)
    return answer


def foreign(aws: Aws, *statements: Json) -> Keys:
    credential = aws.account.seed_foreign_session(OTHER_ROLE, policy(*statements))
    return Keys(credential.access_key, credential.secret_key, credential.token)


def written(aws: Aws, workspace_id: str, keys: Keys) -> tuple[int, str]:
    answer = aws.remote_write(workspace_id, keys, Point((("__name__", "up"),), 1.0, int(aws.now * 1000)))
    return answer.status_code, answer.data.decode()


def test_a_policys_life(aws: Aws, workspace: str) -> None:
    amp = aws.amp()
    missing = (404, "ResourceNotFoundException", "Resource policy not found")
    assert failure(lambda: amp.describe_resource_policy(workspaceId=workspace)) == missing
    assert failure(lambda: amp.delete_resource_policy(workspaceId=workspace)) == missing
    first = put(aws, workspace, letting(workspace, OTHER_ROLE), revisionId="NO_POLICY")
    assert (first["policyStatus"], first["ResponseMetadata"]["HTTPStatusCode"]) == ("CREATING", 202)
    found = amp.describe_resource_policy(workspaceId=workspace)
    assert (found["policyStatus"], found["revisionId"]) == ("ACTIVE", first["revisionId"])
    assert json.loads(found["policyDocument"]) == letting(workspace, OTHER_ROLE)
    second = put(aws, workspace, letting(workspace, ACCOUNT), revisionId=first["revisionId"])
    assert second["policyStatus"] == "UPDATING"
    assert second["revisionId"] != first["revisionId"]
    amp.delete_resource_policy(workspaceId=workspace, revisionId=second["revisionId"])
    assert failure(lambda: amp.describe_resource_policy(workspaceId=workspace)) == missing
    writes = [entry.operation for entry in aws.world.log.since() if entry.write]
    assert writes == ["PutResourcePolicy", "PutResourcePolicy", "DeleteResourcePolicy"]


def test_a_revision_is_a_precondition(aws: Aws, workspace: str) -> None:
    document = letting(workspace, OTHER_ROLE)
    assert failure(lambda: put(aws, workspace, document, revisionId="other"))[:2] == (409, "ConflictException")
    stale = put(aws, workspace, document)["revisionId"]
    put(aws, workspace, letting(workspace, ACCOUNT))
    for revision in (stale, "NO_POLICY"):
        attempt = functools.partial(put, aws, workspace, document, revisionId=revision)
        assert failure(attempt)[:2] == (409, "ConflictException")
    amp = aws.amp()
    assert failure(lambda: amp.delete_resource_policy(workspaceId=workspace, revisionId=stale))[1] == (
        "ConflictException"
    )


def test_a_repeated_request_is_answered_alike(aws: Aws, workspace: str) -> None:
    document, options = letting(workspace, OTHER_ROLE), {"revisionId": "NO_POLICY", "clientToken": "token"}
    first, again = (put(aws, workspace, document, **options) for _unused in range(2))
    assert first["revisionId"] == again["revisionId"]
    for _unused in range(2):
        aws.amp().delete_resource_policy(workspaceId=workspace, revisionId=first["revisionId"], clientToken="end")


def test_a_workspace_that_is_not_there(aws: Aws) -> None:
    answer = failure(lambda: put(aws, "ws-nowhere", letting("ws-nowhere", OTHER_ROLE)))
    assert answer == (404, "ResourceNotFoundException", "Workspace not found")


def test_a_policy_goes_with_its_workspace(aws: Aws, workspace: str) -> None:
    put(aws, workspace, letting(workspace, OTHER_ROLE))
    aws.amp().delete_workspace(workspaceId=workspace)
    assert failure(lambda: aws.amp().describe_resource_policy(workspaceId=workspace))[2] == "Workspace not found"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"Action": "s3:GetObject"}, "another service"),
        ({"Action": []}, "Missing required field Action"),
        ({"Resource": f"arn:aws:aps:{REGION}:{ACCOUNT}:workspace/ws-other"}, "invalid resource"),
        ({"Sid": "with-hyphen"}, "Syntax errors"),
        ({"Effect": "Maybe"}, "Syntax errors"),
        ({"Principal": {"AWS": "nobody"}}, "Invalid principal"),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/nowhere"}}, "Invalid principal"),
        ({"Principal": {"Federated": "x"}}, "Syntax errors"),
        ({"Colour": "red"}, "Syntax errors"),
    ],
)
def test_documents_that_are_none(aws: Aws, workspace: str, changes: Json, text: str) -> None:
    status, code, message = failure(lambda: put(aws, workspace, letting(workspace, OTHER_ROLE, **changes)))
    assert (status, code) == (400, "ValidationException")
    assert text in message


@pytest.mark.parametrize("text", ["{", "[]", '{"Version": "2012-10-17", "Statement": []}', '{"Statement": [{}]}'])
def test_texts_that_are_no_policy(aws: Aws, workspace: str, text: str) -> None:
    assert failure(lambda: put(aws, workspace, text))[:2] == (400, "ValidationException")


def test_two_statements_don_t_share_a_label(aws: Aws, workspace: str) -> None:
    (statement,) = letting(workspace, OTHER_ROLE, Sid="A")["Statement"]
    assert "unique" in failure(lambda: put(aws, workspace, policy(statement, statement)))[2]


def test_a_role_of_another_account_needs_both_sides(aws: Aws, workspace: str) -> None:
    keys, powerless = foreign(aws, allow("aps:RemoteWrite")), foreign(aws)
    assert aws.sts(keys).get_caller_identity()["Account"] == OTHER
    status, body = written(aws, workspace, keys)
    assert (status, "no resource-based policy allows the aps:RemoteWrite action" in body) == (403, True)
    for principal in (OTHER_ROLE, OTHER, f"arn:aws:iam::{OTHER}:root"):
        put(aws, workspace, letting(workspace, principal))
        assert written(aws, workspace, keys) == (200, "")
        status, body = written(aws, workspace, powerless)
        assert (status, "no identity-based policy allows the aps:RemoteWrite action" in body) == (403, True)
    put(aws, workspace, letting(workspace, f"arn:aws:iam::{OTHER}:role/another"))
    assert written(aws, workspace, keys)[0] == 403
    assert {sample.role_arn for sample in aws.world.samples} == {OTHER_ROLE}


def test_a_role_of_the_same_account_needs_one_side(aws: Aws, workspace: str) -> None:
    keys = aws.session()
    assert written(aws, workspace, keys)[0] == 403
    put(aws, workspace, letting(workspace, ROLE_ARN))
    assert written(aws, workspace, keys) == (200, "")
    put(aws, workspace, letting(workspace, ACCOUNT))  # the account as such leaves it to the role's own policies
    assert written(aws, workspace, keys)[0] == 403


def test_a_deny_on_either_side_wins(aws: Aws, workspace: str) -> None:
    keys = aws.session(allow("aps:*"))
    assert written(aws, workspace, keys) == (200, "")
    put(aws, workspace, letting(workspace, ROLE_ARN, Effect="Deny"))
    status, body = written(aws, workspace, keys)
    assert (status, "explicit deny in a resource-based policy" in body) == (403, True)


def test_the_control_plane_is_not_shared(aws: Aws, workspace: str) -> None:
    keys = foreign(aws, allow("*"))
    put(aws, workspace, letting(workspace, OTHER_ROLE, Action="aps:*"))
    assert failure(lambda: aws.amp(keys=keys).describe_workspace(workspaceId=workspace))[1] == "AccessDeniedException"
    assert failure(lambda: aws.iam(keys).list_roles())[1] == "AccessDenied"


@pytest.mark.parametrize("principal", [OTHER, OTHER_ROLE])
def test_a_role_is_assumed_from_another_account_by_both_sides(aws: Aws, principal: str) -> None:
    trust = policy({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"})
    aws.account.seed_role("target", trust, {})
    target = {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/target", "RoleSessionName": "over"}
    assert failure(lambda: aws.sts(foreign(aws)).assume_role(**target))[1] == "AccessDenied"
    answer = aws.sts(foreign(aws, allow("sts:AssumeRole"))).assume_role(**target)
    assert answer["AssumedRoleUser"]["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/target/")


def test_a_user_may_be_named(aws: Aws, workspace: str) -> None:
    assert put(aws, workspace, letting(workspace, CONTROLLER_ARN))["policyStatus"] == "CREATING"
