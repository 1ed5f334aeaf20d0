# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is questioned in a role's policies, and what is not."""

from __future__ import annotations

import re
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    AwsAccount,
    Issuer,
    ServiceAccount,
    WebIdentityTrust,
    permission_policy,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy_findings

Json = dict[str, t.Any]

ACCOUNT = AwsAccount("aws", "123456789012")
HOST = "westeurope.oic.prod-aks.azure.com/t/g/"
TRUST = WebIdentityTrust(
    Issuer.parse(f"https://{HOST}"), "sts.amazonaws.com", (ServiceAccount("monitoring", "prometheus-sa"),), ACCOUNT
)
AUD, SUB = {f"{HOST}:aud": "sts.amazonaws.com"}, {f"{HOST}:sub": "system:serviceaccount:monitoring:prometheus-sa"}
WORKSPACE = "arn:aws:aps:eu-west-1:123456789012:workspace/ws-1"


def document(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trusting(condition: Json, **changes: t.Any) -> Json:
    return {**TRUST.statement(), "Condition": condition, **changes}


def found(statement: Json) -> list[tuple[str, str]]:
    return [(finding.severity.value, finding.text) for finding in policy_findings.of_trust_policy(document(statement))]


def test_what_this_collection_writes_has_no_findings() -> None:
    assert policy_findings.of_trust_policy(document(TRUST.statement())) == ()
    permission = permission_policy([WORKSPACE], allow_query=True, assumable_role_arns=["arn:aws:iam::1:role/r"])
    assert policy_findings.of_permission_policy("p", permission) == ()
    assert policy_findings.of_workspaces([WORKSPACE], ACCOUNT) == ()


@pytest.mark.parametrize(
    ("statement", "severity", "text"),
    [
        pytest.param(trusting({"StringEquals": SUB}), "medium", "no condition on .*:aud", id="no audience"),
        pytest.param(trusting({"StringEquals": AUD}), "high", "every service account of the issuer", id="no subject"),
        pytest.param(
            trusting({"StringEquals": AUD, "StringLike": {f"{HOST}:sub": "system:serviceaccount:*:prometheus-sa"}}),
            "high",
            "StringLike on .* accepts whatever fits",
            id="wildcard for the namespace",
        ),
        pytest.param(
            trusting({"StringEquals": AUD, "StringLike": {f"{HOST}:sub": "system:serviceaccount:monitoring:*"}}),
            "medium",
            "accepts whatever fits",
            id="wildcard for the name",
        ),
        pytest.param(
            trusting({"StringEquals": AUD, "StringLike": {f"{HOST}:sub": "*"}}), "high", "fits [*]", id="any subject"
        ),
        pytest.param(
            trusting({"StringEquals": SUB, "StringLike": {f"{HOST}:aud": "sts.*"}}), "high", "fits sts", id="audience"
        ),
        pytest.param(
            trusting({"StringEquals": AUD, "StringLike": SUB}), "low", "holds no wildcard", id="StringLike for nothing"
        ),
        pytest.param(
            trusting({"StringEquals": {**AUD, f"{HOST}:sub": "system:serviceaccount:monitoring:*"}}),
            "medium",
            "compares exactly, so the wildcard",
            id="wildcard that never matches",
        ),
        pytest.param(
            trusting({"StringEquals": AUD, "StringNotEquals": SUB}), "high", "every value but those", id="negated"
        ),
        pytest.param(
            trusting({"StringEquals": AUD, "ForAllValues:StringEquals": SUB}),
            "medium",
            "lacks the claim",
            id="all of nothing",
        ),
        pytest.param(
            trusting({"StringEquals": AUD, "StringEqualsIfExists": SUB}), "medium", "lacks the claim", id="if exists"
        ),
        pytest.param(
            trusting({"StringEquals": {**AUD, **SUB, f"{HOST}/:sub": "x"}}), "medium", "never matches", id="key"
        ),
        pytest.param(
            trusting({"StringEquals": {**AUD, **SUB}}, Action="sts:*"), "high", "far more than is needed", id="action"
        ),
        pytest.param(
            trusting({"StringEquals": {**AUD, **SUB}}, Action="sts:AssumeRole*"),
            "medium",
            "takes in more than is needed",
            id="actions by pattern",
        ),
        pytest.param(
            {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}, "high", "is everybody", id="everybody"
        ),
        pytest.param(
            {
                "Effect": "Allow",
                "Principal": {"AWS": ["*"]},
                "Action": "sts:AssumeRole",
                "Condition": {"Bool": {"k": 1}},
            },
            "medium",
            "only the conditions",
            id="everybody under conditions",
        ),
        pytest.param(
            {"Effect": "Allow", "NotPrincipal": {"AWS": "1"}, "Action": "sts:AssumeRole"},
            "high",
            "NotPrincipal trusts everybody",
            id="NotPrincipal",
        ),
        pytest.param(
            {"Effect": "Allow", "Principal": {"AWS": "1"}, "NotAction": "sts:TagSession"},
            "high",
            "NotAction allows every action",
            id="NotAction",
        ),
    ],
)
def test_one_finding_for_one_fault(statement: Json, severity: str, text: str) -> None:
    (finding,) = policy_findings.of_trust_policy(document(TRUST.statement(), {**statement, "Sid": "Wide"}))
    assert finding.severity.value == severity
    assert finding.statement == "trust policy, statement 2 (Wide)"
    assert re.search(text, finding.text), finding.text


def test_a_statement_without_conditions_lacks_both() -> None:
    assert [severity for severity, _text in found(trusting({}))] == ["medium", "high"]


def test_statements_that_let_nobody_in_and_ordinary_ones_are_not_questioned() -> None:
    assert found({"Effect": "Deny", "Principal": "*", "Action": "*"}) == []
    assert found({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}) == []
    assert found(trusting({"StringEquals": {**AUD, **SUB}, "Null": {f"{HOST}:sub": "false"}})) == []


@pytest.mark.parametrize(
    ("changes", "severity", "text"),
    [
        ({"Action": "aps:*"}, "high", "The action aps:*"),
        ({"Action": "*"}, "high", "The action *"),
        ({"Action": "aps:Get*"}, "medium", "The action aps:Get*"),
        ({"Resource": "*"}, "medium", "every workspace"),
        ({"Resource": "arn:aws:aps:*:*:workspace/*"}, "medium", "every workspace"),
    ],
)
def test_too_wide_permissions(changes: Json, severity: str, text: str) -> None:
    statement = {"Effect": "Allow", "Action": "aps:RemoteWrite", "Resource": WORKSPACE, **changes}
    (finding,) = policy_findings.of_permission_policy("ByHand", document(statement))
    assert (finding.severity.value, finding.statement) == (severity, "policy ByHand, statement 1")
    assert text in finding.text


def test_negated_resources_and_aws_own_policies() -> None:
    statement = {"Effect": "Allow", "Action": "aps:RemoteWrite", "NotResource": WORKSPACE}
    (finding,) = policy_findings.of_permission_policy("p", document(statement))
    assert finding.severity is policy_findings.Severity.HIGH
    own = "arn:aws:iam::123456789012:policy/AmazonPrometheusFullAccess"
    arns = ["arn:aws:iam::aws:policy/AmazonPrometheusRemoteWriteAccess", own]
    (finding,) = policy_findings.of_attached_policies(arns)
    assert finding.report() == {
        "severity": "medium",
        "statement": "policy arn:aws:iam::aws:policy/AmazonPrometheusRemoteWriteAccess",
        "text": "It allows remote write to every workspace of the account.",
    }


def test_a_workspace_of_another_account_needs_more_than_the_permission() -> None:
    elsewhere = WORKSPACE.replace("123456789012", "210987654321")
    (finding,) = policy_findings.of_workspaces([WORKSPACE, elsewhere, "<known after apply>"], ACCOUNT)
    assert finding.severity is policy_findings.Severity.LOW
    assert "account 210987654321" in finding.text
    assert "amp_resource_policy" in finding.text
