# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each planned change gets a name: by what the modules really plan on the sandbox, and by tables for policies."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.difference import clean
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.meaning import drifts_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import RemoteWrite
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_entries import Asked, merge_entries
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import LastChange, Told
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import result_values
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from sandbox.testing import running_sandbox
from tests.faults.modules import CASES, Estate
from tests.unit.plugins.module_utils._prometheus.merging import merge_remote_write

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, t.Any]

pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning")


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    with running_sandbox() as sandbox:
        yield Estate(sandbox)


PLANNED = {
    "aks_oidc_issuer-enable": ["issuer_disabled", "workload_identity_disabled"],
    "aks_oidc_issuer-modify": ["workload_identity_enabled"],
    "aks_oidc_issuer-converged": [],
    "entra_federated_credential-create": [
        "application_missing",
        "service_principal_missing",
        "federated_credential_missing",
    ],
    "entra_federated_credential-modify": ["federated_credential_audience_changed"],
    "iam_oidc_provider_thumbprint-create": ["provider_missing"],
    "iam_oidc_provider_thumbprint-modify": ["client_id_missing", "tags_changed"],
    "iam_web_identity_role-create": ["role_missing", "permission_missing"],
    "iam_web_identity_role-modify": [
        "trust_foreign_subject",
        "trust_subject_missing",
        "session_duration_changed",
        "role_description_changed",
        "tags_changed",
        "permission_too_wide",
    ],
    "federated_service_account-create": ["namespace_missing", "service_account_missing"],
    "federated_service_account-modify": ["service_account_annotation_changed"],
    "prometheus_remote_write-operator-create": [
        "remote_write_missing",
        "pod_service_account_changed",
        "pod_token_missing",
        "pod_environment_changed",
    ],
    "prometheus_remote_write-create": [
        "remote_write_missing",
        "pod_service_account_changed",
        "pod_token_missing",
        "pod_environment_changed",
    ],
}


@pytest.mark.parametrize("name", PLANNED)
def test_what_the_modules_plan_is_named(estate: Estate, name: str) -> None:
    case = next(case for case in CASES if case.name == name)
    case.start(estate)
    found = drifts_of(result_values(case.run(estate, check_mode=True)))
    assert [drift.kind for drift in found] == PLANNED[name]
    for drift in found:
        assert drift.meaning.endswith((".", "/)."))
        assert drift.repair
        assert drift.before != drift.after


ISSUER = "eu.oic.prod-aks.azure.com/t/g/"
PROVIDER = f"arn:aws:iam::123456789012:oidc-provider/{ISSUER}"
SUBJECT = "system:serviceaccount:monitoring:prometheus-sa"


def _policy(operator: str = "StringEquals", provider: str = PROVIDER, **claims: t.Any) -> Json:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": provider},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {operator: {f"{ISSUER}:{claim}": value for claim, value in claims.items()}},
            }
        ],
    }


RIGHT = _policy(aud="sts.amazonaws.com", sub=SUBJECT)


def _trust(before: Json) -> list[str]:
    change = {"action": "update", "kind": "IAM trust policy", "name": "r", "summary": "Correct the statement."}
    found = drifts_of({"changes": [change], "diff": [{"before": before, "after": RIGHT}]})
    assert {drift.severity for drift in found} <= {Severity.HIGH, Severity.MEDIUM}
    return [drift.kind for drift in found]


@pytest.mark.parametrize(
    ("before", "kinds"),
    [
        (_policy(sub=SUBJECT), ["trust_lost_audience"]),
        (_policy(aud="sts.amazonaws.com"), ["trust_lost_subject"]),
        (_policy(), ["trust_lost_audience", "trust_lost_subject"]),
        (_policy(aud="api://AzureADTokenExchange", sub=SUBJECT), ["trust_audience_changed"]),
        (_policy("StringLike", aud="sts.amazonaws.com", sub="system:serviceaccount:*:*"), [
            "trust_audience_changed", "trust_wildcard"
        ]),
        (_policy("ForAnyValue:StringLike", aud="sts.amazonaws.com", sub="system:serviceaccount:other:*"), [
            "trust_audience_changed", "trust_wildcard", "trust_subject_missing"
        ]),
        (_policy(aud="sts.amazonaws.com", sub=[SUBJECT, f"{SUBJECT}-b"]), ["trust_foreign_subject"]),
        (_policy(aud="sts.amazonaws.com", sub=f"{SUBJECT}-b"), ["trust_foreign_subject", "trust_subject_missing"]),
        (_policy(provider=f"{PROVIDER}other", aud="a", sub="b"), ["trust_statement_missing", "trust_foreign_issuer"]),
        ({"Version": "2012-10-17", "Statement": []}, ["trust_statement_missing"]),
        ({**RIGHT, "Version": "2008-10-17"}, ["trust_policy_changed"]),
    ],
)  # fmt: skip
def test_a_trust_policy_is_named_by_what_it_lost(before: Json, kinds: list[str]) -> None:
    assert _trust(before) == kinds


def test_a_permission_that_was_lost_is_told_from_one_that_is_too_wide() -> None:
    def kinds(before: Json, after: Json) -> list[str]:
        change = {"action": "update", "kind": "IAM inline policy", "name": "r/p", "summary": "Allow."}
        return [found.kind for found in drifts_of({"changes": [change], "diff": [{"before": before, "after": after}]})]

    def policy(action: t.Any, resource: str = "w") -> Json:
        return {"Statement": {"Effect": "Allow", "Action": action, "Resource": resource}}

    wanted = policy("aps:RemoteWrite")
    assert kinds(policy("aps:QueryMetrics"), wanted) == ["permission_lost", "permission_too_wide"]
    assert kinds(policy(["aps:RemoteWrite", "aps:QueryMetrics"]), wanted) == ["permission_too_wide"]
    assert kinds(policy([]), wanted) == ["permission_lost"]
    assert kinds(policy("aps:*"), wanted) == ["permission_too_wide"]
    assert kinds(policy("aps:RemoteWrite", "*"), wanted) == ["permission_too_wide"]
    assert kinds(policy("aps:RemoteWrite", "x*"), wanted) == ["permission_lost", "permission_too_wide"]
    denied = {"Statement": [{**wanted["Statement"], "Effect": "Deny"}]}
    assert kinds(denied, wanted) == ["permission_lost"]
    assert kinds(policy("aps:remotewrite"), wanted) == ["iam_inline_policy_changed"]


def test_a_version_that_makes_room_for_the_repair_is_no_drift_of_its_own() -> None:
    arn = "arn:aws:iam::123456789012:policy/p"
    gone = {"action": "delete", "kind": "IAM managed policy version", "name": f"{arn} v1", "summary": "Delete v1."}
    new = {"action": "update", "kind": "IAM managed policy", "name": arn, "summary": "Allow."}
    wide, wanted = (
        {"Statement": {"Effect": "Allow", "Action": action, "Resource": "w"}} for action in ("aps:*", "aps:RemoteWrite")
    )
    diff = [{"before": {"version_id": "v1"}, "after": {}}, {"before": wide, "after": wanted}]
    (found,) = drifts_of({"changes": [gone, new], "diff": diff})
    assert (found.kind, found.object_name) == ("permission_too_wide", arn)
    assert "aps:*" in found.before


def test_what_no_rule_knows_is_reported_in_the_modules_own_words() -> None:
    change = {"action": "delete", "kind": "Some New Thing", "name": "x", "summary": "Remove x."}
    (found,) = drifts_of({"changes": [change]})
    assert (found.kind, found.severity, found.meaning) == ("some_new_thing_surplus", Severity.MEDIUM, "Remove x.")
    assert drifts_of({}) == ()


def test_texts_lose_what_terminals_obey_and_long_ones_are_cut() -> None:
    assert clean("a\x1b[31mred\x07\r\nb\u202etfel") == "a\ufffd[31mred\ufffd\nb\ufffdtfel"
    change = {"action": "update", "kind": "ConfigMap", "name": "x", "summary": "s"}
    (found,) = drifts_of({"changes": [change], "diff": [{"before": "a" * 50_000, "after": ""}]})
    assert len(found.before) < 21_000
    assert found.before.endswith("... (50000 characters)")


URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write"
ROLE = "arn:aws:iam::123456789012:role/Prometheus"
CHAINED = "arn:aws:iam::210987654321:role/Writer"


@pytest.mark.parametrize(
    ("entry", "chained", "kinds"),
    [
        (None, None, ["remote_write_missing"]),
        ({"url": f"{URL}/", "sigv4": {"region": "eu-west-1"}}, None, ["remote_write_url"]),
        ({"url": URL}, None, ["remote_write_unsigned"]),
        ({"url": URL, "sigv4": {"region": "us-east-1"}}, None, ["remote_write_region"]),
        ({"url": URL, "sigv4": {"region": "eu-west-1"}}, CHAINED, ["remote_write_chained_role"]),
        ({"url": URL, "sigv4": {"region": "eu-west-1", "role_arn": ROLE}}, None, ["remote_write_self_role"]),
        (
            {"url": f"{URL}/", "sigv4": {"role_arn": ROLE}},
            None,
            ["remote_write_url", "remote_write_region", "remote_write_self_role"],
        ),
        ({"url": URL, "sigv4": {"region": "eu-west-1"}}, None, []),
    ],
)
@pytest.mark.parametrize("by_operator", [False, True])
def test_each_mistake_in_an_entry_is_named(
    by_operator: bool, entry: Json | None, chained: str | None, kinds: list[str]
) -> None:
    """By the words of the very functions that repair it, in a text and in a resource."""
    wanted = RemoteWrite(URL, "eu-west-1", ROLE, chained)
    present = [] if entry is None else [entry]
    if by_operator:
        in_camel_case = [
            {**one, "sigv4": {"roleArn" if name == "role_arn" else name: value for name, value in one["sigv4"].items()}}
            if "sigv4" in one
            else one
            for one in present
        ]
        summaries = merge_entries(in_camel_case, [Asked.of(wanted, None)], {}, "it").summaries
    else:
        summaries = merge_remote_write(yaml.safe_dump({"remote_write": present}), wanted, place="it").summaries
    change = {"action": "update", "kind": "ConfigMap", "name": "m/c", "summary": f"In it: {', '.join(summaries)}."}
    found = drifts_of({"changes": [change] if summaries else [], "diff": [{"before": "a", "after": "b"}]})
    assert [drift.kind for drift in found] == kinds


def test_a_drift_says_who_changed_the_object_last_where_the_module_knows() -> None:
    def told(last: object) -> object:
        change = {"action": "update", "kind": "ConfigMap", "name": "x", "summary": "s", "last_changed_by": last}
        (found,) = drifts_of({"changes": [change]})
        return found.last_changed_by

    known = {"who": "kubectl-edit\x1b[31m", "when": "2026-05-01T09:12:44Z", "how": "field"}
    assert told(known) == LastChange("kubectl-edit\ufffd[31m", "2026-05-01T09:12:44Z", Told.FIELD)
    assert told({**known, "when": None}) == LastChange("kubectl-edit\ufffd[31m", "", Told.FIELD)
    for unfit in (None, "somebody", {**known, "who": ""}, {**known, "how": "gossip"}):
        assert told(unfit) is None
