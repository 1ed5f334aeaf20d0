# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a refusal of Entra means when a service account's token is exchanged, and what to do about it.

Entra tells its reasons by numbers; its texts change
(https://learn.microsoft.com/entra/identity-platform/reference-error-codes). What concerns federated credentials is at
https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations and
https://azure.github.io/azure-workload-identity/docs/troubleshooting.html.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals.explain import (
    UNEXPLAINED,
    Explanation,
    Passing,
)

_STEP: t.Final = "run the step entra_federation (federate.yml --tags entra_federation)"


@dataclasses.dataclass(frozen=True)
class Parties:
    """Whose token is exchanged for whose: the token's claims, the identity and its tenant."""

    issuer: str
    subject: str
    audience: str
    client_id: str
    tenant_id: str


@dataclasses.dataclass(frozen=True)
class Rule:
    """One reason. ``cause`` and ``fix`` are texts with the fields of :class:`Parties` in braces. ``passing`` is
    IF_LISTED where the reason passes by itself only if the directory shows the identity to be in order."""

    kind: str
    codes: tuple[int, ...]
    cause: str
    fix: str
    passing: Passing = Passing.NEVER

    def explain(self, parties: Parties) -> Explanation:
        values: dict[str, str] = dataclasses.asdict(parties)
        return Explanation(self.kind, self.cause.format(**values), self.fix.format(**values), self.passing)


#: A code is in one rule only. 70021 stood for the three after it, and still does in places.
RULES: t.Final = (
    Rule(
        "no_matching_credential",
        (70021,),
        "No federated identity credential of {client_id} has the token's issuer {issuer}, subject {subject} and "
        "audience {audience} all at once, letter by letter; or it is so new that Entra does not know it everywhere.",
        f"If the credential is not as it should be, {_STEP}; if it is, run the check again in some minutes.",
        Passing.IF_LISTED,
    ),
    Rule(
        "issuer_not_trusted",
        (700211,),
        "No federated identity credential of {client_id} has exactly the token's issuer {issuer}, trailing slash "
        "included; or it is so new that Entra does not know it everywhere.",
        f"If the credential is not as it should be, {_STEP}; if it is, run the check again in some minutes.",
        Passing.IF_LISTED,
    ),
    Rule(
        "subject_not_trusted",
        (700213,),
        "No federated identity credential of {client_id} for this cluster has exactly the token's subject {subject}; "
        "or it is so new that Entra does not know it everywhere.",
        f"If the credential is not as it should be, {_STEP} with aks_amp_namespace and aks_amp_service_account of this "
        "service account; if it is, run the check again in some minutes.",
        Passing.IF_LISTED,
    ),
    Rule(
        "audience_not_trusted",
        (700212,),
        "The federated identity credential of {client_id} for this service account has another audience than the "
        "token's {audience}; or it was changed so recently that Entra does not know it everywhere.",
        f"If the credential is not as it should be, {_STEP} with aks_amp_entra_audience: {{audience}}; if it is, run "
        "the check again in some minutes.",
        Passing.IF_LISTED,
    ),
    Rule(
        "subject_form",
        (7002137,),
        "The federated identity credential of {client_id} that comes nearest has a subject of another form, as for "
        "tokens of other issuers, and not {subject}.",
        f"Delete that credential if nobody needs it, and {_STEP}.",
    ),
    Rule(
        "subject_case",
        (7002138,),
        "The federated identity credential of {client_id} has the token's subject {subject} but for upper and lower "
        "case, and Entra compares those.",
        f"For a credential that differs in case, {_STEP}; one that is equal to the letter is deleted and made anew, "
        "because Entra keeps the old spelling.",
        Passing.IF_LISTED,
    ),
    Rule(
        "token_not_in_time",
        (700024,),
        "The token is not valid by Entra's clock; this one was issued moments ago, so a clock is wrong.",
        "Check the clock of the cluster's control plane; in a pod, check that the token file is the projected one, "
        "which the kubelet renews.",
    ),
    Rule(
        "principal_missing",
        (7000229,),
        "The application {client_id} has no service principal in the tenant {tenant_id}, as 'az ad app create' leaves "
        "it.",
        f"If it has none, {_STEP} with aks_amp_service_principal: true; if it is new, run the check again in some "
        "minutes.",
        Passing.IF_LISTED,
    ),
    Rule(
        "application_unknown",
        (700016,),
        "The tenant {tenant_id} knows no application and no managed identity with the client ID {client_id}.",
        "Check aks_amp_tenant_id and the identity's client ID; if it is new, run the check again in some minutes.",
        Passing.IF_LISTED,
    ),
    Rule(
        "application_disabled",
        (7000112,),
        "The application {client_id} is disabled in the tenant {tenant_id}: its service principal is.",
        "Ask who disabled it why, and enable it: az ad sp update --id {client_id} --set accountEnabled=true.",
    ),
    Rule(
        "tenant_unknown",
        (90002,),
        "The login service of this cloud has no tenant {tenant_id}.",
        "Check aks_amp_tenant_id and aks_amp_cloud_environment.",
    ),
    Rule(
        "resource_unknown",
        (500011,),
        "The tenant {tenant_id} does not know Microsoft Graph under the name that this cloud has for it.",
        "Check aks_amp_cloud_environment and aks_amp_graph_endpoint.",
    ),
    Rule(
        "issuer_not_reached",
        (90061, 50166, 501661),
        "Entra could not fetch the discovery document or the keys of the issuer {issuer}.",
        "Check that it is reachable from the public internet and that the cluster is not stopped; on AKS reconcile the "
        "cluster ('az aks update' without options) if it stays.",
        Passing.SOON,
    ),
    Rule(
        "issuer_keys_unusable",
        (900612,),
        "Entra can't read the keys that the issuer {issuer} publishes.",
        "Look at the issuer's key set (its discovery document names it): it must hold RSA keys for RS256.",
    ),
    Rule(
        "key_not_published",
        (7000272,),
        "The key that signed the token is not among the keys of the issuer {issuer} that Entra knows, as after a "
        "rotation of the cluster's keys.",
        "Run the check again in some minutes: Entra keeps an issuer's keys for a while. If it stays, check that the "
        "token comes from the cluster with this issuer.",
        Passing.SOON,
    ),
    Rule(
        "signature_refused",
        (50013,),
        "The token's signature is not that of the issuer {issuer}'s key.",
        "Check that the token comes from the cluster with this issuer, and that nothing between changes it.",
    ),
    Rule(
        "token_malformed",
        (50027,),
        "Entra can't read the token: it is not a JSON Web Token with the claims of a service account.",
        "Check that the cluster is the one meant, and what stands between it and this machine.",
    ),
    Rule(
        "blocked_by_policy",
        (53003,),
        "A Conditional Access policy of the tenant {tenant_id} for workload identities forbids the token.",
        "See the sign-in logs of the service principal {client_id} for the policy, and have its owners let the "
        "cluster's (and, for this check, this machine's) addresses in.",
    ),
    Rule(
        "service_in_trouble",
        (90033, 90055),
        "The login service is in trouble itself, or has too many requests of this machine.",
        "Run the check again in some minutes.",
        Passing.SOON,
    ),
)

_UNKNOWN: t.Final = Rule(
    UNEXPLAINED,
    (),
    "Entra gave no reason that this check knows.",
    "Look the code up at https://login.microsoftonline.com/error, and in the sign-in logs of the service principal "
    "{client_id}.",
)


def exchange(codes: t.Sequence[int], parties: Parties) -> Explanation:
    """Explain the numbers of a refusal (``error_codes``), the first one that is known; any other is unexplained."""
    known = (rule for code in codes for rule in RULES if code in rule.codes)
    return next(known, _UNKNOWN).explain(parties)
