# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A statement put into a trust policy, and what stays of the policy."""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    KNOWN_AFTER_APPLY,
    AwsAccount,
    Issuer,
    ServiceAccount,
    WebIdentityTrust,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy, trust_merge

Json = dict[str, t.Any]

HOST = "westeurope.oic.prod-aks.azure.com"
PATH = "72f988bf-86f1-41af-91ab-2d7cd011db47/9d1f0c64-77a3-4c4f-8f0b-5b6e3f2a8c02/"
ISSUER = f"{HOST}/{PATH}"
ACCOUNT = AwsAccount("aws", "123456789012")
PROMETHEUS = ServiceAccount("monitoring", "prometheus-sa")
TRUST = WebIdentityTrust(Issuer.parse(f"https://{ISSUER}"), "sts.amazonaws.com", (PROMETHEUS,), ACCOUNT)
PREFIX = "arn:aws:iam::123456789012:oidc-provider/"
EKS = "oidc.eks.eu-west-1.amazonaws.com/id/ABC"


def statement(arn: str = PREFIX + ISSUER, **changes: t.Any) -> Json:
    """A correct statement of ours, written by hand, with changes."""
    return {
        "Effect": "Allow",
        "Principal": {"Federated": arn},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {
                f"{ISSUER}:aud": "sts.amazonaws.com",
                f"{ISSUER}:sub": "system:serviceaccount:monitoring:prometheus-sa",
            }
        },
        **changes,
    }


def equals(**keys: t.Any) -> Json:
    """A condition block whose keys are given by claim, spelled rightly."""
    return {"StringEquals": {f"{ISSUER}:{claim}": value for claim, value in keys.items()}}


def document(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}


SUBJECT = "system:serviceaccount:monitoring:prometheus-sa"
FOREIGN: list[Json] = [
    {"Sid": "Ec2", "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
    {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::123456789012:root"]}, "Action": ["sts:AssumeRole"]},
    {
        "Effect": "Allow",
        "Principal": {"Federated": f"{PREFIX}{EKS}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringLike": {f"{EKS}:sub": "system:serviceaccount:*:x"}},
    },
    {  # another cluster's, on the same host
        "Effect": "Allow",
        "Principal": {"Federated": f"{PREFIX}{HOST}/other/guid/"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{HOST}/other/guid/:aud": "sts.amazonaws.com"}},
    },
    {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Condition": {"Bool": {"aws:x": "false"}}},
]


def test_a_new_role_trusts_by_one_statement() -> None:
    assert trust_merge.new_document(TRUST) == document(statement())


@pytest.mark.parametrize(
    "present",
    [
        statement(),
        statement(Sid="AksPrometheus"),
        statement(Action=["STS:assumerolewithwebidentity"], Principal={"Federated": [PREFIX + ISSUER]}),
        statement(
            Condition={"stringEquals": {f"{ISSUER.upper()}:SUB": [SUBJECT], f"{ISSUER}:aud": "sts.amazonaws.com"}}
        ),
    ],
)
def test_the_same_in_other_words_is_left_alone(present: Json) -> None:
    before = {"Statement": present}
    merged = trust_merge.merge(before, TRUST)
    assert not merged.changed
    assert merged.document is before


def test_foreign_statements_stay_and_ours_comes_last() -> None:
    merged = trust_merge.merge(document(*FOREIGN), TRUST)
    assert merged.added
    assert merged.document == document(*FOREIGN, statement())


def test_a_single_foreign_statement_without_a_list_stays() -> None:
    merged = trust_merge.merge({"Statement": FOREIGN[0]}, TRUST)
    assert merged.document == {"Statement": [FOREIGN[0], statement()]}  # no version before, none afterwards


REPAIRED = {
    "missing audience": (statement(Condition=equals(sub=SUBJECT)), "there is no condition on the audience"),
    "doubled slash": (
        statement(Condition={"StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}/:sub": SUBJECT}}),
        f"the condition key {ISSUER}/:sub never matches, {ISSUER}:sub does",
    ),
    "no slash in the key": (
        statement(
            Condition={"StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER.rstrip('/')}:sub": SUBJECT}}
        ),
        "never matches",
    ),
    "scheme in the key": (
        statement(Condition={"StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com", f"https://{ISSUER}:sub": SUBJECT}}),
        "never matches",
    ),
    "no condition": (statement(Condition={}), "every service account is trusted"),
    "another audience": (
        statement(Condition=equals(sub=SUBJECT, aud="api://AzureADTokenExchange")),
        "the audience is api://AzureADTokenExchange, not sts.amazonaws.com",
    ),
    "wildcard": (
        statement(
            Condition={
                "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"},
                "StringLike": {f"{ISSUER}:sub": "system:serviceaccount:*:prometheus-sa"},
            }
        ),
        "system:serviceaccount:*:prometheus-sa is no longer trusted",
    ),
    "one more service account": (
        statement(Condition=equals(aud="sts.amazonaws.com", sub=[SUBJECT, "system:serviceaccount:kube-system:x"])),
        "system:serviceaccount:kube-system:x is no longer trusted",
    ),
    "another service account": (
        statement(Condition=equals(aud="sts.amazonaws.com", sub="system:serviceaccount:monitoring:x")),
        f"{SUBJECT} is trusted from now on",
    ),
    "another condition": (
        statement(
            Condition={**equals(aud="sts.amazonaws.com", sub=SUBJECT), "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
        ),
        "IpAddress on aws:SourceIp",
    ),
    "one more action": (
        statement(Action=["sts:AssumeRoleWithWebIdentity", "sts:TagSession"]),
        "sts:TagSession is not needed",
    ),
    "any action": (statement(Action="sts:*"), "sts:* is not needed"),
    "provider without its slash": (statement(PREFIX + ISSUER.rstrip("/")), "is not the issuer's"),
    "provider with a doubled slash": (statement(f"{PREFIX}{ISSUER}/"), "is not the issuer's"),
    "provider with a doubled slash inside": (statement(f"{PREFIX}{HOST}//{PATH}"), "is not the issuer's"),
    "provider with the scheme": (statement(f"{PREFIX}https://{ISSUER}"), "is not the issuer's"),
    "provider in capitals": (statement(PREFIX + ISSUER.upper()), "is not the issuer's"),
    "provider by host only": (statement(PREFIX + HOST), "is not the issuer's"),
    "provider by path only": (statement(PREFIX + PATH), "is not the issuer's"),
}


@pytest.mark.parametrize("case", REPAIRED)
def test_what_is_wrong_is_replaced_in_its_place_and_said(case: str) -> None:
    present, reason = REPAIRED[case]
    merged = trust_merge.merge(document(FOREIGN[0], present, FOREIGN[1]), TRUST)
    assert merged.document == document(FOREIGN[0], statement(), FOREIGN[1])
    assert not merged.added
    assert reason in "; ".join(merged.reasons)
    assert not trust_merge.merge(merged.document, TRUST).changed


def test_the_label_of_a_replaced_statement_stays() -> None:
    merged = trust_merge.merge(document(statement(Sid="Aks", Condition={})), TRUST)
    assert merged.document == document(statement(Sid="Aks"))


def test_several_statements_of_ours_become_one() -> None:
    other = statement(Condition=equals(aud="sts.amazonaws.com", sub="system:serviceaccount:a:b"))
    merged = trust_merge.merge(document(statement(), FOREIGN[0], other), TRUST)
    assert merged.document == document(statement(), FOREIGN[0])


def test_a_repetition_in_other_words_is_no_change() -> None:
    assert not trust_merge.merge(document(statement(), statement(Sid="Again")), TRUST).changed


def test_another_principal_of_the_same_statement_keeps_its_half() -> None:
    condition = {"StringEquals": {f"{EKS}:aud": "sts.amazonaws.com"}}
    mixed = statement(
        Sid="Both", Principal={"Federated": [PREFIX + EKS, PREFIX + ISSUER], "AWS": "x"}, Condition=condition
    )
    merged = trust_merge.merge(document(mixed), TRUST)
    kept = {**mixed, "Principal": {"AWS": "x", "Federated": [PREFIX + EKS]}}
    assert merged.document == document(kept, statement())


def test_host_only_is_not_ours_when_its_conditions_name_another_issuer() -> None:
    foreign = statement(PREFIX + HOST, Condition={"StringEquals": {f"{HOST}/other/guid/:sub": SUBJECT}})
    assert trust_merge.merge(document(foreign), TRUST).document == document(foreign, statement())


def test_another_account_s_provider_is_not_ours() -> None:
    foreign = statement(PREFIX.replace("123456789012", "210987654321") + ISSUER)
    assert trust_merge.merge(document(foreign), TRUST).document == document(foreign, statement())


def test_an_action_that_is_not_the_exchange_is_not_ours() -> None:
    foreign = statement(Action="sts:TagSession")
    assert trust_merge.merge(document(foreign), TRUST).document == document(foreign, statement())


def test_a_deny_stays_and_is_warned_of() -> None:
    deny = statement(Effect="Deny")
    merged = trust_merge.merge(document(deny), TRUST)
    assert merged.document == document(deny, statement())
    assert "wins over every Allow" in merged.warnings[0]


def test_an_unknown_issuer_adds_a_statement_of_placeholders() -> None:
    trust = WebIdentityTrust(Issuer.parse(KNOWN_AFTER_APPLY), "sts.amazonaws.com", (PROMETHEUS,), ACCOUNT)
    merged = trust_merge.merge(document(statement(PREFIX + HOST)), trust)
    assert merged.added
    assert merged.document["Statement"][0] == statement(PREFIX + HOST)
    assert merged.document["Statement"][1]["Principal"] == {"Federated": PREFIX + KNOWN_AFTER_APPLY}


wrong_statements = st.sampled_from([present for present, _unused in REPAIRED.values()])


@given(st.lists(st.one_of(st.sampled_from(FOREIGN), wrong_statements, st.just(statement())), max_size=5))
def test_merging_is_final_and_touches_nothing_foreign(statements: list[Json]) -> None:
    before = document(*statements)
    untouched = copy.deepcopy(before)
    merged = trust_merge.merge(before, TRUST)
    after = policy.statements(merged.document)
    assert before == untouched
    assert [entry for entry in after if entry in FOREIGN] == [entry for entry in statements if entry in FOREIGN]
    ours = [entry for entry in after if entry not in FOREIGN]
    assert policy.equivalent_statements(ours, [TRUST.statement()])
    assert not trust_merge.merge(merged.document, TRUST).changed


def test_removal_takes_what_is_the_issuers_and_nothing_else() -> None:
    mixed = statement(Principal={"Federated": [PREFIX + EKS, PREFIX + ISSUER]})
    removed = trust_merge.remove(document(FOREIGN[0], statement(), mixed, FOREIGN[3]), TRUST)
    kept = {**mixed, "Principal": {"Federated": [PREFIX + EKS]}}
    assert removed == document(FOREIGN[0], kept, FOREIGN[3])


def test_removal_of_nothing_is_the_same_document() -> None:
    present = document(*FOREIGN)
    assert trust_merge.remove(present, TRUST) is present
    unknown = WebIdentityTrust(Issuer.parse(KNOWN_AFTER_APPLY), "sts.amazonaws.com", (), ACCOUNT)
    present = document(statement())
    assert trust_merge.remove(present, unknown) is present


@given(st.lists(st.one_of(st.sampled_from(FOREIGN), wrong_statements, st.just(statement())), max_size=5))
def test_what_was_put_in_comes_out_again(statements: list[Json]) -> None:
    merged = trust_merge.merge(document(*statements), TRUST)
    removed = trust_merge.remove(merged.document, TRUST)
    assert removed["Statement"] == [entry for entry in statements if entry in FOREIGN]
    assert trust_merge.remove(removed, TRUST) is removed


@pytest.mark.parametrize(
    "present",
    [
        statement(),
        statement(Sid="Aks"),
        statement(Action=["STS:AssumeRoleWithWebIdentity"]),
        statement(Condition=equals(aud="x", sub=[SUBJECT, "system:serviceaccount:a:b"])),
    ],
)
def test_a_statement_in_the_written_form_tells_its_issuer(present: Json) -> None:
    assert trust_merge.written_for(present, ACCOUNT) == TRUST.issuer


@pytest.mark.parametrize(
    "present",
    [
        *FOREIGN[:3],
        *FOREIGN[4:],
        statement(Condition={}),
        statement(Condition=equals(sub=SUBJECT)),
        statement(Condition=equals(aud="sts.amazonaws.com", sub="repo:owner/name:ref")),
        statement(Condition={"StringLike": equals(aud="a", sub=SUBJECT)["StringEquals"]}),
        statement(Effect="Deny"),
        statement(Action="sts:*"),
        statement(PREFIX.replace("123456789012", "210987654321") + ISSUER),
        statement(Principal={"Federated": [PREFIX + ISSUER, PREFIX + EKS]}),
    ],
)
def test_any_other_form_is_not_taken_for_a_written_one(present: Json) -> None:
    assert trust_merge.written_for(present, ACCOUNT) is None


def test_only_written_statements_of_the_named_issuers_are_pruned() -> None:
    loose = statement(Condition={})
    present = document(FOREIGN[0], statement(), loose)
    assert trust_merge.remove_written(present, ACCOUNT, {TRUST.issuer}) == document(FOREIGN[0], loose)
    assert trust_merge.remove_written(present, ACCOUNT, frozenset()) is present


def test_subjects_in_a_statement_each_are_no_drift() -> None:
    accounts = (PROMETHEUS, ServiceAccount("tenant", "agent"))
    trust = WebIdentityTrust(TRUST.issuer, TRUST.audience, accounts, ACCOUNT)
    single = [
        statement(Condition=equals(aud="sts.amazonaws.com", sub=account.subject)) for account in reversed(accounts)
    ]
    assert not trust_merge.merge(document(*single), trust).changed
