# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workspaces of Amazon Managed Service for Prometheus."""

from __future__ import annotations

import json
import typing as t

import pytest
from botocore.awsrequest import AWSRequest

from tests.unit.sandbox.aws_support import ACCOUNT, REGION, ROLE, Aws, allow, failure

NOT_FOUND = (404, "ResourceNotFoundException", "Workspace not found")
UNKNOWN = "ws-00000000-0000-0000-0000-000000000000"


@pytest.fixture
def aws() -> Aws:
    return Aws()


def arn(workspace_id: str, region: str = REGION) -> str:
    return f"arn:aws:aps:{region}:{ACCOUNT}:workspace/{workspace_id}"


def ids(answer: t.Any) -> list[str]:
    return [workspace["workspaceId"] for workspace in answer["workspaces"]]


def test_what_a_workspace_is(aws: Aws) -> None:
    workspace_id = aws.account.seed_workspace("demo", REGION, {"team": "x"})
    workspace = aws.amp().describe_workspace(workspaceId=workspace_id)["workspace"]
    assert workspace_id.startswith("ws-")
    assert (workspace["arn"], workspace["alias"], workspace["tags"]) == (arn(workspace_id), "demo", {"team": "x"})
    assert workspace["status"] == {"statusCode": "ACTIVE"}
    assert workspace["prometheusEndpoint"] == (
        f"https://aps-workspaces.{REGION}.amazonaws.com/workspaces/{workspace_id}/"
    )


def test_a_filter_finds_all_aliases_that_begin_so(aws: Aws) -> None:
    first, second, third = (aws.account.seed_workspace(alias, REGION) for alias in ("demo", "demo", "demo-2"))
    aws.account.seed_workspace("other", REGION)
    nameless = aws.amp().create_workspace()["workspaceId"]
    assert ids(aws.amp().list_workspaces(alias="demo")) == [first, second, third]
    assert ids(aws.amp().list_workspaces(alias="  demo-")) == [third]
    assert ids(aws.amp().list_workspaces(alias="DEMO")) == []
    assert len(ids(aws.amp().list_workspaces())) == 5
    assert nameless in ids(aws.amp().list_workspaces())
    assert all("prometheusEndpoint" not in found for found in aws.amp().list_workspaces()["workspaces"])


def test_lists_come_in_pages(aws: Aws) -> None:
    everything = [aws.account.seed_workspace(f"w{number}", REGION) for number in range(7)]
    aws.account.seed_workspace("other", REGION)
    amp = aws.amp()
    page = amp.list_workspaces(alias="w", maxResults=3)
    assert ids(page) == everything[:3]
    page = amp.list_workspaces(alias="w", maxResults=3, nextToken=page["nextToken"])
    assert ids(page) == everything[3:6]
    page = amp.list_workspaces(alias="w", maxResults=3, nextToken=page["nextToken"])
    assert ids(page) == everything[6:]
    assert "nextToken" not in page
    pages = amp.get_paginator("list_workspaces").paginate(alias="w", PaginationConfig={"PageSize": 2})
    assert [found for single in pages for found in ids(single)] == everything


def test_a_hundred_is_a_page_by_default(aws: Aws) -> None:
    for number in range(101):
        aws.account.seed_workspace(f"w{number}", REGION)
    page = aws.amp().list_workspaces()
    assert len(ids(page)) == 100
    assert len(ids(aws.amp().list_workspaces(nextToken=page["nextToken"]))) == 1


@pytest.mark.parametrize(
    "parameters", [{"maxResults": 0}, {"maxResults": 1001}, {"maxResults": "x"}, {"nextToken": "x"}, {"alias": ""}]
)
def test_parameters_that_the_service_does_not_take(aws: Aws, parameters: dict[str, t.Any]) -> None:
    assert failure(lambda: aws.amp().list_workspaces(**parameters))[:2] == (400, "ValidationException")


def test_regions_are_apart(aws: Aws) -> None:
    here = aws.account.seed_workspace("demo", REGION)
    there = aws.account.seed_workspace("demo", "us-west-2")
    assert ids(aws.amp().list_workspaces()) == [here]
    assert ids(aws.amp("us-west-2").list_workspaces()) == [there]
    assert failure(lambda: aws.amp().describe_workspace(workspaceId=there)) == NOT_FOUND
    assert aws.amp("us-west-2").describe_workspace(workspaceId=there)["workspace"]["arn"] == arn(there, "us-west-2")


def test_what_is_not_there(aws: Aws) -> None:
    amp = aws.amp()
    for call in (
        lambda: amp.describe_workspace(workspaceId=UNKNOWN),
        lambda: amp.delete_workspace(workspaceId=UNKNOWN),
        lambda: amp.update_workspace_alias(workspaceId=UNKNOWN, alias="x"),
        lambda: amp.tag_resource(resourceArn=arn(UNKNOWN), tags={"a": "b"}),
        lambda: amp.list_tags_for_resource(resourceArn=arn(UNKNOWN)),
    ):
        assert failure(call) == NOT_FOUND


def test_the_shape_of_an_error(aws: Aws) -> None:
    answer = aws.raw("GET", f"https://aps.{REGION}.amazonaws.com/workspaces/{UNKNOWN}")
    assert answer.headers["x-amzn-ErrorType"] == "ResourceNotFoundException"
    assert json.loads(answer.data) == {
        "message": "Workspace not found",
        "resourceId": UNKNOWN,
        "resourceType": "AWS::APS::Workspace",
    }


def test_a_workspaces_life(aws: Aws) -> None:
    amp = aws.amp()
    created = amp.create_workspace(alias="new", tags={"a": "1"})
    assert created["status"] == {"statusCode": "CREATING"}
    assert created["ResponseMetadata"]["HTTPStatusCode"] == 202
    workspace_id, workspace_arn = created["workspaceId"], created["arn"]
    amp.get_waiter("workspace_active").wait(workspaceId=workspace_id)
    assert amp.update_workspace_alias(workspaceId=workspace_id, alias="newer")["ResponseMetadata"][
        "HTTPStatusCode"
    ] == (204)
    amp.tag_resource(resourceArn=workspace_arn, tags={"b": "2"})
    amp.untag_resource(resourceArn=workspace_arn, tagKeys=["a"])
    assert amp.list_tags_for_resource(resourceArn=workspace_arn)["tags"] == {"b": "2"}
    assert amp.describe_workspace(workspaceId=workspace_id)["workspace"]["alias"] == "newer"
    assert amp.delete_workspace(workspaceId=workspace_id)["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert failure(lambda: amp.describe_workspace(workspaceId=workspace_id)) == NOT_FOUND
    assert {entry.operation for entry in aws.world.log.since() if entry.write} == {
        "CreateWorkspace",
        "UpdateWorkspaceAlias",
        "TagResource",
        "UntagResource",
        "DeleteWorkspace",
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/workspaces/"), ("GET", "/"), ("GET", "//workspaces"), ("PUT", "/workspaces"), ("GET", "/nothing")],
)
def test_a_path_that_is_none_is_answered_as_unsigned(aws: Aws, method: str, path: str) -> None:
    answer = aws.raw(method, f"https://aps.{REGION}.amazonaws.com{path}")
    assert answer.status_code == 403
    assert json.loads(answer.data) == {"message": "Missing Authentication Token"}


def test_operations_beyond_workspaces_are_not_served(aws: Aws) -> None:
    assert failure(aws.amp().list_scrapers)[:2] == (501, "NotImplemented")


@pytest.mark.parametrize("body", [b"{", b"[]"])
def test_a_body_that_is_no_object(aws: Aws, body: bytes) -> None:
    answer = aws.raw("POST", f"https://aps.{REGION}.amazonaws.com/workspaces", body=body)
    assert answer.status_code == 400
    assert answer.headers["x-amzn-ErrorType"] == "SerializationException"


def test_a_sessions_rights_are_its_roles(aws: Aws) -> None:
    workspace_id = aws.account.seed_workspace("demo", REGION)
    other = aws.account.seed_workspace("other", REGION)
    amp = aws.amp(keys=aws.session(allow("aps:DescribeWorkspace", arn(workspace_id))))
    assert amp.describe_workspace(workspaceId=workspace_id)["workspace"]["alias"] == "demo"
    user = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{ROLE}/prometheus is not authorized to perform: "
    status, code, message = failure(lambda: amp.describe_workspace(workspaceId=other))
    assert (status, code) == (403, "AccessDeniedException")
    assert message.startswith(f"{user}aps:DescribeWorkspace on resource: {arn(other)} because ")
    message = failure(amp.list_workspaces)[2]
    assert message.startswith(
        f"{user}aps:ListWorkspaces on resource: arn:aws:aps:{REGION}:{ACCOUNT}:/workspaces because "
    )


def test_a_signature_for_another_region_is_refused(aws: Aws) -> None:
    answer = aws.raw("GET", f"https://aps.{REGION}.amazonaws.com/workspaces", region="us-east-1")
    assert answer.status_code == 403
    assert answer.headers["x-amzn-ErrorType"] == "InvalidSignatureException"
    assert json.loads(answer.data) == {"message": "Credential should be scoped to a valid region. "}
    assert aws.send(AWSRequest("GET", "https://aps.eu-nowhere-1.amazonaws.com/workspaces").prepare()).status_code == 421
