# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The links of Microsoft Entra ID: the identity that trusts the service account, and the exchange of its token."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import (
    Credential,
    IdentityRef,
    ServicePrincipal,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import entra_exchange
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.azure import AzureSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.graph import GraphClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.managed_identity import IdentityClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis import links
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.link_errors import ABOUT_A_LINK, failed
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Finding, Link, LinkName, Status
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.token_claims import (
    TokenFormatError,
    read_claims,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import EntraTrust, Issuer, ServiceAccount
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals import explain_entra
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals.explain import Passing
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_azure import unseen
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_application import (
    ApplicationChoice,
    ApplicationKey,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_credentials import Holder, IssuerState
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_federated_credential import (
    IssuerProbe,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_findings import (
    CREATED,
    STEP,
    CredentialJudge,
    Kind,
    finding,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_lookup import find_application
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.federation_links import refused
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_logs import clean

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_wish import (
        AzureLook,
        EntraLook,
    )
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.federation_probes import Budget

_ENTRA: t.Final = LinkName.ENTRA
_EXCHANGE: t.Final = LinkName.ENTRA_EXCHANGE
_READ_FIX: t.Final = (
    "Grant the login the Graph application permission Application.Read.All and give admin consent; for applications "
    "that it owns, Application.ReadWrite.OwnedBy is enough. A user who may not read them needs the Entra role "
    "Directory Readers in its place."
)
_KINDS_OF_CREATED: t.Final = frozenset(kind.value for kind in CREATED)

ReadT = t.TypeVar("ReadT")


@dataclasses.dataclass(frozen=True)
class EntraSeen:
    """The link, and whom the token is exchanged for; both IDs are empty while they are not known."""

    link: Link
    client_id: str = ""
    tenant_id: str = ""


def look_at_entra(
    azure: AzureLook, entra: EntraLook, issuer: Issuer, account: ServiceAccount, *, check_mode: bool = False
) -> EntraSeen:
    """Read the identity and judge its federated credentials for the service account.

    In check mode what a real run creates is no fault.
    """
    if not issuer.known:
        return EntraSeen(links.not_tried(_ENTRA, "the issuer is known after apply"))
    look = _Look(azure, EntraTrust(issuer, account, entra.audience))
    try:
        if isinstance(entra.holder, IdentityRef):
            seen = look.at_identity(entra.holder)
        else:
            seen = look.at_application(entra.holder)
    except ABOUT_A_LINK as error:
        seen = look.unseen(entra.holder, error)
    by_id = isinstance(entra.holder, ApplicationChoice) and entra.holder.names_existing
    if not check_mode or (by_id and seen.link.missing):  # what is named by an ID is never created
        return seen
    return dataclasses.replace(seen, link=_to_be_created(seen.link))


def _to_be_created(link: Link) -> Link:
    """The link in check mode: unknown when nothing is wrong but what a real run creates."""
    if link.status is not Status.BROKEN or not {one.kind for one in link.findings} <= _KINDS_OF_CREATED:
        return link
    summary = f"{link.summary} A real run may create it first."
    return dataclasses.replace(links.unknown(_ENTRA, summary), missing=True)


@dataclasses.dataclass(frozen=True)
class _Look:
    azure: AzureLook
    trust: EntraTrust

    @property
    def tenant(self) -> str:
        """As the login names it, an ID or a domain."""
        return self.azure.auth.tenant or ""

    def at_application(self, choice: ApplicationChoice) -> EntraSeen:
        with GraphClient(AzureSession(self.azure.auth)) as graph:
            try:
                application = find_application(graph, choice)
            except errors.Ambiguous as error:
                fix = "Name the right one by aks_amp_application_object_id or aks_amp_application_id."
                ambiguous = finding(Kind.APPLICATION_AMBIGUOUS, clean(error.message), expected="one", fix=fix)
                return EntraSeen(links.judged(_ENTRA, [ambiguous], ""), tenant_id=self.tenant)
            if application is None:
                link = dataclasses.replace(links.judged(_ENTRA, [_no_application(choice)], ""), missing=True)
                return EntraSeen(link, tenant_id=self.tenant)
            app_id, object_id = application.app_id, application.object_id
            principal = _attempt(lambda: graph.service_principal(app_id))
            credentials = _attempt(lambda: graph.credentials(object_id))
        holder = Holder(f"application {clean(application.display_name)}", marks=True)
        found: list[Finding] = []
        owner = None
        if not isinstance(principal, errors.CloudError):
            found += _principal(holder.title, app_id, principal)
            owner = principal.owner_tenant if principal else None
        link = self._link(holder, found, credentials, principal)
        return EntraSeen(link, client_id=app_id, tenant_id=self.tenant or owner or "")

    def at_identity(self, ref: IdentityRef) -> EntraSeen:
        with IdentityClient(AzureSession(self.azure.auth)) as client:
            try:
                identity = client.identity(ref)
            except errors.NotFound as error:
                fix = f"{error.fix} The options are aks_amp_managed_identity_id and aks_amp_managed_identity_name."
                missing = finding(Kind.IDENTITY_MISSING, error.message, expected=ref.name, found="none", fix=fix)
                link = dataclasses.replace(links.judged(_ENTRA, [missing], ""), missing=True)
                return EntraSeen(link, tenant_id=self.tenant)
            credentials = _attempt(lambda: client.credentials(ref))
        link = self._link(Holder(str(ref), marks=False), [], credentials)
        return EntraSeen(link, client_id=identity.client_id, tenant_id=identity.tenant_id or self.tenant)

    def unseen(self, holder: ApplicationChoice | IdentityRef, error: Exception) -> EntraSeen:
        """What is known of an identity that could not be looked at: its client ID, where that is how it is named."""
        named = isinstance(holder, ApplicationChoice) and holder.key is ApplicationKey.APP_ID
        client_id = holder.value if isinstance(holder, ApplicationChoice) and named else ""
        fix = _READ_FIX if isinstance(holder, ApplicationChoice) and isinstance(error, errors.Forbidden) else ""
        return EntraSeen(unseen(_ENTRA, error, fix), client_id, self.tenant)

    def _link(
        self,
        holder: Holder,
        found: list[Finding],
        credentials: tuple[Credential, ...] | errors.CloudError,
        *others: object,
    ) -> Link:
        """The link with what is wrong with the credentials as well; ``others`` may be further failed reads."""
        if not isinstance(credentials, errors.CloudError):
            judge = CredentialJudge(self.trust, holder, credentials)
            probe = IssuerProbe(self.azure.auth.transport)
            issuers: dict[str, IssuerState] = {one: probe.state(one) for one in judge.doubtful_issuers()}
            found = [*found, *judge.findings(issuers)]
        failures = [one for one in (credentials, *others) if isinstance(one, errors.CloudError)]
        fixes = [
            _READ_FIX if holder.marks and isinstance(one, errors.Forbidden) else one.fix for one in failures if one.fix
        ]
        trust = self.trust
        link = links.judged(
            _ENTRA,
            found,
            f"The {holder.title} trusts exactly this issuer, subject and audience.",
            unseen=" ".join(one.message for one in failures),
            seen_fix=" ".join(dict.fromkeys(fixes)),
        )
        if link.findings or failures:
            return link
        shown = f"issuer {trust.issuer.url}, subject {trust.subject}, audience {trust.audience}"
        return dataclasses.replace(link, expected=shown, found=shown)


def _attempt(read: t.Callable[[], ReadT]) -> ReadT | errors.CloudError:
    """What was read, or why it could not be: one thing that is hidden does not hide the others."""
    try:
        return read()
    except errors.CloudError as error:
        return error


def _no_application(choice: ApplicationChoice) -> Finding:
    fix = STEP
    if choice.names_existing:
        fix = (
            f"Correct aks_amp_application_{'id' if choice.key is ApplicationKey.APP_ID else 'object_id'}, or name the "
        )
        fix += "application by aks_amp_application_name and run the step entra_federation, which creates it."
    cause = f"There is no {choice} in the tenant."
    return finding(Kind.APPLICATION_MISSING, cause, expected=choice.value, found="none", fix=fix)


def _principal(title: str, app_id: str, principal: ServicePrincipal | None) -> t.Iterator[Finding]:
    if principal is None:
        yield finding(
            Kind.PRINCIPAL_MISSING,
            f"The {title} has no service principal in the tenant, so nobody gets a token for it (AADSTS7000229).",
            expected="a service principal",
            found="none",
            fix=f"{STEP} aks_amp_service_principal must be true, which it is by default.",
        )
    elif not principal.enabled:
        yield finding(
            Kind.PRINCIPAL_DISABLED,
            f"The service principal of the {title} is disabled, so nobody gets a token for it (AADSTS7000112).",
            expected="accountEnabled true",
            found="disabled",
            fix=f"Ask who disabled it why, and enable it: az ad sp update --id {app_id} --set accountEnabled=true; or "
            "activate the application in the Entra admin center.",
        )


def try_entra_exchange(azure: AzureLook, seen: EntraSeen, entra: EntraLook, token: str, *, poll: Budget) -> Link:
    """Exchange the service account's token (audience ``entra.audience``) at the login service of the tenant.

    ``poll`` is the time for what a change in Entra may still need to be known everywhere; that is waited for only
    where the identity was seen to be in order.
    """
    if seen.link.missing and seen.link.status is Status.UNKNOWN:
        return links.not_tried(_EXCHANGE, "the identity or its credential may be created first")
    if not seen.client_id or not seen.tenant_id:
        what = "client ID" if not seen.client_id else "tenant"
        return links.not_tried(_EXCHANGE, f"the identity's {what} is not known")
    try:
        claims = read_claims(token)
    except TokenFormatError as error:
        return links.broken(
            _EXCHANGE, str(error), kind="token_malformed", fix="Check that the cluster is the one meant."
        )
    parties = explain_entra.Parties(
        issuer=claims.issuer,
        subject=claims.subject,
        audience=entra.audience,
        client_id=seen.client_id,
        tenant_id=seen.tenant_id,
    )

    def attempt() -> errors.CloudError | None:
        try:
            entra_exchange.exchange(azure.auth, tenant_id=seen.tenant_id, client_id=seen.client_id, assertion=token)
        except errors.CloudError as error:
            return error
        return None

    waited_for = {Passing.SOON, *((Passing.IF_LISTED,) if seen.link.status is Status.OK else ())}
    budget = poll.spent() if seen.link.status is Status.BROKEN else poll
    answer = budget.poll(
        attempt,
        again=lambda answer: (
            isinstance(answer, entra_exchange.ExchangeRefused)
            and explain_entra.exchange(answer.codes, parties).passing in waited_for
        ),
    )
    if answer is None:
        found = f"client ID {seen.client_id}, tenant {seen.tenant_id}"
        return links.ok(_EXCHANGE, "Entra gives the identity a token for the service account's.", found=found)
    if not isinstance(answer, entra_exchange.ExchangeRefused):
        return failed(_EXCHANGE, answer)
    return refused(_EXCHANGE, answer, explain_entra.exchange(answer.codes, parties))
