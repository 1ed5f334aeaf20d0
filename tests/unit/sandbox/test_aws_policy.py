# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's evaluation logic, as documented, on policies alone."""

from __future__ import annotations

import fnmatch
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.aws.patterns import arn_matches, matches
from sandbox.aws.policy import Decision, Principal, Question, evaluate, evaluate_trust

if t.TYPE_CHECKING:
    from sandbox.world import Json

ACCOUNT = "123456789012"
WORKSPACE = f"arn:aws:aps:eu-central-1:{ACCOUNT}:workspace/ws-1"
WRITE = Question(action="aps:RemoteWrite", resource=WORKSPACE)


def document(*statements: Json, version: str = "2012-10-17") -> Json:
    return {"Version": version, "Statement": list(statements)}


def statement(effect: str = "Allow", **elements: t.Any) -> Json:
    return {"Effect": effect, "Action": "aps:RemoteWrite", "Resource": WORKSPACE, **elements}


def without(element: str, given_statement: Json) -> Json:
    return {name: value for name, value in given_statement.items() if name != element}


def test_silence_is_an_implicit_deny() -> None:
    assert evaluate([], WRITE) is Decision.IMPLICIT_DENY
    assert evaluate([document()], WRITE) is Decision.IMPLICIT_DENY


def test_a_single_statement_need_not_be_a_list() -> None:
    assert evaluate([{"Version": "2012-10-17", "Statement": statement()}], WRITE) is Decision.ALLOW


@pytest.mark.parametrize(
    ("action", "decision"),
    [
        ("aps:RemoteWrite", Decision.ALLOW),
        ("APS:remotewrite", Decision.ALLOW),
        ("aps:*", Decision.ALLOW),
        ("aps:Remote?rite", Decision.ALLOW),
        ("*", Decision.ALLOW),
        (["aps:GetLabels", "aps:RemoteWrite"], Decision.ALLOW),
        ("aps:Remote", Decision.IMPLICIT_DENY),
        ("iam:*", Decision.IMPLICIT_DENY),
        ([], Decision.IMPLICIT_DENY),
    ],
)
def test_actions_match_by_pattern_without_regard_to_case(action: t.Any, decision: Decision) -> None:
    assert evaluate([document(statement(Action=action))], WRITE) is decision


def test_not_action_is_every_other_action() -> None:
    others = without("Action", statement(NotAction="aps:RemoteWrite"))
    assert evaluate([document(others)], WRITE) is Decision.IMPLICIT_DENY
    assert evaluate([document(others)], Question("aps:GetLabels", WORKSPACE)) is Decision.ALLOW


@pytest.mark.parametrize(
    ("resource", "decision"),
    [
        (WORKSPACE, Decision.ALLOW),
        ("*", Decision.ALLOW),
        ("arn:aws:aps", Decision.ALLOW),  # completed by wildcards
        (f"arn:aws:aps:*:{ACCOUNT}:workspace/*", Decision.ALLOW),
        (["arn:aws:s3:::other", WORKSPACE], Decision.ALLOW),
        (WORKSPACE.upper(), Decision.IMPLICIT_DENY),
        (WORKSPACE[:-1], Decision.IMPLICIT_DENY),
        ("arn:aws:*:workspace/ws-1", Decision.IMPLICIT_DENY),  # a wildcard stays within its part of the ARN
    ],
)
def test_resources_match_part_by_part_with_regard_to_case(resource: t.Any, decision: Decision) -> None:
    assert evaluate([document(statement(Resource=resource))], WRITE) is decision


def test_not_resource_is_every_other_resource() -> None:
    others = without("Resource", statement(NotResource=WORKSPACE))
    assert evaluate([document(others)], WRITE) is Decision.IMPLICIT_DENY
    assert evaluate([document(others)], Question("aps:RemoteWrite", WORKSPACE + "2")) is Decision.ALLOW


def condition(decision: Decision, element: Json, **context: tuple[str, ...]) -> None:
    question = Question(
        WRITE.action, WRITE.resource, context={name.replace("_", ":"): v for name, v in context.items()}
    )
    assert evaluate([document(statement(Condition=element))], question) is decision


YES, NO = Decision.ALLOW, Decision.IMPLICIT_DENY


@pytest.mark.parametrize(
    ("decision", "operator", "expected", "actual"),
    [
        (YES, "StringEquals", "a", ("a",)),
        (NO, "StringEquals", "A", ("a",)),
        (NO, "StringEquals", "a*", ("ab",)),
        (NO, "StringEquals", "a", ()),
        (YES, "stringequals", "a", ("a",)),
        (YES, "StringEquals", ["b", "a"], ("a",)),
        (YES, "StringNotEquals", "b", ("a",)),
        (NO, "StringNotEquals", ["b", "a"], ("a",)),
        (YES, "StringNotEquals", "a", ()),
        (YES, "StringEqualsIgnoreCase", "A", ("a",)),
        (YES, "StringLike", "system:*:prometheus-s?", ("system:x:prometheus-sa",)),
        (NO, "StringLike", "System:*", ("system:x",)),
        (YES, "StringNotLike", "b*", ("ab",)),
        (YES, "StringEqualsIfExists", "a", ()),
        (NO, "StringEqualsIfExists", "a", ("b",)),
        (YES, "ForAnyValue:StringEquals", ["a", "b"], ("x", "b")),
        (NO, "ForAnyValue:StringEquals", ["a"], ("x", "y")),
        (NO, "ForAnyValue:StringEquals", ["a"], ()),
        (NO, "ForAnyValue:StringNotEquals", ["a"], ()),
        (YES, "ForAllValues:StringEquals", ["a", "b"], ("a", "b", "a")),
        (NO, "ForAllValues:StringEquals", ["a"], ("a", "b")),
        (YES, "ForAllValues:StringEquals", ["a"], ()),
        (YES, "ArnLike", "arn:aws:iam::*:role/x*", ("arn:aws:iam::1:role/xy",)),
        (NO, "ArnEquals", "arn:aws:iam::1:role/x", ("arn:aws:iam::1:role/xy",)),
        (YES, "ArnNotLike", "arn:aws:iam::2:*", ("arn:aws:iam::1:role/xy",)),
        (YES, "Bool", "true", ("true",)),
        (YES, "Bool", True, ("true",)),
        (NO, "Bool", False, ("true",)),
        (YES, "Null", "true", ()),
        (NO, "Null", "true", ("a",)),
        (YES, "Null", "false", ("a",)),
        (YES, "NumericLessThan", "10", ("9.5",)),
        (NO, "NumericLessThanEquals", "10", ("11",)),
        (YES, "NumericNotEquals", "10", ("11",)),
        (NO, "NumericEquals", "10", ("ten",)),
        (YES, "DateGreaterThan", "2026-01-01T00:00:00Z", ("1790000000",)),
        (NO, "DateLessThan", "2026-01-01T00:00:00Z", ("2026-06-01T00:00:00+00:00",)),
        (NO, "DateEquals", "yesterday", ("2026-06-01",)),
        (YES, "IpAddress", "10.0.0.0/8", ("10.1.2.3",)),
        (NO, "NotIpAddress", "10.0.0.0/8", ("10.1.2.3",)),
        (NO, "IpAddress", "10.0.0.0/8", ("nowhere",)),
        (NO, "StringResembles", "a", ("a",)),
    ],
)
def test_condition_operators(decision: Decision, operator: str, expected: t.Any, actual: tuple[str, ...]) -> None:
    condition(decision, {operator: {"Some:Key": expected}}, some_key=actual)


def test_all_conditions_of_a_statement_must_hold() -> None:
    both = {"StringEquals": {"a:1": "x", "a:2": "y"}, "StringLike": {"a:1": "x*"}}
    condition(YES, both, a_1=("x",), a_2=("y",))
    condition(NO, both, a_1=("x",), a_2=("z",))
    condition(NO, both, a_1=("x",))


def test_variables_are_replaced_in_policies_of_the_current_version_only() -> None:
    own = statement(Resource="arn:aws:aps:eu-central-1:123456789012:workspace/${aws:userid}")
    question = Question(WRITE.action, WORKSPACE, context={"aws:userid": ("ws-1",)})
    assert evaluate([document(own)], question) is Decision.ALLOW
    assert evaluate([document(own)], WRITE) is Decision.IMPLICIT_DENY  # the variable has no value
    assert evaluate([document(own, version="2008-10-17")], question) is Decision.IMPLICIT_DENY
    literal = statement(Resource="arn:aws:aps:eu-central-1:123456789012:workspace/${*}")
    assert evaluate([document(literal)], WRITE) is Decision.IMPLICIT_DENY
    assert evaluate([document(literal)], Question(WRITE.action, WORKSPACE[:-4] + "*")) is Decision.ALLOW


def test_a_variable_without_value_is_not_the_empty_text() -> None:
    appended = statement(Resource=WORKSPACE + "${aws:userid}")
    assert evaluate([document(appended)], WRITE) is Decision.IMPLICIT_DENY
    compared = statement(Condition={"StringEquals": {"k:v": "x${aws:userid}"}})
    assert evaluate([document(compared)], Question(WRITE.action, WORKSPACE, context={"k:v": ("x",)})) is (
        Decision.IMPLICIT_DENY
    )


def test_a_variables_value_is_no_pattern() -> None:
    own = statement(Condition={"StringLike": {"k:v": "${aws:userid}"}})
    context = {"aws:userid": ("*",), "k:v": ("anything",)}
    assert evaluate([document(own)], Question(WRITE.action, WORKSPACE, context=context)) is Decision.IMPLICIT_DENY


STATEMENTS = st.builds(
    statement,
    st.sampled_from(["Allow", "Deny"]),
    Action=st.sampled_from(["aps:*", "aps:RemoteWrite", "iam:GetRole"]),
    Resource=st.sampled_from(["*", WORKSPACE, "arn:aws:s3:::x"]),
)


@given(st.lists(st.lists(STATEMENTS, max_size=4), max_size=3), st.data())
def test_an_explicit_deny_wins_wherever_it_stands(policies: list[list[Json]], data: st.DataObject) -> None:
    documents = [document(*statements) for statements in policies]
    denying = [*documents, document(statement("Deny"))]
    assert evaluate(data.draw(st.permutations(denying)), WRITE) is Decision.DENY


@given(st.lists(STATEMENTS, max_size=6))
def test_order_and_grouping_of_statements_do_not_matter(statements: list[Json]) -> None:
    together = evaluate([document(*statements)], WRITE)
    apart = evaluate([document(single) for single in reversed(statements)], WRITE)
    assert together is apart


@given(st.lists(STATEMENTS, max_size=6), STATEMENTS.filter(lambda drawn: drawn["Effect"] == "Allow"))
def test_a_further_allow_never_takes_a_right_away(statements: list[Json], further: Json) -> None:
    if evaluate([document(*statements)], WRITE) is Decision.ALLOW:
        assert evaluate([document(*statements, further)], WRITE) is Decision.ALLOW


@given(st.text("ab*?.", max_size=8), st.text("ab.", max_size=8))
def test_patterns_are_those_of_the_shell_without_brackets(pattern: str, value: str) -> None:
    assert matches(pattern, value, None) == fnmatch.fnmatchcase(value, pattern)


@given(st.text(st.characters(exclude_characters="*?$"), max_size=20))
def test_a_text_without_wildcards_matches_itself_only(text: str) -> None:
    assert matches(text, text, None)
    assert not matches(text, text + "x", None)


def test_the_star_alone_matches_what_is_no_arn() -> None:
    assert arn_matches("*", "anything", None)
    assert arn_matches("any*", "anything", None)


PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example/"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/hub"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/hub/s"
WEB = Question("sts:AssumeRoleWithWebIdentity", principal=Principal(ACCOUNT, federated=PROVIDER))
CHAIN = Question("sts:AssumeRole", principal=Principal(ACCOUNT, arns=frozenset({ROLE, SESSION})))


def trusting(principal: t.Any, action: str = "sts:AssumeRole", **elements: t.Any) -> Json:
    return document({"Effect": "Allow", "Principal": principal, "Action": action, **elements})


@pytest.mark.parametrize(
    ("principal", "decision"),
    [
        ({"Federated": PROVIDER}, Decision.ALLOW),
        ({"Federated": ["accounts.google.com", PROVIDER]}, Decision.ALLOW),
        ("*", Decision.ALLOW),
        ({"Federated": PROVIDER.rstrip("/")}, Decision.IMPLICIT_DENY),
        ({"Federated": PROVIDER.upper()}, Decision.IMPLICIT_DENY),
        ({"AWS": PROVIDER}, Decision.IMPLICIT_DENY),
        ({"AWS": ACCOUNT}, Decision.IMPLICIT_DENY),
    ],
)
def test_a_federated_principal_is_named_by_its_providers_exact_arn(principal: t.Any, decision: Decision) -> None:
    trust = evaluate_trust(trusting(principal, "sts:AssumeRoleWithWebIdentity"), WEB)
    assert trust.decision is decision


@pytest.mark.parametrize(
    ("principal", "decision", "direct"),
    [
        ({"AWS": ROLE}, Decision.ALLOW, True),
        ({"AWS": SESSION}, Decision.ALLOW, True),
        ({"AWS": ACCOUNT}, Decision.ALLOW, False),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, Decision.ALLOW, False),
        ({"AWS": "*"}, Decision.ALLOW, False),
        ({"AWS": "210987654321"}, Decision.IMPLICIT_DENY, False),
        ({"AWS": ROLE + "2"}, Decision.IMPLICIT_DENY, False),
        ({"Service": "ec2.amazonaws.com"}, Decision.IMPLICIT_DENY, False),
        ({"Federated": PROVIDER}, Decision.IMPLICIT_DENY, False),
    ],
)
def test_naming_the_account_leaves_the_decision_to_the_callers_policies(
    principal: t.Any, decision: Decision, direct: bool
) -> None:
    trust = evaluate_trust(trusting(principal), CHAIN)
    assert (trust.decision, trust.direct) == (decision, direct)


def test_a_deny_in_a_trust_policy_wins() -> None:
    policy = trusting({"AWS": ROLE})
    policy["Statement"].append({"Effect": "Deny", "Principal": {"AWS": ACCOUNT}, "Action": "sts:*"})
    trust = evaluate_trust(policy, CHAIN)
    assert (trust.decision, trust.direct) == (Decision.DENY, False)


def test_not_principal_is_everybody_else() -> None:
    policy = document({"Effect": "Deny", "NotPrincipal": {"AWS": ROLE}, "Action": "sts:AssumeRole"})
    assert evaluate_trust(policy, CHAIN).decision is Decision.IMPLICIT_DENY
    other = Question("sts:AssumeRole", principal=Principal(ACCOUNT, arns=frozenset({ROLE + "2"})))
    assert evaluate_trust(policy, other).decision is Decision.DENY


def test_a_trust_policy_is_about_a_principal() -> None:
    with pytest.raises(ValueError, match="asked about a principal"):
        evaluate_trust(trusting("*"), WRITE)
