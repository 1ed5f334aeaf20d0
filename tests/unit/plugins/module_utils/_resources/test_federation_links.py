# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdicts on single links: pure functions, no cloud."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis import link_errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import LinkName, Status
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.token_claims import Claims
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    AwsAccount,
    FederationError,
    Issuer,
    RoleArn,
    ServiceAccount,
    WebIdentityTrust,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals import explain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import federation_links as judge

ISSUER = Issuer("https://westeurope.oic.prod-aks.azure.com/t/g/")
ACCOUNT = ServiceAccount("monitoring", "prometheus-sa")
EXPECTED = judge.Expectation(ISSUER.url, "sts.amazonaws.com", ACCOUNT.subject)
CLAIMS = Claims(ISSUER.url, ("sts.amazonaws.com",), ACCOUNT.subject, 1_790_000_000, "k1", "RS256")
ROLE = RoleArn.parse("arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role")
TRUST = WebIdentityTrust(ISSUER, "sts.amazonaws.com", (ACCOUNT,), AwsAccount("aws", "123456789012"))


def test_discovery_that_names_the_issuer_and_has_keys_is_ok() -> None:
    assert judge.discovery(ISSUER, ISSUER, ["k1"]).status is Status.OK
    assert "2 RS256 keys" in judge.discovery(ISSUER, ISSUER, ["k1", "k2"]).summary


def test_discovery_that_names_the_issuer_without_its_slash_is_broken() -> None:
    link = judge.discovery(ISSUER, Issuer(ISSUER.url.rstrip("/")), ["k1"])

    assert link.status is Status.BROKEN
    assert (link.expected, link.found) == (ISSUER.url, ISSUER.url.rstrip("/"))


def test_discovery_without_keys_is_broken() -> None:
    assert judge.discovery(ISSUER, ISSUER, []).status is Status.BROKEN


@pytest.mark.parametrize("key_ids", [["k0", "k1"], [], [""], ["k0", ""]])
def test_a_token_with_the_right_claims_is_ok(key_ids: list[str]) -> None:
    assert judge.token(CLAIMS, EXPECTED, key_ids).status is Status.OK


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"issuer": ISSUER.url.rstrip("/")}, "differs in iss."),
        ({"audiences": ("api://AzureADTokenExchange",)}, "differs in aud."),
        ({"subject": "system:serviceaccount:default:default"}, "differs in sub."),
        ({"issuer": "https://x/", "subject": "y"}, "differs in iss and sub."),
    ],
)
def test_a_claim_that_differs_is_named(changes: dict[str, object], text: str) -> None:
    claims = dataclasses.replace(CLAIMS, **changes)  # type: ignore[arg-type]  # the values fit, the dict's type is wider
    link = judge.token(claims, EXPECTED, ["k1"])

    assert link.status is Status.BROKEN
    assert text in link.summary
    assert link.expected == f"iss {ISSUER.url}, aud sts.amazonaws.com, sub {ACCOUNT.subject}"
    assert link.found != link.expected
    assert not judge.claims_are_right(claims, EXPECTED)


def test_a_key_that_is_not_published_leaves_the_token_open() -> None:
    link = judge.token(CLAIMS, EXPECTED, ["k2", "k3"])

    assert link.status is Status.UNKNOWN
    assert "rotation" in link.summary
    assert (link.expected, link.found) == ("kid k2 or k3", "kid k1")
    assert judge.claims_are_right(CLAIMS, EXPECTED)


def test_a_provider_needs_the_audience_among_its_client_ids() -> None:
    assert judge.provider(["other", "sts.amazonaws.com"], "sts.amazonaws.com").status is Status.OK

    link = judge.provider(["api://AzureADTokenExchange"], "sts.amazonaws.com")
    assert link.status is Status.BROKEN
    assert (link.expected, link.found) == ("sts.amazonaws.com", "api://AzureADTokenExchange")
    assert "iam_web_identity" in link.fix


@pytest.mark.parametrize(("check_mode", "status"), [(True, Status.UNKNOWN), (False, Status.BROKEN)])
def test_a_missing_provider_is_no_fault_in_check_mode(check_mode: bool, status: Status) -> None:
    link = judge.no_provider(ISSUER, TRUST.provider_arn, [], check_mode=check_mode)

    assert link.status is status
    assert link.missing


@pytest.mark.parametrize("near", [TRUST.provider_arn.rstrip("/"), TRUST.provider_arn.replace("/t/g", "/T/G")])
def test_a_provider_that_was_meant_is_pointed_out(near: str) -> None:
    others = ["arn:aws:iam::123456789012:oidc-provider/accounts.google.com", near]
    link = judge.no_provider(ISSUER, TRUST.provider_arn, others, check_mode=False)

    assert link.status is Status.BROKEN
    assert "slash or by case" in link.summary
    assert (link.expected, link.found) == (TRUST.provider_arn, near)


def test_a_trust_policy_is_ok_when_it_says_exactly_this() -> None:
    document = {"Version": "2012-10-17", "Statement": [TRUST.statement()]}

    assert judge.trust_policy(ROLE, str(ROLE), document, TRUST, ACCOUNT).status is Status.OK


def test_a_trust_policy_without_an_audience_is_broken_and_says_what_it_lets_in() -> None:
    statement = TRUST.statement()
    del statement["Condition"]["StringEquals"][ISSUER.audience_key]
    link = judge.trust_policy(ROLE, str(ROLE), {"Statement": statement}, TRUST, ACCOUNT)

    assert link.status is Status.BROKEN
    assert "a token for any audience in the provider's client IDs would be accepted" in link.summary


def test_a_trust_policy_that_only_a_request_decides_is_unknown() -> None:
    statement = TRUST.statement()
    statement["Condition"]["IpAddress"] = {"aws:SourceIp": "10.0.0.0/8"}
    link = judge.trust_policy(ROLE, str(ROLE), {"Statement": statement}, TRUST, ACCOUNT)

    assert link.status is Status.UNKNOWN
    assert "aws:SourceIp" in link.summary


def test_a_role_of_the_same_name_elsewhere_is_broken() -> None:
    other = "arn:aws:iam::210987654321:role/AKS-Prometheus-AMP-Role"
    link = judge.trust_policy(ROLE, other, {}, TRUST, ACCOUNT)

    assert link.status is Status.BROKEN
    assert (link.expected, link.found) == (str(ROLE), other)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.Forbidden(service="AWS IAM", action="reading", code="AccessDenied", fix="Allow it."), Status.UNKNOWN),
        (errors.MissingCredentials("None.", fix="Give some."), Status.UNKNOWN),
        (errors.CloudError(service="AWS IAM", action="reading", status=500), Status.BROKEN),
        (errors.Unreachable(service="AWS IAM", action="reading", detail="no answer"), Status.BROKEN),
        (errors.Refused("It says something else."), Status.BROKEN),
        (FederationError("It has a port."), Status.BROKEN),
    ],
)
def test_only_a_missing_right_leaves_a_link_open(error: Exception, status: Status) -> None:
    link = link_errors.failed(LinkName.PROVIDER, error)

    assert link.status is status
    assert isinstance(error, link_errors.ABOUT_A_LINK)
    assert link.summary == (error.message if isinstance(error, errors.AksAmpError) else str(error))
    assert link.fix == getattr(error, "fix", "")


@pytest.mark.parametrize("error", [errors.InvalidInput("x"), errors.MissingLibrary("boto3", ImportError("x"))])
def test_a_fault_of_the_task_is_not_blamed_on_a_link(error: Exception) -> None:
    assert not isinstance(error, link_errors.ABOUT_A_LINK)


def test_a_refusal_quotes_the_service_and_says_what_it_means() -> None:
    error = errors.CloudError(service="AWS STS", action="x", code="AccessDenied", detail="Not authorized")
    link = judge.refused(LinkName.TOKEN_EXCHANGE, error, explain.Explanation("reason", "Because.", "Do this."))

    assert link.summary == "AWS STS failed while x: AccessDenied: Not authorized. Because."
    assert (link.found, link.fix) == ("Not authorized", "Do this.")
