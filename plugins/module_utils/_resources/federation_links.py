# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The links between a service account and an IAM role, judged: pure functions of what was read.

Each function answers for one link. What was read and how is the business of ``federation_check``.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import (
    Finding,
    Link,
    LinkName,
    broken,
    judged,
    ok,
    run_step,
    unknown,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    Issuer,
    RoleArn,
    ServiceAccount,
    WebIdentityTrust,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam.trust_policy import examine
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals import explain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.token_claims import Claims

_REPAIR_IAM: t.Final = run_step("iam_web_identity")


def absent(name: LinkName, summary: str, fix: str, *, check_mode: bool) -> Link:
    """A link whose object does not exist: in check mode that is no fault, because a real run may create it."""
    if check_mode:
        link = unknown(name, f"{summary} A real run may create it first.")
    else:
        link = broken(name, summary, kind="missing", fix=fix)
    return dataclasses.replace(link, missing=True)


def discovery(wanted: Issuer, published: Issuer, key_ids: Sequence[str]) -> Link:
    """The issuer that the discovery document names, and the keys that it leads to."""
    if published.url != wanted.url:
        return broken(
            LinkName.DISCOVERY,
            "The discovery document names another issuer, and every cloud compares the whole text, trailing slash "
            "included.",
            kind="other_issuer",
            expected=wanted.url,
            found=published.url,
            fix="Use the issuer as the document names it (the step aks_oidc_issuer returns it).",
        )
    if not key_ids:
        return broken(
            LinkName.DISCOVERY,
            "The issuer publishes no RSA key for RS256, so no token can be verified.",
            kind="no_keys",
            expected="one RS256 key at least",
            found="none",
            fix="Look at the cluster's state in Azure: its issuer publishes the keys of its API server.",
        )
    keys = "one RS256 key" if len(key_ids) == 1 else f"{len(key_ids)} RS256 keys"
    return ok(
        LinkName.DISCOVERY,
        f"The issuer publishes its discovery document and {keys}.",
        expected=wanted.url,
        found=published.url,
    )


@dataclasses.dataclass(frozen=True)
class Expectation:
    """What a token must say of itself."""

    issuer: str
    audience: str
    subject: str

    def __str__(self) -> str:
        return f"iss {self.issuer}, aud {self.audience}, sub {self.subject}"


def token(claims: Claims, expected: Expectation, key_ids: Sequence[str]) -> Link:
    """The claims of a service account's token. ``key_ids`` are the published keys, empty when they are not known."""
    found = f"iss {claims.issuer}, aud {' and '.join(claims.audiences)}, sub {claims.subject}"
    wrong = _wrong_claims(claims, expected)
    if wrong:
        return broken(
            LinkName.TOKEN,
            f"The token that the cluster issues differs in {' and '.join(wrong)}.",
            kind="claims_differ",
            expected=str(expected),
            found=found,
            fix="Check that kubeconfig and context lead to the cluster with this issuer, and that the issuer is on "
            "(the step aks_oidc_issuer).",
        )
    # A key without an ID may be any key.
    if key_ids and "" not in key_ids and claims.key_id not in key_ids:
        return dataclasses.replace(
            unknown(
                LinkName.TOKEN,
                f"The claims are right, but the key that signed the token ({claims.key_id or 'unnamed'}) is not "
                "published, as right after a rotation of the cluster's keys.",
                fix="Run the check again in some minutes.",
            ),
            expected=f"kid {' or '.join(key_ids)}",
            found=f"kid {claims.key_id}",
        )
    return ok(
        LinkName.TOKEN,
        "The cluster issues the service account a token with exactly these claims.",
        expected=str(expected),
        found=found,
    )


def claims_are_right(claims: Claims, expected: Expectation) -> bool:
    return not _wrong_claims(claims, expected)


def _wrong_claims(claims: Claims, expected: Expectation) -> list[str]:
    compared = {
        "iss": claims.issuer == expected.issuer,
        "aud": expected.audience in claims.audiences,
        "sub": claims.subject == expected.subject,
    }
    return [claim for claim, equal in compared.items() if not equal]


def provider(client_ids: Sequence[str], audience: str) -> Link:
    """The client IDs of the issuer's IAM OIDC provider."""
    found = ", ".join(client_ids)
    if audience not in client_ids:
        return broken(
            LinkName.PROVIDER,
            f"The issuer's IAM OIDC provider lacks the token's audience {audience} among its client IDs ({found}).",
            kind="audience_not_listed",
            expected=audience,
            found=found,
            fix=_REPAIR_IAM,
        )
    return ok(
        LinkName.PROVIDER,
        "IAM has a provider for exactly this issuer, and the token's audience is one of its client IDs.",
        expected=audience,
        found=found,
    )


def no_provider(issuer: Issuer, provider_arn: str, arns: Sequence[str], *, check_mode: bool) -> Link:
    """No provider for the issuer. ``arns`` are those that exist: one may have been meant for it."""
    near = [arn for arn in arns if issuer.differs_by_slash_or_case(arn.partition(":oidc-provider/")[2])]
    if not near:
        return absent(
            LinkName.PROVIDER,
            f"There is no IAM OIDC provider {provider_arn}.",
            "The step iam_web_identity creates it.",
            check_mode=check_mode,
        )
    return broken(
        LinkName.PROVIDER,
        "The IAM OIDC provider that was probably meant for the issuer differs from it by a slash or by case, and IAM "
        "compares the whole text.",
        kind="url_misspelled",
        expected=provider_arn,
        found=", ".join(near),
        fix="The step iam_web_identity creates the right one; a provider's URL can't be changed.",
    )


def trust_policy(
    role: RoleArn, arn: str, document: Mapping[str, t.Any], trust: WebIdentityTrust, account: ServiceAccount
) -> Link:
    """The role of that name (its ARN and trust policy as IAM has them) for one service account.

    A policy that lets others in as well is broken too, although the exchange works: any token for another audience in
    the provider's client IDs, or of another namespace, would be accepted.
    """
    name = LinkName.TRUST_POLICY
    if arn != str(role):
        return broken(
            name,
            "The role of that name has another ARN.",
            kind="other_role",
            expected=str(role),
            found=arn,
            fix="Use the role's own ARN, path included, and credentials of its account.",
        )
    verdict = examine(document, trust, account)
    if verdict.findings:
        found = [
            Finding(f"{name.value}_{one.kind.value}", Severity.HIGH, one.summary, one.expected, one.found, _REPAIR_IAM)
            for one in verdict.findings
        ]
        return judged(name, found, "")
    if verdict.undecided:
        conditions = "; ".join(verdict.undecided)
        return unknown(
            name, f"The trust policy has conditions that only a real request decides: {conditions}. The exchange tells."
        )
    return ok(
        name,
        "The trust policy lets exactly this provider, audience and subject in.",
        expected=f"{trust.issuer.audience_key} {trust.audience}, {trust.issuer.subject_key} {account.subject}",
    )


def refused(name: LinkName, error: errors.CloudError, explanation: explain.Explanation) -> Link:
    """A refusal by AWS: the service's own text, what it means, and what to do."""
    return broken(
        name,
        f"{error.message} {explanation.cause}",
        kind=explanation.kind,
        found=error.detail,
        fix=explanation.fix,
        cause=explanation.cause,
        source=error.detail,
    )
