# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a refusal of AWS means on the way from a service account's token to a sample in AMP, and what to do about it.

STS reports several mistakes under one code and tells them apart only by its text, so each rule names a code and a part
of the text. The codes are those of the AssumeRoleWithWebIdentity API page
(https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html); the data plane's come from
AMP's troubleshooting page (https://docs.aws.amazon.com/prometheus/latest/userguide/AMP-troubleshooting.html).
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

#: The end of the kind of a finding whose cause is not known.
UNEXPLAINED: t.Final = "unexplained"


@dataclasses.dataclass(frozen=True)
class Chain:
    """The values of the trust chain that explanations name."""

    issuer: str
    audience: str
    subject: str
    provider_arn: str
    role_arn: str
    workspace_arn: str
    region: str


class Passing(enum.Enum):
    """Whether a refusal may end by itself, because what IAM shows already reaches other services a little later."""

    NEVER = "never"
    SOON = "soon"
    IF_LISTED = "if listed"  # soon, if the provider is seen to list the audience; never otherwise


@dataclasses.dataclass(frozen=True)
class Explanation:
    """Why a service refused and what to do. ``kind`` is the cause's name for programs."""

    kind: str
    cause: str
    fix: str
    passing: Passing = Passing.NEVER


@dataclasses.dataclass(frozen=True)
class Rule:
    """``codes`` are service codes or HTTP statuses, ``text`` a part of the message ("" fits all); the rest are texts
    with the chain's fields in braces."""

    kind: str
    codes: frozenset[str]
    text: str
    cause: str
    fix: str
    passing: Passing = Passing.NEVER

    def fits(self, code: str, message: str) -> bool:
        return code in self.codes and self.text.lower() in message.lower()

    def explain(self, chain: Chain) -> Explanation:
        values: dict[str, str] = dataclasses.asdict(chain)
        return Explanation(self.kind, self.cause.format(**values), self.fix.format(**values), self.passing)


def _codes(*codes: str) -> frozenset[str]:
    return frozenset(codes)


_INVALID_TOKEN: t.Final = _codes("InvalidIdentityToken", "InvalidIdentityTokenException")
_EXPIRED_TOKEN: t.Final = _codes("ExpiredTokenException", "ExpiredToken")
_DENIED: t.Final = _codes("AccessDenied", "AccessDeniedException")
_IDP_FAILED: t.Final = _codes("IDPCommunicationError", "IDPCommunicationErrorException")
_IDP_REJECTED: t.Final = _codes("IDPRejectedClaim", "IDPRejectedClaimException")
_VALIDATION: t.Final = _codes("ValidationError", "ValidationException")

#: Refusals of AssumeRoleWithWebIdentity, the special before the general.
TOKEN_EXCHANGE: t.Final = (
    Rule(
        "audience_not_listed",
        _INVALID_TOKEN,
        "Incorrect token audience",
        "The token's audience {audience} is not a client ID of the IAM OIDC provider {provider_arn}.",
        "Add it to the provider's client IDs (the step iam_web_identity does), or let the pod present a token whose "
        "audience is one of them; the Azure webhook's token has the audience api://AzureADTokenExchange.",
        passing=Passing.IF_LISTED,
    ),
    Rule(
        "no_provider_for_issuer",
        _INVALID_TOKEN,
        "No OpenIDConnect provider found",
        "The role's account has no IAM OIDC provider whose URL is exactly the token's issuer {issuer}: it is compared "
        "letter by letter, trailing slash included.",
        "Create the provider with that URL in the account of {role_arn} (the step iam_web_identity does).",
        passing=Passing.SOON,
    ),
    Rule(
        "keys_not_retrieved",
        _INVALID_TOKEN,
        "retrieve verification key",
        "AWS could not fetch the issuer's discovery document or keys within five seconds, or the key that signed the "
        "token is not among them yet.",
        "Check that {issuer} is reachable from the public internet; right after a rotation of the cluster's keys, wait "
        "and run the check again.",
        passing=Passing.SOON,
    ),
    Rule(
        "thumbprint_mismatch",
        _INVALID_TOKEN,
        "thumbprint",
        "The certificate of the issuer's key set comes from an authority that AWS does not know, and its thumbprint is "
        "not one that the IAM OIDC provider {provider_arn} lists.",
        "Run the step iam_web_identity with the default thumbprints (auto), which pins the last certificate of the "
        "chain that the issuer sends, never the leaf.",
    ),
    Rule(
        "token_invalid",
        _INVALID_TOKEN,
        "",
        "STS could not validate the token: its signature, issuer or form is not what the IAM OIDC provider of {issuer} "
        "stands for.",
        "Compare the token's claims with the provider, and check that the token comes from the cluster whose issuer "
        "this is.",
    ),
    Rule(
        "token_expired",
        _EXPIRED_TOKEN,
        "",
        "The token's lifetime is over by AWS's clock; this one was issued moments ago, so a clock is wrong.",
        "Check the clock of the cluster's control plane and of this machine; in a pod, check that the token file is "
        "the projected one, which the kubelet renews.",
    ),
    Rule(
        "token_rejected_by_issuer",
        _IDP_REJECTED,
        "",
        "The issuer reports the token as revoked or expired.",
        "Request a new token; after a rotation of the cluster's keys restart the pods that hold old ones.",
    ),
    Rule(
        "issuer_not_reached_by_sts",
        _IDP_FAILED,
        "",
        "AWS could not reach the issuer {issuer}, even after retries.",
        "Check that it is reachable from the public internet and run the check again.",
    ),
    Rule(
        "role_chained_to_itself",
        _DENIED,
        "sts:AssumeRole on resource",
        "Something asked for sts:AssumeRole, which is not web identity: the federated role may not assume that role.",
        "Remove sigv4.role_arn from Prometheus' configuration unless it names a different role that trusts {role_arn}.",
    ),
    Rule(
        "not_authorized",
        _DENIED,
        "",
        "The trust policy of {role_arn} does not allow {subject} with audience {audience} through {provider_arn}, or "
        "the role does not exist; right after a change IAM may not know it everywhere yet.",
        "Give the role a statement for exactly this provider, audience and subject (the step iam_web_identity does).",
        passing=Passing.SOON,
    ),
    Rule(
        "sts_region_disabled",
        _codes("RegionDisabledException"),
        "",
        "STS is not active in {region} for this account.",
        "Activate STS for the region in the account settings of IAM, or use a workspace in another region.",
    ),
    Rule(
        "session_too_long",
        _VALIDATION,
        "DurationSeconds",
        "The session that was asked for is longer than the role's maximum session duration.",
        "Raise the role's maximum session duration (max_session_duration) to 3600 seconds at least.",
    ),
    Rule(
        "request_malformed",
        _VALIDATION,
        "",
        "STS refused the request's form.",
        "Check that {role_arn} is the role's ARN, path included.",
    ),
)

_UNKNOWN_EXCHANGE: t.Final = Rule(
    "unexplained",
    frozenset(),
    "",
    "STS gave no reason that this check knows.",
    "Look the code up in the AssumeRoleWithWebIdentity API reference, and run the check again.",
)

#: Refusals of a signed request by AMP's data plane that mean the same for writes and queries.
_DATA_PLANE: t.Final = (
    Rule(
        "url_not_of_the_workspace",
        _codes("403"),
        "Missing Authentication Token",
        "The request did not reach the workspace's API: the URL's path is not one that AMP knows.",
        "Use the workspace's own URL as crosscloud.aks_amp.amp_workspace_info returns it, without a trailing slash.",
    ),
    Rule(
        "signed_for_another_region",
        _codes("403"),
        "Credential should be scoped",
        "The request was signed for another region than the workspace's.",
        "Set the region to that of {workspace_arn} ({region}).",
    ),
    Rule(
        "signature_refused",
        _codes("403"),
        "signature",
        "AMP refused the signature: the clocks differ by more than five minutes, or something between this machine and "
        "AWS changes requests.",
        "Check this machine's clock and its proxy.",
    ),
    Rule(
        "session_not_accepted",
        _codes("403"),
        "security token",
        "AMP does not accept the role's session; sessions of the global STS endpoint are invalid in opt-in regions.",
        "Use the regional STS endpoint of {region} (AWS_STS_REGIONAL_ENDPOINTS=regional in the pod).",
    ),
    Rule(
        "workspace_not_found",
        _codes("404"),
        "",
        "There is no such workspace in {region}.",
        "Check the workspace's ID and region: {workspace_arn}.",
    ),
    Rule(
        "quota_exceeded",
        _codes("429"),
        "",
        "A quota of the workspace is used up (ingestion or query rate, active series); authentication and permission "
        "are in order.",
        "Ask for a higher quota under Service Quotas, or send less; set retry_on_http_429 in queue_config so that "
        "Prometheus does not drop what is refused.",
        passing=Passing.SOON,
    ),
    Rule(
        "service_in_trouble",
        _codes("500", "502", "503", "504"),
        "",
        "The workspace's service is in trouble itself.",
        "Run the check again; look at the AWS Health Dashboard if it stays.",
        passing=Passing.SOON,
    ),
)

REMOTE_WRITE: t.Final = (
    *_DATA_PLANE,
    Rule(
        "permission_missing",
        _codes("403"),
        "",
        "The role {role_arn} lacks aps:RemoteWrite on {workspace_arn}, or its policy names another workspace.",
        "Allow aps:RemoteWrite on exactly this workspace in the role's policy (the step iam_web_identity does).",
        passing=Passing.SOON,
    ),
    Rule(
        "sample_refused",
        _codes("400"),
        "",
        "The role may write to the workspace, but the sample itself was refused, as out-of-order or badly timed "
        "samples are.",
        "Check this machine's clock and run the check again.",
    ),
)

QUERY: t.Final = (
    *_DATA_PLANE,
    Rule(
        "permission_missing",
        _codes("403"),
        "",
        "The role may write but not query: it lacks aps:QueryMetrics on {workspace_arn}. Prometheus does not need it.",
        "Allow aps:QueryMetrics to have the sample read back as well (allow_query of "
        "crosscloud.aks_amp.iam_web_identity_role).",
    ),
    Rule(
        "query_refused",
        _codes("400", "422"),
        "",
        "AMP did not accept the query.",
        "Check that the query URL is the workspace's own, ending in /api/v1/query.",
    ),
)

LABELS: t.Final = (
    *_DATA_PLANE,
    Rule(
        "permission_missing",
        _codes("403"),
        "",
        "The role lacks aps:GetLabels on {workspace_arn}, which a query of label names needs beside aps:RemoteWrite; "
        "Prometheus does not need it.",
        "Leave the query of labels out, or allow it (aks_amp_allow_query: true, then the step iam_web_identity).",
    ),
)

#: Refusals of AssumeRole with a federated session.
CHAINING: t.Final = (
    Rule(
        "not_authorized",
        _DENIED,
        "",
        "The session of {role_arn} may not assume the chained role: that role's trust policy does not name {role_arn}, "
        "or {role_arn} lacks sts:AssumeRole on it, or the external ID is another one.",
        "Let the chained role trust exactly {role_arn} (with the external ID, if there is one), and name the chained "
        "role in aks_amp_assumable_role_arns for the step iam_web_identity.",
        passing=Passing.SOON,
    ),
    Rule(
        "session_too_long",
        _VALIDATION,
        "DurationSeconds",
        "The session that was asked for is longer than the chained role's maximum session duration.",
        "Raise the chained role's maximum session duration to 3600 seconds at least.",
    ),
)

_UNKNOWN_ANSWER: t.Final = Rule(
    "unexplained",
    frozenset(),
    "",
    "AMP gave no reason that this check knows.",
    "Check that the URL is the workspace's own, and what stands between this machine and AWS.",
)


def token_exchange(code: str, message: str, chain: Chain) -> Explanation:
    """Explain STS's refusal of AssumeRoleWithWebIdentity by its error code and text."""
    return _first(TOKEN_EXCHANGE, code, message, _UNKNOWN_EXCHANGE).explain(chain)


def remote_write(status: int, message: str, chain: Chain) -> Explanation:
    """Explain the HTTP status and text with which AMP refused a remote write."""
    return _first(REMOTE_WRITE, str(status), message, _UNKNOWN_ANSWER).explain(chain)


def role_chaining(code: str, message: str, chain: Chain) -> Explanation:
    """Explain STS's refusal of AssumeRole for the chained role by a session of the federated one."""
    return _first(CHAINING, code, message, _UNKNOWN_EXCHANGE).explain(chain)


def labels(status: int, message: str, chain: Chain) -> Explanation:
    """Explain the HTTP status and text with which AMP refused a query of label names."""
    return _first(LABELS, str(status), message, _UNKNOWN_ANSWER).explain(chain)


def query(status: int, message: str, chain: Chain) -> Explanation:
    """Explain the HTTP status and text with which AMP refused a query."""
    return _first(QUERY, str(status), message, _UNKNOWN_ANSWER).explain(chain)


def _first(rules: tuple[Rule, ...], code: str, message: str, otherwise: Rule) -> Rule:
    return next((rule for rule in rules if rule.fits(code, message)), otherwise)
