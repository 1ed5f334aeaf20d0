# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies are equal when they mean the same, and only then."""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy

Json = dict[str, t.Any]

ISSUER = "westeurope.oic.prod-aks.azure.com/8f1b/4c2d/"
FRESH = "never-generated-Value"


def trust(**changes: t.Any) -> Json:
    statement: Json = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{ISSUER}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                f"{ISSUER}:aud": "sts.amazonaws.com",
                f"{ISSUER}:sub": "system:serviceaccount:monitoring:prometheus-sa",
            }
        },
    }
    return {"Version": "2012-10-17", "Statement": [{**statement, **changes}]}


def access(**changes: t.Any) -> Json:
    statement: Json = {"Effect": "Allow", "Action": ["aps:RemoteWrite"], "Resource": ["arn:aws:aps:*:*:workspace/w"]}
    return {"Version": "2012-10-17", "Statement": [{**statement, **changes}]}


EQUAL = {
    "one value and a list of it": (access(), access(Action="aps:RemoteWrite", Resource="arn:aws:aps:*:*:workspace/w")),
    "one statement and a list of it": (access(), {**access(), "Statement": access()["Statement"][0]}),
    "order of a list": (access(Action=["a:B", "a:C"]), access(Action=["a:C", "a:B"])),
    "repeated value": (access(), access(Action=["aps:RemoteWrite", "aps:RemoteWrite"])),
    "repeated statement": (access(), {**access(), "Statement": access()["Statement"] * 2}),
    "case of an action": (access(), access(Action="APS:remotewrite")),
    "case of an operator": (
        access(Condition={"StringEquals": {"aws:k": "v"}}),
        access(Condition={"stringequals": {"aws:k": "v"}}),
    ),
    "case of a condition key": (
        access(Condition={"StringEquals": {"aws:SourceArn": "v"}}),
        access(Condition={"StringEquals": {"AWS:sourcearn": "v"}}),
    ),
    "boolean and text": (
        access(Condition={"Bool": {"aws:SecureTransport": True}}),
        access(Condition={"Bool": {"aws:SecureTransport": "true"}}),
    ),
    "number and text": (
        access(Condition={"NumericLessThan": {"aws:MultiFactorAuthAge": 300}}),
        access(Condition={"NumericLessThan": {"aws:MultiFactorAuthAge": ["300"]}}),
    ),
    "account and root ARN": (
        trust(Principal={"AWS": "123456789012"}),
        trust(Principal={"AWS": ["arn:aws:iam::123456789012:root"]}),
    ),
    "everybody": (trust(Principal="*"), trust(Principal={"AWS": "*"})),
    "absent version": ({"Statement": []}, {"Version": "2008-10-17", "Statement": []}),
    "labels": (access(), {**access(Sid="Write"), "Id": "x"}),
    "empty condition": (access(), access(Condition={})),
    "split by action": (
        access(Action=["a:B", "a:C"]),
        {**access(), "Statement": [access(Action="a:B")["Statement"][0], access(Action="a:C")["Statement"][0]]},
    ),
    "split by principal type": (
        trust(Principal={"AWS": "1", "Service": "s"}),
        {
            **trust(),
            "Statement": [
                trust(Principal={"Service": "s"})["Statement"][0],
                trust(Principal={"AWS": "1"})["Statement"][0],
            ],
        },
    ),
}

DIFFERENT = {
    "case of a subject": (
        trust(),
        trust(Condition={"StringEquals": {f"{ISSUER}:sub": "system:serviceaccount:Monitoring:prometheus-sa"}}),
    ),
    "missing audience": (
        trust(),
        trust(Condition={"StringEquals": {f"{ISSUER}:sub": "system:serviceaccount:monitoring:prometheus-sa"}}),
    ),
    "doubled slash in a key": (
        trust(Condition={"StringEquals": {f"{ISSUER}:sub": "s"}}),
        trust(Condition={"StringEquals": {f"{ISSUER}/:sub": "s"}}),
    ),
    "StringLike": (
        trust(Condition={"StringEquals": {f"{ISSUER}:sub": "s"}}),
        trust(Condition={"StringLike": {f"{ISSUER}:sub": "s"}}),
    ),
    "two keys that must both hold, and one key with two values": (
        trust(Condition={"StringEquals": {"k": "a"}, "stringequals": {"k": "b"}}),
        trust(Condition={"StringEquals": {"k": ["a", "b"]}}),
    ),
    "conditions don't split": (
        trust(Condition={"StringEquals": {"k": ["a", "b"]}}),
        {
            **trust(),
            "Statement": [
                trust(Condition={"StringEquals": {"k": "a"}})["Statement"][0],
                trust(Condition={"StringNotEquals": {"k": "b"}})["Statement"][0],
            ],
        },
    ),
    "slash of a provider": (
        trust(),
        trust(Principal={"Federated": f"arn:aws:iam::123456789012:oidc-provider/{ISSUER.rstrip('/')}"}),
    ),
    "type of a principal": (trust(Principal={"AWS": "x"}), trust(Principal={"Federated": "x"})),
    "NotAction": (access(Action="a:B"), {**access(), "Statement": [{"Effect": "Allow", "NotAction": "a:B"}]}),
    "a negated list doesn't split": (
        access(NotAction=["a:B", "a:C"]),
        {
            **access(),
            "Statement": [access(NotAction="a:B")["Statement"][0], access(NotAction="a:C")["Statement"][0]],
        },
    ),
    "case of a resource": (access(), access(Resource="arn:aws:aps:*:*:workspace/W")),
    "effect": (access(), access(Effect="Deny")),
    "version": (access(), {**access(), "Version": "2008-10-17"}),
    "an unknown element": (access(), access(Novelty=1)),
    "nothing at all": (access(), {"Version": "2012-10-17", "Statement": []}),
}


@pytest.mark.parametrize("case", EQUAL)
def test_equal_in_meaning(case: str) -> None:
    one, other = EQUAL[case]
    assert policy.equivalent(one, other)
    assert policy.equivalent(other, one)


@pytest.mark.parametrize("case", DIFFERENT)
def test_different_in_meaning(case: str) -> None:
    one, other = DIFFERENT[case]
    assert not policy.equivalent(one, other)
    assert not policy.equivalent(other, one)


def test_size_leaves_white_space_out() -> None:
    assert policy.size({"Sid": "a b\n"}) == len('{"Sid":"ab\\n"}')


def test_size_is_that_of_the_sent_form() -> None:
    # The arithmetic behind "one role per cluster": three clusters fit into 2048 characters, four do not.
    assert policy.size(trust()) == len(policy.compact(trust()))
    assert " " not in policy.compact(trust())


# Generated policies: every list has at least one value, and no value contains FRESH.
words = st.text("abcXYZ019-", min_size=1, max_size=6)
actions = st.builds("{}:{}".format, words, words)
principal_values = st.one_of(st.just("123456789012"), st.just("*"), words)


def lists(elements: st.SearchStrategy[t.Any]) -> st.SearchStrategy[list[t.Any]]:
    return st.lists(elements, min_size=1, max_size=3)


principal_blocks = st.dictionaries(
    st.sampled_from(["AWS", "Federated", "Service"]), lists(principal_values), min_size=1, max_size=2
)
condition_blocks = st.dictionaries(
    st.sampled_from(["StringEquals", "StringLike", "Bool", "NumericLessThan"]),
    st.dictionaries(
        st.sampled_from(["aws:SourceArn", "host/path/:sub", "host/path/:aud"]),
        lists(st.one_of(words, st.booleans(), st.integers(0, 99))),
        min_size=1,
    ),
    max_size=2,
)
policy_statements = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Principal": principal_blocks,
        "Action": lists(actions),
        "Resource": lists(words),
        "Condition": condition_blocks,
    }
)
documents: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {
        "Version": st.sampled_from(["2008-10-17", "2012-10-17"]),
        "Statement": st.lists(policy_statements, min_size=1, max_size=3),
    }
)


def rewritten_list(draw: st.DrawFn, listed: list[t.Any]) -> t.Any:
    """The same values shuffled, some repeated, as text, or as a scalar."""
    repeated = listed + draw(st.lists(st.sampled_from(listed), max_size=2))
    shuffled = [
        str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else value
        for value in draw(st.permutations(repeated))
    ]
    return shuffled[0] if len(set(shuffled)) == 1 and draw(st.booleans()) else shuffled


def rewritten_case(draw: st.DrawFn, name: str) -> str:
    return draw(st.sampled_from([name, name.lower(), name.upper()]))


def rewritten_statement(draw: st.DrawFn, statement: Json) -> Json:
    root = {"123456789012": "arn:aws:iam::123456789012:root"}
    return {
        "Sid": draw(words),
        "Effect": statement["Effect"],
        "Principal": {
            kind: rewritten_list(draw, [root.get(value, value) if draw(st.booleans()) else value for value in listed])
            for kind, listed in statement["Principal"].items()
        },
        "Action": [rewritten_case(draw, action) for action in draw(st.permutations(statement["Action"]))],
        "Resource": rewritten_list(draw, statement["Resource"]),
        "Condition": {
            rewritten_case(draw, operator): {
                rewritten_case(draw, key): rewritten_list(draw, listed) for key, listed in block.items()
            }
            for operator, block in statement["Condition"].items()
        },
    }


@st.composite
def equivalent_pairs(draw: st.DrawFn) -> tuple[Json, Json]:
    """A policy and a rewriting of it that keeps its meaning."""
    document = draw(documents)
    rewritten = [rewritten_statement(draw, statement) for statement in document["Statement"]]
    rewritten = list(draw(st.permutations(rewritten + draw(st.lists(st.sampled_from(rewritten), max_size=1)))))
    other: Json = {"Statement": rewritten[0] if len(rewritten) == 1 else rewritten}
    if document["Version"] != policy.DEFAULT_VERSION or draw(st.booleans()):
        other["Version"] = document["Version"]
    return document, other


@settings(deadline=None)
@given(equivalent_pairs())
def test_rewriting_keeps_the_meaning(pair: tuple[Json, Json]) -> None:
    one, other = pair
    assert policy.equivalent(one, other)
    assert policy.equivalent(other, one)


@st.composite
def changed_pairs(draw: st.DrawFn) -> tuple[Json, Json]:
    """A policy of one statement and a copy in which exactly one value is another."""
    document = draw(documents)
    document = {**document, "Statement": document["Statement"][:1]}  # another one may say the same with less
    changed = copy.deepcopy(document)
    statement = draw(st.sampled_from(changed["Statement"]))
    places: list[tuple[t.Any, t.Any]] = [(statement["Action"], 0), (statement["Resource"], 0)]
    places += [(listed, 0) for listed in statement["Principal"].values()]
    places += [(listed, 0) for block in statement["Condition"].values() for listed in block.values()]
    holder, key = draw(st.sampled_from(places))
    holder[key] = FRESH
    return document, changed


@settings(deadline=None)
@given(changed_pairs())
def test_another_value_changes_the_meaning(pair: tuple[Json, Json]) -> None:
    first, second = pair
    assert not policy.equivalent(first, second)


@settings(deadline=None)
@given(documents, st.sampled_from(["Effect", "Version", "operator", "key"]))
def test_another_name_changes_the_meaning(document: Json, place: str) -> None:
    document = {**document, "Statement": document["Statement"][:1]}
    changed = copy.deepcopy(document)
    statement = changed["Statement"][0]
    if place == "Effect":
        statement["Effect"] = "Deny" if statement["Effect"] == "Allow" else "Allow"
    elif place == "Version":
        changed["Version"] = "2012-10-17" if changed["Version"] == "2008-10-17" else "2008-10-17"
    elif place == "operator":
        statement["Condition"]["Null"] = {"aws:k": ["true"]}
    else:
        statement["Condition"].setdefault("StringEquals", {})[FRESH] = ["v"]
    assert not policy.equivalent(document, changed)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"Statement": {"Effect": "Allow", "Action": "s:A", "Resource": "*"}},
        {"Statement": [{"Effect": "Allow", "Principal": {"AWS": ["a", "b"]}, "Condition": {"Bool": {"k": False}}}]},
    ],
)
def test_what_has_the_form_of_a_document(value: object) -> None:
    assert policy.is_document(value)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"Statement": "Allow"},
        {"Statement": ["Allow"]},
        {"Statement": [{"Effect": ["Allow"]}]},
        {"Statement": [{"Action": {"s": "A"}}]},
        {"Statement": [{"Principal": {"AWS": None}}]},
        {"Statement": [{"Condition": ["Bool"]}]},
        {"Statement": [{"Condition": {"Bool": "yes"}}]},
        {"Statement": [{"Condition": {"Bool": {"k": {"a": 1}}}}]},
    ],
)
def test_what_has_not_the_form_of_a_document(value: object) -> None:
    assert not policy.is_document(value)
