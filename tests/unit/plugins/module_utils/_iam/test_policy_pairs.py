# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of policies that mean the same or do not, and an evaluator that must agree wherever two are called equal."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy

Json = dict[str, t.Any]

HOST = "westeurope.oic.prod-aks.azure.com/t/g/"
PROVIDER = f"arn:aws:iam::123456789012:oidc-provider/{HOST}"
AUD, SUB = f"{HOST}:aud", f"{HOST}:sub"
ROOT = "arn:aws:iam::123456789012:root"


def s(**changes: t.Any) -> Json:
    """A statement; a change to None leaves an element out."""
    statement = {"Effect": "Allow", "Action": "a:B", "Resource": "r", **changes}
    return {name: value for name, value in statement.items() if value is not None}


def trust(*conditions: Json, **changes: t.Any) -> list[Json]:
    """A statement of a trust policy for each of the conditions."""
    return [
        s(
            Principal={"Federated": PROVIDER},
            Action="sts:AssumeRoleWithWebIdentity",
            Resource=None,
            Condition=condition,
            **changes,
        )
        for condition in conditions
    ]


def when(operator: str, *listed: t.Any, key: str = "k") -> Json:
    """A statement with one condition."""
    return s(Condition={operator: {key: listed[0] if len(listed) == 1 else list(listed)}})


def d(*statements: Json, **changes: t.Any) -> Json:
    document = {"Version": "2012-10-17", "Statement": list(statements), **changes}
    return {name: value for name, value in document.items() if value is not None}


EXACT = {"StringEquals": {AUD: "sts.amazonaws.com", SUB: "system:serviceaccount:m:p"}}

EQUAL: dict[str, tuple[Json, Json]] = {
    "action: scalar and list": (d(s()), d(s(Action=["a:B"]))),
    "action: order": (d(s(Action=["a:B", "a:C"])), d(s(Action=["a:C", "a:B"]))),
    "action: case of the service": (d(s()), d(s(Action="A:B"))),
    "action: case of the name": (d(s()), d(s(Action="a:b"))),
    "action: twice": (d(s()), d(s(Action=["a:B", "a:B"]))),
    "action: twice in another case": (d(s()), d(s(Action=["a:B", "A:b"]))),
    "action: wildcards in another case": (d(s(Action="aps:Get*")), d(s(Action="APS:get*"))),
    "action: split": (d(s(Action=["a:B", "a:C"])), d(s(), s(Action="a:C"))),
    "action: overlapping split": (d(s(Action=["a:B", "a:C"])), d(s(Action=["a:B", "a:C"]), s(Action="a:C"))),
    "not action: case and order": (
        d(s(Action=None, NotAction=["a:B", "a:C"])),
        d(s(Action=None, NotAction=["A:c", "a:b"])),
    ),
    "resource: scalar and list": (d(s()), d(s(Resource=["r"]))),
    "resource: order": (d(s(Resource=["q", "r"])), d(s(Resource=["r", "q"]))),
    "resource: split": (d(s(Resource=["q", "r"])), d(s(Resource="q"), s())),
    "resource and action: split crosswise": (
        d(s(Action=["a:B", "a:C"], Resource=["q", "r"])),
        d(s(Action="a:B", Resource=["q", "r"]), s(Action="a:C", Resource="q"), s(Action="a:C")),
    ),
    "statement: scalar and list": (d(s()), d(Statement=s())),
    "statement: order": (d(s(), s(Effect="Deny")), d(s(Effect="Deny"), s())),
    "statement: twice": (d(s()), d(s(), s())),
    "statement: label": (d(s()), d(s(Sid="Write"))),
    "statement: another label": (d(s(Sid="a")), d(s(Sid="b"))),
    "statement: twice under two labels": (d(s()), d(s(Sid="a"), s(Sid="b"))),
    "statement: beside one with a condition": (d(s()), d(s(), when("StringEquals", "v"))),
    "statement: beside one with more conditions": (
        d(when("StringEquals", "v")),
        d(s(Condition={"StringEquals": {"k": "v", "l": "w"}}), when("StringEquals", "v")),
    ),
    "document: label": (d(s()), d(s(), Id="x")),
    "document: missing version": (d(s(), Version=None), d(s(), Version="2008-10-17")),
    "document: empty list and no statement": (d(), d(Statement=None)),
    "principal: scalar and list": (d(s(Principal={"AWS": ROOT})), d(s(Principal={"AWS": [ROOT]}))),
    "principal: account and root": (d(s(Principal={"AWS": "123456789012"})), d(s(Principal={"AWS": ROOT}))),
    "principal: root of another partition": (
        d(s(Principal={"AWS": "123456789012"})),
        d(s(Principal={"AWS": "arn:aws-us-gov:iam::123456789012:root"})),
    ),
    "principal: everybody": (d(s(Principal="*")), d(s(Principal={"AWS": "*"}))),
    "principal: everybody in a list": (d(s(Principal="*")), d(s(Principal={"AWS": ["*"]}))),
    "principal: split by type": (
        d(s(Principal={"AWS": ROOT, "Service": "x"})),
        d(s(Principal={"Service": "x"}), s(Principal={"AWS": ROOT})),
    ),
    "principal: split by value": (
        d(s(Principal={"AWS": ["1", "2"]})),
        d(s(Principal={"AWS": "2"}), s(Principal={"AWS": "1"})),
    ),
    "condition: case of the operator": (d(when("StringEquals", "v")), d(when("stringequals", "v"))),
    "condition: case of the key": (
        d(when("StringEquals", "v", key="aws:SourceArn")),
        d(when("StringEquals", "v", key="AWS:sourcearn")),
    ),
    "condition: case of a qualifier": (
        d(when("ForAnyValue:StringEqualsIfExists", "v")),
        d(when("foranyvalue:stringequalsifexists", "v")),
    ),
    "condition: scalar and list": (d(when("StringEquals", "v")), d(s(Condition={"StringEquals": {"k": ["v"]}}))),
    "condition: order and repetition": (d(when("StringEquals", "v", "w")), d(when("StringEquals", "w", "v", "w"))),
    "condition: order of keys": (
        d(s(Condition={"StringEquals": {"k": "v", "l": "w"}})),
        d(s(Condition={"StringEquals": {"l": "w", "k": "v"}})),
    ),
    "condition: one block and two spellings of its operator": (
        d(s(Condition={"StringEquals": {"k": "v", "l": "w"}})),
        d(s(Condition={"StringEquals": {"k": "v"}, "stringEquals": {"l": "w"}})),
    ),
    "condition: split by value": (
        d(when("StringEquals", "v", "w")),
        d(when("StringEquals", "v"), when("StringEquals", "w")),
    ),
    "condition: split by a pattern": (
        d(when("StringLike", "v*", "w")),
        d(when("StringLike", "w"), when("StringLike", "v*")),
    ),
    "condition: the same twice in one statement": (
        d(when("StringEquals", "v", "w")),
        d(s(Condition={"StringEquals": {"k": ["v", "w"]}, "stringequals": {"K": ["w", "v"]}})),
    ),
    "condition: empty": (d(s()), d(s(Condition={}))),
    "condition: boolean": (d(when("Bool", True)), d(when("Bool", "true"))),
    "condition: case of a boolean": (d(when("Bool", "True")), d(when("Bool", "true"))),
    "condition: null": (d(when("Null", False)), d(when("Null", "FALSE"))),
    "condition: number": (d(when("NumericLessThan", 300)), d(when("NumericLessThan", "300"))),
    "condition: number with a fraction": (d(when("NumericEquals", 300)), d(when("NumericEquals", "300.0"))),
    "condition: case of a value that has none": (
        d(when("StringEqualsIgnoreCase", "Value")),
        d(when("StringEqualsIgnoreCase", "vALUE")),
    ),
    "condition: the two operators for ARNs": (d(when("ArnEquals", "arn:*")), d(when("ArnLike", "arn:*"))),
    "condition: address and its network": (
        d(when("IpAddress", "10.1.2.3")),
        d(when("IpAddress", "10.1.2.3/32")),
    ),
    "condition: spellings of an IPv6 network": (
        d(when("NotIpAddress", "2001:DB8::/32")),
        d(when("NotIpAddress", "2001:0db8:0::/32")),
    ),
    "trust: several subjects and one statement each": (
        d(*trust({"StringEquals": {AUD: "a", SUB: ["x", "y"]}})),
        d(*trust({"StringEquals": {SUB: "y", AUD: ["a"]}}, {"StringEquals": {AUD: "a", SUB: "x"}})),
    ),
    "trust: operators in two blocks": (
        d(*trust(EXACT)),
        d(*trust({"StringEquals": {AUD: "sts.amazonaws.com"}, "stringequals": {SUB: "system:serviceaccount:m:p"}})),
    ),
    "trust: everything at once": (
        d(*trust(EXACT)),
        {
            "Version": "2012-10-17",
            "Id": "trust",
            "Statement": {
                "Sid": "Aks",
                "Effect": "Allow",
                "Principal": {"Federated": [PROVIDER]},
                "Action": ["STS:assumeRoleWithWebIdentity"],
                "Condition": {
                    "STRINGEQUALS": {SUB.upper(): ["system:serviceaccount:m:p"] * 2, AUD: ["sts.amazonaws.com"]}
                },
            },
        },
    ),
}

DIFFERENT: dict[str, tuple[Json, Json]] = {
    "action: another": (d(s()), d(s(Action="a:C"))),
    "action: one more": (d(s()), d(s(Action=["a:B", "a:C"]))),
    "action: wildcard": (d(s()), d(s(Action="a:*"))),
    "action: negated": (d(s()), d(s(Action=None, NotAction="a:B"))),
    "not action: a list does not split": (
        d(s(Action=None, NotAction=["a:B", "a:C"])),
        d(s(Action=None, NotAction="a:B"), s(Action=None, NotAction="a:C")),
    ),
    "resource: case": (d(s()), d(s(Resource="R"))),
    "resource: wildcard": (d(s()), d(s(Resource="*"))),
    "resource: negated": (d(s()), d(s(Resource=None, NotResource="r"))),
    "resource and action: pairs are not products": (
        d(s(Action=["a:B", "a:C"], Resource=["q", "r"])),
        d(s(Action="a:B", Resource="q"), s(Action="a:C", Resource="r")),
    ),
    "effect": (d(s()), d(s(Effect="Deny"))),
    "effect: beside its opposite": (d(s()), d(s(), s(Effect="Deny"))),
    "document: version": (d(s()), d(s(), Version="2008-10-17")),
    "document: missing version is the old one": (d(s()), d(s(), Version=None)),
    "document: nothing": (d(s()), d()),
    "statement: an element nobody knows": (d(s()), d(s(Novelty="x"))),
    "principal: type": (d(s(Principal={"AWS": "x"})), d(s(Principal={"Service": "x"}))),
    "principal: everybody and an account": (d(s(Principal="*")), d(s(Principal={"AWS": ROOT}))),
    "principal: everybody of another type": (d(s(Principal="*")), d(s(Principal={"Federated": "*"}))),
    "principal: another account": (d(s(Principal={"AWS": ROOT})), d(s(Principal={"AWS": "210987654321"}))),
    "principal: negated": (d(s(Principal={"AWS": ROOT})), d(s(NotPrincipal={"AWS": ROOT}))),
    "principal: none": (d(s(Principal="*")), d(s())),
    "principal: slash of a provider": (
        d(*trust(EXACT)),
        d(*[{**trust(EXACT)[0], "Principal": {"Federated": PROVIDER.rstrip("/")}}]),
    ),
    "condition: case of a value": (d(when("StringEquals", "v")), d(when("StringEquals", "V"))),
    "condition: another key": (d(when("StringEquals", "v")), d(when("StringEquals", "v", key="l"))),
    "condition: slash in a key": (
        d(*trust({"StringEquals": {SUB: "x"}})),
        d(*trust({"StringEquals": {f"{HOST}/:sub": "x"}})),
    ),
    "condition: missing": (d(s()), d(when("StringEquals", "v"))),
    "condition: missing audience": (d(*trust(EXACT)), d(*trust({"StringEquals": {SUB: "system:serviceaccount:m:p"}}))),
    "condition: negated": (d(when("StringEquals", "v")), d(when("StringNotEquals", "v"))),
    "condition: pattern": (d(when("StringEquals", "v*")), d(when("StringLike", "v*"))),
    "condition: without case": (d(when("StringEquals", "v")), d(when("StringEqualsIgnoreCase", "v"))),
    "condition: any value": (d(when("StringEquals", "v")), d(when("ForAnyValue:StringEquals", "v"))),
    "condition: all values": (d(when("ForAnyValue:StringEquals", "v")), d(when("ForAllValues:StringEquals", "v"))),
    "condition: if exists": (d(when("StringEquals", "v")), d(when("StringEqualsIfExists", "v"))),
    "condition: a value more": (d(when("StringEquals", "v")), d(when("StringEquals", "v", "w"))),
    "condition: a key more": (d(when("StringEquals", "v")), d(s(Condition={"StringEquals": {"k": "v", "l": "w"}}))),
    "condition: both must hold": (
        d(when("StringEquals", "v", "w")),
        d(s(Condition={"StringEquals": {"k": "v"}, "stringequals": {"k": "w"}})),
    ),
    "condition: a negated list does not split": (
        d(when("StringNotEquals", "v", "w")),
        d(when("StringNotEquals", "v"), when("StringNotEquals", "w")),
    ),
    "condition: all of a list does not split": (
        d(when("ForAllValues:StringEquals", "v", "w")),
        d(when("ForAllValues:StringEquals", "v"), when("ForAllValues:StringEquals", "w")),
    ),
    "condition: keys split crosswise": (
        d(s(Condition={"StringEquals": {"k": ["v", "w"], "l": ["v", "w"]}})),
        d(s(Condition={"StringEquals": {"k": "v", "l": "v"}}), s(Condition={"StringEquals": {"k": "w", "l": "w"}})),
    ),
    "condition: boolean": (d(when("Bool", True)), d(when("Bool", False))),
    "condition: number": (d(when("NumericEquals", 300)), d(when("NumericEquals", 301))),
    "condition: numbers as text are text": (d(when("StringEquals", "300")), d(when("StringEquals", "300.0"))),
    "condition: case of a boolean as text": (d(when("StringEquals", "true")), d(when("StringEquals", "True"))),
    "condition: size of a network": (d(when("IpAddress", "10.0.0.0/8")), d(when("IpAddress", "10.0.0.0/9"))),
    "condition: moved to another statement": (
        d(when("StringEquals", "v"), s(Action="a:C")),
        d(s(), s(Action="a:C", Condition={"StringEquals": {"k": "v"}})),
    ),
    "condition: no value at all": (d(s()), d(s(Condition={"StringEquals": {"k": []}}))),
    "trust: subjects of one statement and audiences of another": (
        d(*trust({"StringEquals": {AUD: "a", SUB: "x"}}, {"StringEquals": {AUD: "b", SUB: "y"}})),
        d(*trust({"StringEquals": {AUD: ["a", "b"], SUB: ["x", "y"]}})),
    ),
}


def test_the_tables_are_as_large_as_promised() -> None:
    assert len(EQUAL) >= 45
    assert len(EQUAL) + len(DIFFERENT) >= 90


@pytest.mark.parametrize("case", EQUAL)
def test_equal(case: str) -> None:
    one, other = EQUAL[case]
    assert policy.equivalent(one, other)
    assert policy.equivalent(other, one)


@pytest.mark.parametrize("case", DIFFERENT)
def test_different(case: str) -> None:
    one, other = DIFFERENT[case]
    assert not policy.equivalent(one, other)
    assert not policy.equivalent(other, one)


# An evaluator of our own over a small universe, written from IAM's reference and sharing nothing with the comparison.
PRINCIPALS = [("AWS", "123456789012"), ("AWS", "2"), ("Federated", "p")]
ACTIONS = ["a:b", "a:c"]
RESOURCES = ["q", "Q"]
CONTEXT_VALUES: list[tuple[str, ...]] = [(), ("v",), ("V",), ("1",), ("v", "w")]
REQUESTS = list(itertools.product(PRINCIPALS, ACTIONS, RESOURCES, CONTEXT_VALUES, CONTEXT_VALUES[:3]))


def as_list(element: t.Any) -> list[t.Any]:
    return element if isinstance(element, list) else [element]


def as_text(value: t.Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def names_principal(element: t.Any, principal: tuple[str, str]) -> bool:
    if element == "*":
        element = {"AWS": "*"}
    kind, account = principal
    wanted = {account, f"arn:aws:iam::{account}:root", "*"} if kind == "AWS" else {account}
    return any(value in wanted for value in as_list(element.get(kind, [])))


def one_holds(base: str, actual: str, expected: str) -> bool:
    if base == "stringequals":
        return actual == expected
    if base == "stringequalsignorecase":
        return actual.lower() == expected.lower()
    if base == "numericequals":
        return actual.isdigit() and expected.replace(".", "").isdigit() and float(actual) == float(expected)
    if base == "bool":
        return actual.lower() == expected.lower()
    raise AssertionError(base)


def condition_holds(operator: str, actual: tuple[str, ...], listed: t.Any) -> bool:
    expected = [as_text(value) for value in as_list(listed)]
    operator = operator.lower()
    every, some = operator.startswith("forallvalues:"), operator.startswith("foranyvalue:")
    optional = operator.endswith("ifexists")
    base = operator.partition(":")[2] if every or some else operator
    base = base.removesuffix("ifexists")
    if base == "null":
        return any((value.lower() == "true") == (not actual) for value in expected)
    negated = base.startswith("stringnot")
    base = base.replace("stringnot", "string")
    if not actual:
        return optional or every or (negated and not some)
    results = [any(one_holds(base, value, wanted) for wanted in expected) != negated for value in actual]
    return all(results) if every else any(results)


def applies(statement: Json, request: tuple[t.Any, ...]) -> bool:
    principal, action, resource, first, second = request
    context = {"k": first, "l": second}
    actions = [value.lower() for value in as_list(statement.get("Action", statement.get("NotAction")))]
    if (action in actions) == ("NotAction" in statement):
        return False
    resources = as_list(statement.get("Resource", statement.get("NotResource")))
    if (resource in resources) == ("NotResource" in statement):
        return False
    if names_principal(statement.get("Principal", statement.get("NotPrincipal")), principal) == (
        "NotPrincipal" in statement
    ):
        return False
    return all(
        condition_holds(operator, context[key.lower()], listed)
        for operator, block in statement.get("Condition", {}).items()
        for key, listed in block.items()
    )


def decisions(document: Json) -> list[str]:
    """The answer to every request of the universe."""
    answers = []
    for request in REQUESTS:
        effects = {entry["Effect"] for entry in as_list(document["Statement"]) if applies(entry, request)}
        answers.append("Deny" if "Deny" in effects else "Allow" if effects else "")
    return answers


def one_or_more(elements: st.SearchStrategy[t.Any]) -> st.SearchStrategy[t.Any]:
    return st.one_of(elements, st.lists(elements, min_size=1, max_size=3))


operators = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "", "ForAnyValue:", "ForAllValues:"]),
        st.sampled_from(["StringEquals", "stringequals", "StringNotEquals", "StringEqualsIgnoreCase", "NumericEquals"]),
        st.sampled_from(["", "", "IfExists"]),
    ),
) | st.sampled_from(["Bool", "Null"])
condition_elements = st.dictionaries(
    operators,
    st.dictionaries(
        st.sampled_from(["k", "K", "l"]),
        one_or_more(st.sampled_from(["v", "V", "w", 1, "1.0", True, "True"])),
        min_size=1,
        max_size=2,
    ),
    max_size=2,
)
principal_elements = st.just("*") | st.dictionaries(
    st.sampled_from(["AWS", "Federated"]),
    one_or_more(st.sampled_from(["123456789012", ROOT, "2", "p", "*"])),
    min_size=1,
    max_size=2,
)
action_elements = one_or_more(st.sampled_from(["a:B", "A:b", "a:C"]))
resource_elements = one_or_more(st.sampled_from(["q", "Q"]))


@st.composite
def small_statements(draw: st.DrawFn) -> Json:
    negate = st.sampled_from(["", "", "", "Not"])
    statement = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        f"{draw(negate)}Principal": draw(principal_elements),
        f"{draw(negate)}Action": draw(action_elements),
        f"{draw(negate)}Resource": draw(resource_elements),
    }
    conditions = draw(condition_elements)
    return {**statement, "Condition": conditions} if conditions else statement


small_documents = st.lists(small_statements(), min_size=1, max_size=3).map(lambda found: d(*found))


@st.composite
def related_documents(draw: st.DrawFn) -> tuple[Json, Json]:
    """A document and one made of its parts: split, merged, repeated or with a value changed."""
    statements = [dict(entry) for entry in draw(small_documents)["Statement"]]
    other = []
    for entry in statements:
        place = draw(st.sampled_from(["Action", "Resource", "NotAction", "Condition", "none", "again"]))
        if place == "again":
            other.append(entry)
        if place in entry and place != "Condition":
            other += [{**entry, place: value} for value in as_list(entry[place])]
        elif place == "Condition" and entry.get("Condition"):
            operator = draw(st.sampled_from(sorted(entry["Condition"])))
            key = draw(st.sampled_from(sorted(entry["Condition"][operator])))
            block = entry["Condition"][operator]
            other += [
                {**entry, "Condition": {**entry["Condition"], operator: {**block, key: value}}}
                for value in as_list(block[key])
            ]
        else:
            other.append(entry)
    return d(*statements), d(*draw(st.permutations(other)))


@settings(deadline=None, max_examples=400)
@given(related_documents())
def test_what_compares_equal_decides_every_request_alike(pair: tuple[Json, Json]) -> None:
    one, other = pair
    if policy.equivalent(one, other):
        assert decisions(one) == decisions(other)
    assert policy.equivalent(one, other) == policy.equivalent(other, one)


@settings(deadline=None, max_examples=300)
@given(st.lists(small_statements(), min_size=2, max_size=2))
def test_no_two_statements_that_decide_differently_compare_equal(pair: list[Json]) -> None:
    one, other = (d(entry) for entry in pair)
    if decisions(one) != decisions(other):
        assert not policy.equivalent(one, other)


@settings(deadline=None)
@given(small_documents)
def test_every_document_is_equal_to_itself_in_any_order_and_twice(document: Json) -> None:
    entries = document["Statement"]
    assert policy.equivalent(document, d(*reversed(entries)))
    assert policy.equivalent(document, d(*entries, *entries))


@settings(deadline=None)
@given(small_documents)
def test_normalising_twice_is_the_same_as_once(document: Json) -> None:
    once = policy.normal_form(document)
    assert policy.equivalent(document, once)
    assert policy.normal_form(once) == once


@settings(deadline=None)
@given(related_documents())
def test_equal_documents_have_one_normal_form(pair: tuple[Json, Json]) -> None:
    one, other = pair
    assert (policy.normal_form(one) == policy.normal_form(other)) == policy.equivalent(one, other)
