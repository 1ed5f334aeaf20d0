# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with an Entra identity's federated credentials for one service account. Pure.

What the step entra_federation would do about them is its own plan; here the credential that comes nearest is named. The
order is Entra's: it looks for the issuer first, then for the subject, then for the audience.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import Credential, Trust
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Finding, run_step
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import entra_credentials
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_credentials import (
    CredentialWish,
    Holder,
    IssuerState,
    UpdateCredential,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_logs import clean
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import EntraTrust

STEP: t.Final = run_step("entra_federation")


class Kind(enum.Enum):
    """What can be wrong with the identity; the values are the findings' kinds."""

    APPLICATION_MISSING = "entra_application_missing"
    APPLICATION_AMBIGUOUS = "entra_application_ambiguous"
    IDENTITY_MISSING = "entra_identity_missing"
    PRINCIPAL_MISSING = "entra_principal_missing"
    PRINCIPAL_DISABLED = "entra_principal_disabled"
    CREDENTIAL_MISSING = "entra_credential_missing"
    CREDENTIALS_FULL = "entra_credentials_full"
    FLEXIBLE_CREDENTIAL = "entra_flexible_credential"
    ISSUER_MISSPELLED = "entra_issuer_misspelled"
    ISSUER_GONE = "entra_issuer_gone"
    SUBJECT_CASE = "entra_subject_case"
    SUBJECT_DIFFERS = "entra_subject_differs"
    AUDIENCE_DIFFERS = "entra_audience_differs"
    NEVER_MATCHES = "entra_credential_never_matches"


#: What a run of the step makes where nothing is.
CREATED: t.Final = frozenset({Kind.APPLICATION_MISSING, Kind.PRINCIPAL_MISSING, Kind.CREDENTIAL_MISSING})


def finding(
    kind: Kind,
    cause: str,
    *,
    expected: str = "",
    found: str = "",
    fix: str = STEP,
    severity: Severity = Severity.HIGH,
) -> Finding:
    """``found`` may hold text of others."""
    return Finding(kind.value, severity, cause, expected, clean(found), fix)


@dataclasses.dataclass(frozen=True)
class CredentialJudge:
    """The credentials that a holder has, and the trust that one of them must give."""

    trust: EntraTrust
    holder: Holder
    credentials: tuple[Credential, ...]

    def doubtful_issuers(self) -> tuple[str, ...]:
        """The issuers of which must be known whether they are gone: their credentials are for the account as well."""
        if self._of_issuer() or self._misspelled():
            return ()
        return tuple(dict.fromkeys(one.issuer for one in self._of_subject()))

    def findings(self, issuers: t.Mapping[str, IssuerState]) -> tuple[Finding, ...]:
        """What is wrong. ``issuers`` holds what is known of :meth:`doubtful_issuers`."""
        try:
            planned = entra_credentials.plan_presence(self.credentials, self._wish(), self.holder, {})
        except errors.Refused as error:
            return (*self._nearest(issuers), finding(Kind.CREDENTIALS_FULL, error.message, fix=error.fix))
        if not planned.changes:
            return tuple(self._useless(one) for one in self._misspelled())
        operation = planned.changes[0].operation
        if isinstance(operation, UpdateCredential):
            return (self._other_audience(operation.credential),)
        return self._nearest(issuers)

    def _wish(self) -> CredentialWish:
        """The step knows its credential by a name too; a token is not asked for that."""
        trust = self.trust
        return CredentialWish("", Trust(trust.issuer.url, trust.subject, (trust.audience,)), trust.issuer)

    def _of_issuer(self) -> tuple[Credential, ...]:
        return tuple(one for one in self.credentials if one.issuer == self.trust.issuer.url)

    def _of_subject(self) -> tuple[Credential, ...]:
        return tuple(one for one in self.credentials if one.subject == self.trust.subject)

    def _misspelled(self) -> tuple[Credential, ...]:
        return entra_credentials.never_matching(self.credentials, self._wish())

    def _nearest(self, issuers: t.Mapping[str, IssuerState]) -> tuple[Finding, ...]:
        """No credential has issuer and subject: what those that come near are wrong in, else that there is none."""
        of_issuer, misspelled = self._of_issuer(), self._misspelled()
        flexible = tuple(one for one in of_issuer if one.subject is None)
        cased = tuple(one for one in of_issuer if self._is_subject_but_for_case(one))
        others = tuple(one for one in of_issuer if one.subject is not None)
        gone = tuple(one for one in self._of_subject() if issuers.get(one.issuer) is IssuerState.GONE)
        if cased:
            return (self._subject(Kind.SUBJECT_CASE, cased, "by upper and lower case only, and Entra compares those"),)
        if misspelled:
            return (self._misspelled_issuer(misspelled),)
        if flexible:
            return (self._flexible(flexible),)
        if others:
            parts = " and ".join(self._differing_parts(others))
            return (self._subject(Kind.SUBJECT_DIFFERS, others, f"in {parts}, and Entra compares the whole text"),)
        if gone:
            return (self._gone_issuer(gone),)
        return (self._missing(),)

    def _is_subject_but_for_case(self, credential: Credential) -> bool:
        return (credential.subject or "").casefold() == self.trust.subject.casefold()

    def _differing_parts(self, credentials: t.Sequence[Credential]) -> list[str]:
        """Where the subjects differ: ``system:serviceaccount:<namespace>:<name>``."""
        account = self.trust.service_account
        found: dict[str, None] = {}
        for one in credentials:
            words = (one.subject or "").split(":")
            if len(words) != 4 or words[:2] != ["system", "serviceaccount"]:
                return ["their form"]
            if words[2] != account.namespace:
                found["the namespace"] = None
            if words[3] != account.name:
                found["the service account's name"] = None
        return list(found)

    def _subject(self, kind: Kind, credentials: t.Sequence[Credential], difference: str) -> Finding:
        return finding(
            kind,
            f"The credentials of the {self.holder.title} for this cluster are for other subjects, which differ "
            f"{difference}.",
            expected=f"subject {self.trust.subject}",
            found=_listed("subject", credentials, lambda one: one.subject or ""),
        )

    def _misspelled_issuer(self, credentials: t.Sequence[Credential]) -> Finding:
        return finding(
            Kind.ISSUER_MISSPELLED,
            f"The credential that the {self.holder.title} has for the service account names the cluster's issuer with "
            "a slash, a scheme or a letter's case that the token does not have, and Entra compares the whole text.",
            expected=f"issuer {self.trust.issuer.url}",
            found=_listed("issuer", credentials, lambda one: one.issuer),
        )

    def _gone_issuer(self, credentials: t.Sequence[Credential]) -> Finding:
        return finding(
            Kind.ISSUER_GONE,
            f"The {self.holder.title} trusts the service account of a cluster that is gone: a cluster that is built "
            "again has another issuer.",
            expected=f"issuer {self.trust.issuer.url}",
            found=_listed("issuer", credentials, lambda one: one.issuer),
            fix=f"{STEP} aks_amp_prune_stale_credentials: true removes what the collection left for clusters that are "
            "gone.",
        )

    def _flexible(self, credentials: t.Sequence[Credential]) -> Finding:
        return finding(
            Kind.FLEXIBLE_CREDENTIAL,
            f"The credential that the {self.holder.title} has for this cluster matches claims by an expression, which "
            "Entra takes for other kinds of issuers only.",
            expected=f"subject {self.trust.subject}",
            found=_listed("an expression", credentials),
            fix=f"{STEP} Where that one has the name in aks_amp_credential_name, delete it first or choose another.",
        )

    def _other_audience(self, credential: Credential) -> Finding:
        return finding(
            Kind.AUDIENCE_DIFFERS,
            f"The credential of the {self.holder.title} for the service account asks for tokens of another audience.",
            expected=f"audience {self.trust.audience}",
            found=_listed("audience", [credential], lambda one: " and ".join(one.audiences)),
        )

    def _missing(self) -> Finding:
        others = len(self.credentials)
        return finding(
            Kind.CREDENTIAL_MISSING,
            f"The {self.holder.title} has no federated identity credential for the service account.",
            expected=f"issuer {self.trust.issuer.url}, subject {self.trust.subject}, audience {self.trust.audience}",
            found=f"{others} for others" if others else "none",
        )

    def _useless(self, credential: Credential) -> Finding:
        return finding(
            Kind.NEVER_MATCHES,
            clean(entra_credentials.never_matching_sentence(credential, self.trust.issuer.url)),
            expected=f"issuer {self.trust.issuer.url}",
            found=_listed("issuer", [credential], lambda one: one.issuer),
            fix=f"Delete the credential {clean(credential.name)}, if it was meant for this cluster.",
            severity=Severity.LOW,
        )


def _no_value(_credential: Credential) -> str:
    return ""


def _listed(what: str, credentials: t.Sequence[Credential], value: t.Callable[[Credential], str] = _no_value) -> str:
    return ", ".join(f"{what} {value(one)}".rstrip() + f" (credential {one.name})" for one in credentials)
