# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether documents allow an action, held against the sandbox's own evaluation of policies."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam.iam_decision import (
    Answer,
    Decision,
    NamedDocument,
    decide,
)
from sandbox.aws import policy as aws

Json = dict[str, t.Any]

ACTION = "aps:RemoteWrite"
WORKSPACE = "arn:aws:aps:eu-west-1:123456789012:workspace/ws-1"
OTHER = "arn:aws:aps:eu-west-1:123456789012:workspace/ws-2"


def _allow(**elements: t.Any) -> Json:
    return {"Effect": "Allow", "Action": ACTION, "Resource": WORKSPACE, **elements}


def _deny(**elements: t.Any) -> Json:
    return {**_allow(**elements), "Effect": "Deny"}


def _document(*statements: Json, name: str = "inline policy a") -> NamedDocument:
    return NamedDocument(name, {"Version": "2012-10-17", "Statement": list(statements)})


CASES: dict[str, tuple[list[Json], Answer]] = {
    "exact": ([_allow()], Answer.ALLOWED),
    "nothing": ([], Answer.NOT_ALLOWED),
    "wildcards": ([_allow(Action="APS:Remote*", Resource="arn:aws:aps:*:123456789012:workspace/ws-?")], Answer.ALLOWED),
    "lists": ([_allow(Action=["s3:GetObject", ACTION], Resource=[OTHER, WORKSPACE])], Answer.ALLOWED),
    "another action": ([_allow(Action="aps:QueryMetrics")], Answer.NOT_ALLOWED),
    "another workspace": ([_allow(Resource=OTHER)], Answer.NOT_ALLOWED),
    "not this action": ([{"Effect": "Allow", "NotAction": ACTION, "Resource": "*"}], Answer.NOT_ALLOWED),
    "all but another action": ([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], Answer.ALLOWED),
    "all but this resource": ([{"Effect": "Allow", "Action": "*", "NotResource": WORKSPACE}], Answer.NOT_ALLOWED),
    "denied": ([_allow(), _deny(Resource="*")], Answer.DENIED),
    "denied elsewhere": ([_allow(), _deny(Resource=OTHER)], Answer.ALLOWED),
    "conditions": ([_allow(Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], Answer.CONDITIONAL),
    "conditional denial": ([_allow(), _deny(Condition={"Bool": {"aws:SecureTransport": "false"}})], Answer.CONDITIONAL),
    "one without conditions": ([_allow(Condition={"Bool": {"x": "y"}}), _allow()], Answer.ALLOWED),
}


@pytest.mark.parametrize("case", CASES)
def test_an_answer_for_each_way_to_say_it(case: str) -> None:
    statements, answer = CASES[case]
    assert decide([_document(*statements)], ACTION, WORKSPACE).answer is answer


def test_the_document_that_decides_is_named() -> None:
    documents = [_document(_allow(), name="inline policy a"), _document(_deny(), name="managed policy b")]
    assert decide(documents, ACTION, WORKSPACE) == Decision(Answer.DENIED, "managed policy b")
    assert decide(documents[:1], ACTION, WORKSPACE) == Decision(Answer.ALLOWED, "inline policy a")


def test_where_the_action_is_allowed_instead_is_told() -> None:
    decision = decide([_document(_allow(Resource=[OTHER])), _document(_allow(Resource=OTHER))], ACTION, WORKSPACE)
    assert decision == Decision(Answer.NOT_ALLOWED, elsewhere=(OTHER,))


_PATTERNS = st.sampled_from(["*", ACTION, "aps:*", "aps:RemoteWrit?", "aps:QueryMetrics", "s3:*", "APS:REMOTEWRITE"])
_RESOURCES = st.sampled_from(
    ["*", WORKSPACE, OTHER, f"{WORKSPACE[:-1]}?", "arn:aws:aps:*:*:workspace/*", "arn:aws:s3:::b"]
)


@st.composite
def _statements(draw: st.DrawFn) -> Json:
    action = draw(st.sampled_from(["Action", "NotAction"]))
    resource = draw(st.sampled_from(["Resource", "NotResource"]))
    return {
        "Effect": draw(st.sampled_from(["Allow", "Deny"])),
        action: draw(st.one_of(_PATTERNS, st.lists(_PATTERNS, min_size=1, max_size=3))),
        resource: draw(st.one_of(_RESOURCES, st.lists(_RESOURCES, min_size=1, max_size=3))),
    }


@settings(deadline=None)
@given(st.lists(st.lists(_statements(), max_size=3), max_size=3))
def test_without_conditions_it_says_what_iam_would(parts: list[list[Json]]) -> None:
    documents = [_document(*statements) for statements in parts]
    mine = decide(documents, ACTION, WORKSPACE).answer
    theirs = aws.evaluate([dict(one.document) for one in documents], aws.Question(ACTION, WORKSPACE))
    assert (
        mine
        is {
            aws.Decision.ALLOW: Answer.ALLOWED,
            aws.Decision.DENY: Answer.DENIED,
            aws.Decision.IMPLICIT_DENY: Answer.NOT_ALLOWED,
        }[theirs]
    )
