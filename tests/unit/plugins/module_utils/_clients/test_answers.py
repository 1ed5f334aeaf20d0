# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients make of answers that are not as their service describes them."""

from __future__ import annotations

import typing as t

import botocore.parsers
import botocore.session
import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import answers, aws_answers

ACTION = "reading it"


def test_what_a_library_stumbles_over_is_a_malformed_answer() -> None:
    parser = botocore.parsers.create_parser("rest-json")
    with pytest.raises(errors.CloudError, match=r"AWS failed while reading it: the answer can't be understood\."):  # noqa: SIM117
        with answers.understood("AWS", ACTION):
            parser.parse({"body": b"[{}]", "headers": {}, "status_code": 200}, shape("amp", "DescribeWorkspace"))


def test_an_answer_to_a_write_that_can_not_be_read_leaves_open_whether_it_was_done() -> None:
    with pytest.raises(errors.Interrupted, match=r"the answer can't be understood\.") as caught:  # noqa: SIM117
        with answers.understood("AWS", ACTION, writes=True):
            botocore.parsers.create_parser("query").parse({"body": b"<a", "headers": {}, "status_code": 200}, None)
    assert caught.value.fix.endswith(errors.LOOK_AGAIN)


def test_the_collections_own_mistakes_stay_what_they_are() -> None:
    with pytest.raises(KeyError, match="absent"), answers.understood("AWS", ACTION):
        raise KeyError("absent")
    with pytest.raises(Exception, match="of our own") as caught, answers.understood("AWS", ACTION, writes=True):
        raise Exception("of our own")  # noqa: TRY002  # the kind that kiota raises
    assert caught.value.__class__ is Exception


def shape(service: str, operation: str) -> t.Any:
    model = botocore.session.get_session().get_service_model(service)
    return model.operation_model(operation).output_shape


WORKSPACE = {"workspaceId": "ws-1", "arn": "arn", "status": {"statusCode": "ACTIVE"}}


@pytest.mark.parametrize(
    ("operation", "answer", "found"),
    [
        ("ListWorkspaces", {"workspaces": []}, []),
        ("ListWorkspaces", {}, ["answer has no workspaces"]),
        ("ListWorkspaces", {"workspaces": None}, ["answer has no workspaces"]),
        ("ListWorkspaces", {"workspaces": {}}, ["answer.workspaces is no list"]),
        ("ListWorkspaces", {"workspaces": ["x"]}, ["answer.workspaces is no structure"]),
        ("ListWorkspaces", {"workspaces": [WORKSPACE]}, ["answer.workspaces has no createdAt"]),
        ("DescribeWorkspace", [], ["answer is no structure"]),
    ],
)
def test_amp_answers_are_held_against_their_description(operation: str, answer: object, found: list[str]) -> None:
    assert list(aws_answers.problems(answer, shape("amp", operation), "answer")) == found


@pytest.mark.parametrize(
    ("operation", "answer", "found"),
    [
        ("ListOpenIDConnectProviders", {}, ["answer has no OpenIDConnectProviderList"]),
        ("ListOpenIDConnectProviders", {"OpenIDConnectProviderList": [{"Arn": "a"}]}, []),
        ("GetRolePolicy", {"RoleName": "r", "PolicyName": "p", "PolicyDocument": {"decoded": True}}, []),
        ("GetRolePolicy", {"RoleName": 7, "PolicyName": "p", "PolicyDocument": "{"}, ["answer.RoleName is no string"]),
        ("GetPolicy", {"Policy": {"PolicyName": "p"}}, ["answer.Policy has no DefaultVersionId"]),
    ],
)
def test_iam_answers_are_held_against_their_description(operation: str, answer: object, found: list[str]) -> None:
    assert list(aws_answers.problems(answer, shape("iam", operation), "answer")) == found
