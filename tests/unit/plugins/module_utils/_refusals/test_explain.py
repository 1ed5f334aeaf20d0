# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals import explain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals.explain import Passing

CHAIN = explain.Chain(
    issuer="https://westeurope.oic.prod-aks.azure.com/{t}/g/",  # braces: values must never be templates themselves
    audience="sts.amazonaws.com",
    subject="system:serviceaccount:monitoring:prometheus-sa",
    provider_arn="arn:aws:iam::123456789012:oidc-provider/westeurope.oic.prod-aks.azure.com/t/g/",
    role_arn="arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role",
    workspace_arn="arn:aws:aps:eu-west-1:123456789012:workspace/ws-1",
    region="eu-west-1",
)


@pytest.mark.parametrize(
    ("code", "message", "cause", "passing"),
    [
        (
            "InvalidIdentityToken",
            "Incorrect token audience",
            "is not a client ID of the IAM OIDC provider",
            Passing.IF_LISTED,
        ),
        (
            "InvalidIdentityToken",
            "No OpenIDConnect provider found in your account for https://x/",
            "no IAM OIDC provider whose URL is exactly",
            Passing.SOON,
        ),
        (
            "InvalidIdentityToken",
            (
                "Couldn't retrieve verification key from your identity provider, please reference "
                "AssumeRoleWithWebIdentity documentation for requirements"
            ),
            "could not fetch the issuer's discovery document or keys",
            Passing.SOON,
        ),
        (
            "InvalidIdentityToken",
            "OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
            "thumbprint is not one",
            Passing.NEVER,
        ),
        ("InvalidIdentityToken", "something new", "could not validate the token", Passing.NEVER),
        (
            "ExpiredTokenException",
            "Token expired: current date/time 1 must be before the expiration date/time 0",
            "clock is wrong",
            Passing.NEVER,
        ),
        ("IDPRejectedClaim", "revoked", "revoked or expired", Passing.NEVER),
        ("IDPCommunicationError", "", "could not reach the issuer", Passing.NEVER),
        (
            "AccessDenied",
            "Not authorized to perform sts:AssumeRoleWithWebIdentity",
            "trust policy of",
            Passing.SOON,
        ),
        (
            "AccessDenied",
            "User: a is not authorized to perform: sts:AssumeRole on resource: b",
            "is not web identity",
            Passing.NEVER,
        ),
        ("RegionDisabledException", "", "not active in eu-west-1", Passing.NEVER),
        (
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role",
            "maximum session duration",
            Passing.NEVER,
        ),
        ("ValidationError", "roleArn is invalid", "refused the request's form", Passing.NEVER),
        ("SomethingNew", "text", "no reason that this check knows", Passing.NEVER),
    ],
)
def test_every_refusal_of_sts_has_its_own_cause(code: str, message: str, cause: str, passing: Passing) -> None:
    explanation = explain.token_exchange(code, message, CHAIN)

    assert cause in explanation.cause
    assert explanation.passing is passing
    assert explanation.fix


@pytest.mark.parametrize(
    ("status", "message", "cause"),
    [
        (403, "User: arn is not authorized to perform: aps:RemoteWrite on resource: b", "lacks aps:RemoteWrite"),
        (403, "Missing Authentication Token", "path is not one that AMP knows"),
        (403, "Credential should be scoped to a valid region.", "another region"),
        (403, "The request signature we calculated does not match the signature you provided", "refused the signature"),
        (403, "The security token included in the request is invalid", "does not accept the role's session"),
        (404, "Workspace not found", "no such workspace in eu-west-1"),
        (429, "ingestion rate limit (70000) exceeded", "quota of the workspace"),
        (400, "out of order sample", "the sample itself was refused"),
        (503, "", "in trouble itself"),
        (302, "", "no reason that this check knows"),
    ],
)
def test_every_refusal_of_a_write_has_its_own_cause(status: int, message: str, cause: str) -> None:
    explanation = explain.remote_write(status, message, CHAIN)

    assert cause in explanation.cause
    assert explanation.fix


@pytest.mark.parametrize(
    ("status", "message", "cause"),
    [
        (403, "User: arn is not authorized to perform: aps:QueryMetrics on resource: b", "lacks aps:QueryMetrics"),
        (403, "Missing Authentication Token", "path is not one that AMP knows"),
        (422, "bad_data", "did not accept the query"),
        (500, "", "in trouble itself"),
    ],
)
def test_every_refusal_of_a_query_has_its_own_cause(status: int, message: str, cause: str) -> None:
    assert cause in explain.query(status, message, CHAIN).cause


@pytest.mark.parametrize(
    ("status", "message", "passing"),
    [
        (403, "not authorized to perform: aps:RemoteWrite", Passing.SOON),
        (429, "", Passing.SOON),
        (503, "", Passing.SOON),
        (403, "Missing Authentication Token", Passing.NEVER),
        (400, "", Passing.NEVER),
        (404, "", Passing.NEVER),
    ],
)
def test_only_what_may_end_by_itself_is_worth_waiting_for(status: int, message: str, passing: Passing) -> None:
    assert explain.remote_write(status, message, CHAIN).passing is passing


@given(st.text(max_size=40), st.text(max_size=200), st.integers(min_value=0, max_value=999))
def test_any_refusal_is_explained_in_sentences_without_placeholders(code: str, message: str, status: int) -> None:
    for explanation in (
        explain.token_exchange(code, message, CHAIN),
        explain.remote_write(status, message, CHAIN),
        explain.query(status, message, CHAIN),
    ):
        for text in (explanation.cause, explanation.fix):
            assert text.endswith(".")
            assert "{" not in text.replace(CHAIN.issuer, "")
