# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    AwsAccount,
    Issuer,
    ServiceAccount,
    WebIdentityTrust,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam.trust_policy import Verdict, examine
from sandbox.aws.conditions import conditions_hold

HOST_AND_PATH = "westeurope.oic.prod-aks.azure.com/72f988bf/9d1f0c64/"
ACCOUNT = ServiceAccount("monitoring", "prometheus-sa")
TRUST = WebIdentityTrust(
    Issuer(f"https://{HOST_AND_PATH}"), "sts.amazonaws.com", (ACCOUNT,), AwsAccount("aws", "123456789012")
)
AUD, SUB = f"{HOST_AND_PATH}:aud", f"{HOST_AND_PATH}:sub"
PINNED_AUD = {AUD: "sts.amazonaws.com"}
PINNED_SUB = {SUB: "system:serviceaccount:monitoring:prometheus-sa"}


def _statement(condition: object, **changes: object) -> dict[str, t.Any]:
    return {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{HOST_AND_PATH}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition,
        **changes,
    }


def _policy(*statements: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _examine(*statements: dict[str, t.Any]) -> Verdict:
    return examine(_policy(*statements), TRUST, ACCOUNT)


def test_the_statement_of_the_model_lets_exactly_its_account_in() -> None:
    assert _examine(TRUST.statement()) == Verdict()


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(_statement({"StringEquals": PINNED_AUD, "StringLike": PINNED_SUB}), id="two operators"),
        pytest.param(
            _statement({"stringequals": {AUD.upper(): ["sts.amazonaws.com"], **PINNED_SUB}}), id="case and lists"
        ),
        pytest.param(
            _statement({"StringEquals": {**PINNED_AUD, SUB: ["other", PINNED_SUB[SUB]]}}), id="one of several subjects"
        ),
        pytest.param(
            _statement({"StringEquals": PINNED_AUD, "StringLike": {SUB: "system:serviceaccount:monitoring:prom*"}}),
            id="wildcard inside the namespace",
        ),
        pytest.param(
            _statement({"StringEquals": PINNED_AUD | PINNED_SUB}, Action=["sts:TagSession", "STS:assumerolewith*"]),
            id="action by pattern",
        ),
        pytest.param(
            _statement({"ForAllValues:StringEquals": PINNED_AUD, "StringEqualsIfExists": PINNED_SUB}), id="qualifiers"
        ),
    ],
)
def test_other_ways_to_say_the_same_are_accepted(statement: dict[str, t.Any]) -> None:
    assert _examine(statement) == Verdict()


def test_statements_may_stand_alone_and_beside_others() -> None:
    lambda_trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    anyone = {"Effect": "Allow", "Principal": "*", "Action": "sts:TagSession"}

    assert examine({"Statement": TRUST.statement()}, TRUST, ACCOUNT) == Verdict()
    assert _examine(lambda_trust, anyone, TRUST.statement()) == Verdict()


def test_the_guides_policy_has_both_its_mistakes_named() -> None:
    verdict = _examine(_statement({"StringEquals": {f"{HOST_AND_PATH}/:sub": PINNED_SUB[SUB]}}))

    slash, audience = verdict.findings
    assert "has a doubled slash" in slash.summary
    assert f"{HOST_AND_PATH}/:sub" in slash.found
    assert slash.expected == f"StringEquals {SUB} {PINNED_SUB[SUB]}"
    assert "does not pin the audience" in audience.summary
    assert "any audience in the provider's client IDs would be accepted" in audience.summary
    assert verdict.undecided == ()


def test_a_missing_audience_is_a_finding_though_the_exchange_works() -> None:
    (finding,) = _examine(_statement({"StringEquals": PINNED_SUB})).findings

    assert "does not pin the audience" in finding.summary
    assert finding.expected == f"StringEquals {AUD} sts.amazonaws.com"


def test_a_sloppy_statement_beside_an_exact_one_is_a_finding() -> None:
    (finding,) = _examine(TRUST.statement(), _statement({"StringEquals": PINNED_SUB})).findings

    assert "does not pin the audience" in finding.summary


@pytest.mark.parametrize("subject", ["*", "system:serviceaccount:*", "system:serviceaccount:*:prometheus-sa"])
def test_a_wildcard_for_the_namespace_is_a_finding(subject: str) -> None:
    (finding,) = _examine(_statement({"StringEquals": PINNED_AUD, "StringLike": {SUB: subject}})).findings

    assert "does not pin the subject" in finding.summary


def test_a_missing_subject_is_a_finding() -> None:
    (finding,) = _examine(_statement({"StringEquals": PINNED_AUD})).findings

    assert "does not pin the subject" in finding.summary


@pytest.mark.parametrize(
    ("condition", "texts"),
    [
        pytest.param(
            {"StringEquals": {AUD: "api://AzureADTokenExchange", **PINNED_SUB}},
            ("is 'api://AzureADTokenExchange', but the token has 'sts.amazonaws.com'",),
            id="audience",
        ),
        pytest.param(
            {"StringEquals": PINNED_AUD | {SUB: "system:serviceaccount:default:prometheus-sa"}},
            ("is 'system:serviceaccount:default:prometheus-sa'",),
            id="subject",
        ),
        pytest.param(
            {"StringEquals": PINNED_AUD | {SUB: PINNED_SUB[SUB].upper()}}, ("StringEquals",), id="case of a value"
        ),
        pytest.param(
            {"StringEquals": {f"https://{AUD}": "sts.amazonaws.com", **PINNED_SUB}},
            ("carries the scheme",),
            id="scheme",
        ),
        pytest.param(
            {"StringEquals": PINNED_AUD | {SUB.replace("/:sub", ":sub"): PINNED_SUB[SUB]}},
            ("lacks the slash",),
            id="no slash",
        ),
        pytest.param(
            {"StringEquals": PINNED_AUD | PINNED_SUB | {f"{HOST_AND_PATH}:amr": "x"}},
            ("asks for what a service account's token does not carry",),
            id="claim that is not there",
        ),
        pytest.param(
            {"StringEquals": PINNED_AUD, "StringNotLike": {SUB: "system:serviceaccount:monitoring:*"}},
            ("StringNotLike",),
            id="negated",
        ),
    ],
)
def test_the_failing_condition_is_named(condition: dict[str, t.Any], texts: tuple[str, ...]) -> None:
    (finding,) = _examine(_statement(condition)).findings

    assert all(text in finding.summary for text in texts)


def test_an_issuer_without_a_slash_is_told_about_the_one_too_many() -> None:
    issuer = Issuer("https://login.microsoftonline.com/72f988bf/v2.0")
    trust = dataclasses.replace(TRUST, issuer=issuer)
    statement = trust.statement()
    statement["Condition"] = {
        "StringEquals": {issuer.audience_key: trust.audience, f"{issuer.host_and_path}/:sub": ACCOUNT.subject}
    }

    (finding,) = examine(_policy(statement), trust, ACCOUNT).findings
    assert "has a slash before the claim that the issuer does not end in" in finding.summary


def test_a_provider_that_differs_by_a_slash_is_pointed_out() -> None:
    arn = f"arn:aws:iam::123456789012:oidc-provider/{HOST_AND_PATH.rstrip('/')}"
    (finding,) = _examine(_statement({"StringEquals": PINNED_SUB}, Principal={"Federated": arn})).findings

    assert f"{arn} differs from it by a slash or by case" in finding.summary
    assert finding.expected == TRUST.provider_arn
    assert finding.found == arn


def test_a_role_for_something_else_is_told_what_it_lacks() -> None:
    ec2 = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}

    (finding,) = _examine(ec2).findings
    assert "No statement allows sts:AssumeRoleWithWebIdentity" in finding.summary
    assert finding.found == "no federated principal"


def test_the_nearest_statement_is_the_one_that_is_explained() -> None:
    far = _statement({"StringEquals": {AUD: "other", SUB: "other"}})
    near = _statement({"StringEquals": {**PINNED_AUD, SUB: "near"}})

    (finding,) = _examine(far, near).findings
    assert "'near'" in finding.summary


def test_a_deny_wins() -> None:
    (finding,) = _examine(TRUST.statement(), _statement({"StringLike": {SUB: "*"}}, Effect="Deny")).findings

    assert "Deny" in finding.summary


def test_a_deny_for_others_does_not_matter() -> None:
    deny = _statement({"StringNotEquals": PINNED_SUB}, Effect="Deny")

    assert _examine(TRUST.statement(), deny) == Verdict()


@pytest.mark.parametrize(
    "extra",
    [
        {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        {"StringLike": {"sts:RoleSessionName": "prometheus-*"}},
        {"ArnLike": {SUB: "arn:*"}},
        {"StringNotEquals": {SUB: "${aws:username}"}},
    ],
)
def test_what_only_the_request_decides_is_left_open(extra: dict[str, t.Any]) -> None:
    verdict = _examine(_statement({"StringEquals": PINNED_AUD | PINNED_SUB, **extra}))

    assert verdict.findings == ()
    ((text,),) = (verdict.undecided,)
    assert next(iter(extra)) in text


def test_a_deny_that_only_the_request_decides_is_left_open() -> None:
    deny = _statement({"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, Effect="Deny")

    assert _examine(TRUST.statement(), deny) == Verdict(undecided=("Deny with NotIpAddress aws:SourceIp 10.0.0.0/8",))


CLAIM_VALUES = st.sampled_from(["sts.amazonaws.com", "STS.amazonaws.com", "sts.*", "*", "other", ACCOUNT.subject])
OPERATORS = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "ForAllValues:", "ForAnyValue:"]),
        st.sampled_from(
            [
                "StringEquals",
                "StringNotEquals",
                "StringEqualsIgnoreCase",
                "StringNotEqualsIgnoreCase",
                "StringLike",
                "StringNotLike",
            ]
        ),
        st.sampled_from(["", "IfExists"]),
    ),
)
CONDITIONS = st.dictionaries(
    OPERATORS | st.just("Null"),
    st.dictionaries(
        st.sampled_from([AUD, SUB, f"{HOST_AND_PATH}/:sub", f"{HOST_AND_PATH}:amr"]),
        st.lists(CLAIM_VALUES | st.sampled_from(["true", "false"]), min_size=1, max_size=2),
        min_size=1,
        max_size=2,
    ),
    max_size=3,
)


@given(CONDITIONS)
def test_conditions_are_decided_as_an_independent_engine_decides_them(condition: dict[str, t.Any]) -> None:
    """The sandbox's STS has an evaluation of its own: where it lets the token in, no finding may say otherwise."""
    claims = {AUD.lower(): ("sts.amazonaws.com",), SUB.lower(): (ACCOUNT.subject,)}
    verdict = _examine(_statement(condition))

    refusals = [finding for finding in verdict.findings if "does not pin" not in finding.summary]
    assert verdict.undecided == ()
    assert bool(refusals) != conditions_hold(condition, claims, None)
