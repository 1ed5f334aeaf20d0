# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Entra application that trusts a Kubernetes service account: application, service principal, credential.

https://learn.microsoft.com/graph/api/resources/federatedidentitycredential: at most 20 credentials an application,
exactly one audience, issuer and subject compared verbatim and unique together.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import typing as t
import uuid

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors, ownership
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.azure import AzureSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.graph import (
    Application,
    ApplicationDraft,
    Credential,
    GraphClient,
    NotYetVisible,
    ServicePrincipal,
    Trust,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.federation import (
    ENTRA_AUDIENCE,
    KNOWN_AFTER_APPLY,
    EntraTrust,
    Issuer,
    ServiceAccount,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.options import (
    AZURE,
    TRANSPORT,
    ArgumentSpec,
    AzureAuth,
    Params,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.plan import Action, Change, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.runner import Context, ModuleDefinition, Result
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.waiting import Patience

MAX_CREDENTIALS = 20
MAX_DISPLAY_NAME = 256
MAX_AUDIENCE = 600
SIGN_IN_AUDIENCE = "AzureADMyOrg"  # accounts of this tenant only

#: How long a new object may take to reach all of the directory's replicas.
REPLICATION_SECONDS = 120.0

_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")
#: Display names that are safe as a unique name, too: Entra documents no rule for those.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


class ApplicationKey(enum.Enum):
    """By what an application is named; the values are the module's options."""

    OBJECT_ID = "object_id"
    APP_ID = "app_id"
    UNIQUE_NAME = "unique_name"
    DISPLAY_NAME = "display_name"


_APPLICATION_OPTIONS = tuple(key.value for key in ApplicationKey)

ARGUMENT_SPEC = ArgumentSpec(
    {
        **{name: {"type": "str"} for name in _APPLICATION_OPTIONS},
        "name": {"type": "str", "required": True},
        "issuer": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "service_account": {"type": "str", "required": True},
        "audience": {"type": "str", "default": ENTRA_AUDIENCE},
        "service_principal": {"type": "bool", "default": True},
    },
    required_one_of=(_APPLICATION_OPTIONS,),
    mutually_exclusive=(_APPLICATION_OPTIONS,),
).merge(AZURE, TRANSPORT)


@dataclasses.dataclass(frozen=True)
class ApplicationChoice:
    """Which application is meant. One that is named by an ID must exist, one that is named by a name is created."""

    key: ApplicationKey
    value: str

    @classmethod
    def from_params(cls, params: Params) -> ApplicationChoice:
        given = [cls(key, value) for key in ApplicationKey if (value := params.optional_text(key.value)) is not None]
        if len(given) != 1:
            raise errors.InvalidInput(
                f"Exactly one of {', '.join(_APPLICATION_OPTIONS)} must name the application, not {len(given)} of them."
            )
        given[0]._check()
        return given[0]

    def _check(self) -> None:
        if self.key in (ApplicationKey.OBJECT_ID, ApplicationKey.APP_ID):
            try:
                uuid.UUID(self.value)
            except ValueError as error:
                raise errors.InvalidInput(
                    f"{self.key.value} is '{self.value}', which is not a GUID.",
                    fix="Give a name in display_name or unique_name.",
                ) from error
        elif len(self.value) > MAX_DISPLAY_NAME:
            raise errors.InvalidInput(
                f"{self.key.value} has {len(self.value)} characters; Entra allows {MAX_DISPLAY_NAME}."
            )

    @property
    def unique_name(self) -> str | None:
        """The unique name that a new application gets, so that parallel runs can't create it twice.

        None for a display name with other characters than letters, digits, dots, hyphens and underscores.
        """
        if self.key is ApplicationKey.UNIQUE_NAME:
            return self.value
        if self.key is ApplicationKey.DISPLAY_NAME and _PLAIN_NAME.fullmatch(self.value):
            return self.value
        return None

    def draft(self) -> ApplicationDraft:
        """The application to be created where none was found."""
        return ApplicationDraft(self.value, self.unique_name, SIGN_IN_AUDIENCE, (ownership.ENTRA_TAG,))


@dataclasses.dataclass(frozen=True)
class Wish:
    """What the directory shall hold."""

    application: ApplicationChoice
    credential_name: str
    trust: Trust
    issuer: Issuer
    service_principal: bool
    tenant: str | None  # as the login names it, an ID or a domain

    @classmethod
    def from_params(cls, params: Params, *, check_mode: bool) -> Wish:
        """Raises InvalidInput or FederationError for what Entra would not take."""
        name = params.text("name")
        if not _CREDENTIAL_NAME.fullmatch(name):
            raise errors.InvalidInput(
                f"The credential's name '{name}' is not one that Entra takes.",
                fix="Use 3 to 120 letters, digits, hyphens and underscores, beginning with a letter or digit.",
            )
        issuer = Issuer.parse(params.text("issuer"))
        if not issuer.known and not check_mode:
            raise errors.InvalidInput(
                f"The issuer is '{KNOWN_AFTER_APPLY}', which is good for check mode only.",
                fix="Run the step that enables the cluster's OIDC issuer (tag aks_oidc_issuer) first.",
            )
        account = ServiceAccount.parse(params.text("namespace"), params.text("service_account"))
        trust = EntraTrust(issuer, account, _audience(params.text("audience")))
        return cls(
            application=ApplicationChoice.from_params(params),
            credential_name=name,
            trust=Trust(trust.issuer.url, trust.subject, (trust.audience,)),
            issuer=issuer,
            service_principal=params.flag("service_principal"),
            tenant=params.optional_text("tenant"),
        )


def _audience(audience: str) -> str:
    if len(audience) > MAX_AUDIENCE or re.search(r"\s", audience):
        raise errors.InvalidInput(
            f"The audience '{audience}' is malformed: Entra takes up to {MAX_AUDIENCE} characters without white space.",
            fix=f"Usually it is {ENTRA_AUDIENCE}.",
        )
    return audience


@dataclasses.dataclass(frozen=True)
class Current:
    """What the directory holds; the service principal is not read where none is wished for."""

    application: Application | None = None
    service_principal: ServicePrincipal | None = None
    credentials: tuple[Credential, ...] = ()

    def with_credential(self, credential: Credential) -> Current:
        """This with a credential added, or put in the place of the one with its ID."""
        others = tuple(other for other in self.credentials if other.id != credential.id)
        return dataclasses.replace(self, credentials=(*others, credential))


@dataclasses.dataclass(frozen=True)
class CreateApplication:
    draft: ApplicationDraft


@dataclasses.dataclass(frozen=True)
class CreateServicePrincipal:
    """For the application that is there by then."""


@dataclasses.dataclass(frozen=True)
class CreateCredential:
    name: str
    trust: Trust


@dataclasses.dataclass(frozen=True)
class UpdateCredential:
    credential: Credential  # as it was
    trust: Trust


Operation: t.TypeAlias = "CreateApplication | CreateServicePrincipal | CreateCredential | UpdateCredential"


def plan(current: Current, wish: Wish) -> Plan[Operation, Current]:
    """What must be created or changed, in that order. Raises Refused when the application can't take a credential."""
    changes: list[Change[Operation]] = []
    predicted = current
    if current.application is None:
        draft = wish.application.draft()
        changes.append(_application_change(draft))
        unknown = Application(KNOWN_AFTER_APPLY, KNOWN_AFTER_APPLY, draft.display_name, draft.unique_name)
        predicted = dataclasses.replace(predicted, application=unknown)
    title = predicted.application.display_name if predicted.application else ""
    if wish.service_principal and current.service_principal is None:
        changes.append(_service_principal_change(title))
        owner = wish.tenant or KNOWN_AFTER_APPLY
        predicted = dataclasses.replace(predicted, service_principal=ServicePrincipal(KNOWN_AFTER_APPLY, owner))
    change, credential = _plan_credential(current, wish, title)
    if change is not None:
        changes.append(change)
        predicted = predicted.with_credential(credential)
    return Plan(tuple(changes), predicted, _warnings(current, wish))


def credential_of(current: Current, wish: Wish) -> Credential | None:
    """The credential that serves the wish: the one with its trust, whatever its name, else the one with its name."""
    by_trust = next((one for one in current.credentials if _matches(one, wish.trust)), None)
    by_name = next((one for one in current.credentials if one.name == wish.credential_name), None)
    return by_trust or by_name


def _matches(credential: Credential, trust: Trust) -> bool:
    """Entra allows this pair once for an application."""
    return (credential.issuer, credential.subject) == (trust.issuer, trust.subject)


def _plan_credential(current: Current, wish: Wish, application: str) -> tuple[Change[Operation] | None, Credential]:
    existing = credential_of(current, wish)
    if existing is None:
        if len(current.credentials) >= MAX_CREDENTIALS:
            raise errors.Refused(
                f"The application {application} has {len(current.credentials)} federated identity credentials, and "
                f"Entra allows {MAX_CREDENTIALS}.",
                fix="Delete those of clusters that are gone, or use another application for this one.",
            )
        created = Credential(
            id=KNOWN_AFTER_APPLY,
            name=wish.credential_name,
            issuer=wish.trust.issuer,
            subject=wish.trust.subject,
            audiences=wish.trust.audiences,
            description=ownership.DESCRIPTION,
        )
        summary = f"Create the federated identity credential {created.name} on the application {application}: it trusts"
        summary += f" {created.subject} of {created.issuer}."
        operation: Operation = CreateCredential(created.name, wish.trust)
        return _credential_change(Action.CREATE, None, created, summary, operation), created
    updated = dataclasses.replace(
        existing, issuer=wish.trust.issuer, subject=wish.trust.subject, audiences=wish.trust.audiences
    )
    if updated == existing:
        return None, existing
    differing = [
        name
        for name, was, shall in (
            ("issuer", existing.issuer, updated.issuer),
            ("subject", existing.subject, updated.subject),
            ("audience", existing.audiences, updated.audiences),
        )
        if was != shall
    ]
    summary = f"Change {' and '.join(differing)} of the federated identity credential {existing.name} on the "
    summary += f"application {application}."
    return (
        _credential_change(Action.UPDATE, existing, updated, summary, UpdateCredential(existing, wish.trust)),
        updated,
    )


def _warnings(current: Current, wish: Wish) -> tuple[str, ...]:
    """Credentials of other names that were meant for this trust and can never match a token."""
    chosen = credential_of(current, wish)
    return tuple(
        f"The federated identity credential {other.name} has the issuer '{other.issuer}', which never matches a token "
        f"of '{wish.issuer.url}'. Delete it if it was meant for that."
        for other in current.credentials
        if other is not chosen
        and other.subject == wish.trust.subject
        and wish.issuer.known
        and wish.issuer.differs_by_slash_or_case(other.issuer)
    )


def _application_change(draft: ApplicationDraft) -> Change[Operation]:
    return Change(
        action=Action.CREATE,
        kind="Entra application",
        name=draft.display_name,
        summary=f"Create the Entra application {draft.display_name}.",
        before=None,
        after={
            "display_name": draft.display_name,
            "unique_name": draft.unique_name,
            "sign_in_audience": draft.sign_in_audience,
            "tags": list(draft.tags),
        },
        operation=CreateApplication(draft),
    )


def _service_principal_change(application: str) -> Change[Operation]:
    return Change(
        action=Action.CREATE,
        kind="Entra service principal",
        name=application,
        summary=f"Create the service principal of the Entra application {application}.",
        before=None,
        after={"application": application, "tags": [ownership.ENTRA_TAG]},
        operation=CreateServicePrincipal(),
    )


def _credential_change(
    action: Action, before: Credential | None, after: Credential, summary: str, operation: Operation
) -> Change[Operation]:
    return Change(
        action=action,
        kind="federated identity credential",
        name=after.name,
        summary=summary,
        before=None if before is None else _document(before),
        after=_document(after),
        operation=operation,
    )


def _document(credential: Credential) -> dict[str, object]:
    return {
        "name": credential.name,
        "issuer": credential.issuer,
        "subject": credential.subject,
        "audiences": list(credential.audiences),
        "description": credential.description,
    }


class EntraFederation:
    """Application, service principal and credential as one resource."""

    def __init__(self, wish: Wish, graph: GraphClient, context: Context) -> None:
        self._wish = wish
        self._graph = graph
        self._patience = Patience(REPLICATION_SECONDS, sleep=context.sleep, monotonic=context.monotonic)
        # Look-ups by name may miss for a while what this run, or another one at the same time, has created.
        self._created_object_id: str | None = None
        self._lost_creations = 0

    def read(self) -> Current:
        application = self._find()
        if application is None:
            return Current()
        object_id = application.object_id
        return Current(
            application=application,
            service_principal=(
                self._graph.service_principal(application.app_id) if self._wish.service_principal else None
            ),
            credentials=self._patience.retry(lambda: self._graph.credentials(object_id), NotYetVisible),
        )

    def plan(self, current: Current) -> Plan[Operation, Current]:
        return plan(current, self._wish)

    def apply(self, change: Change[Operation], current: Current) -> Current:
        operation = change.operation
        if isinstance(operation, CreateApplication):
            return self._create_application(operation, current)
        application = current.application
        if application is None:
            raise AssertionError("the plan creates the application before what belongs to it")
        if isinstance(operation, CreateServicePrincipal):
            return self._create_service_principal(application, current)
        if isinstance(operation, CreateCredential):
            return self._create_credential(application, operation, current)
        return self._update_credential(application, operation, current)

    # Finding the application

    def _find(self) -> Application | None:
        if self._created_object_id is not None:
            created = self._created_object_id
            return self._patience.until(lambda: self._graph.application_by_object_id(created))
        unique_name = self._wish.application.unique_name
        if self._lost_creations == 1 and unique_name is not None:
            # Not at each further loss: a deleted application also holds its unique name, and never appears.
            return self._patience.until(lambda: self._graph.application_by_unique_name(unique_name))
        value = self._wish.application.value
        match self._wish.application.key:
            case ApplicationKey.OBJECT_ID:
                return self._existing(self._graph.application_by_object_id(value), "object ID")
            case ApplicationKey.APP_ID:
                return self._existing(self._graph.application_by_app_id(value), "client ID")
            case ApplicationKey.UNIQUE_NAME:
                return self._graph.application_by_unique_name(value)
            case ApplicationKey.DISPLAY_NAME:
                return self._by_display_name(value)

    def _existing(self, application: Application | None, what: str) -> Application:
        if application is None:
            raise errors.NotFound(
                f"There is no Entra application with the {what} {self._wish.application.value} in the tenant.",
                fix=f"Correct {self._wish.application.key.value}, or let display_name or unique_name create one.",
            )
        return application

    def _by_display_name(self, name: str) -> Application | None:
        found = self._graph.applications_by_display_name(name)
        exact = [application for application in found if application.display_name == name]
        if len(exact) == 1:
            return exact[0]
        if found:
            listed = ", ".join(f"{one.display_name} (object ID {one.object_id})" for one in exact or found)
            problem = f"{len(exact)} of them" if exact else "only others that differ in upper and lower case"
            raise errors.Ambiguous(
                f"The display name {name} must fit exactly one Entra application, but there are {problem}: {listed}.",
                fix="Name the right one by object_id or app_id, or choose another display name.",
            )
        # The filter above is eventually consistent and may miss an application that another run has just created.
        unique_name = self._wish.application.unique_name
        return None if unique_name is None else self._graph.application_by_unique_name(unique_name)

    # Changing the directory. What Graph has confirmed is waited for, so that the next run sees it, too.

    def _create_application(self, operation: CreateApplication, current: Current) -> Current:
        try:
            application = self._graph.create_application(operation.draft)
        except errors.Conflict:
            self._lost_creations += 1
            raise
        self._created_object_id = application.object_id
        self._patience.until(lambda: self._graph.application_by_object_id(application.object_id))
        return dataclasses.replace(current, application=application)

    def _create_service_principal(self, application: Application, current: Current) -> Current:
        tags = (ownership.ENTRA_TAG,)
        created = self._patience.retry(
            lambda: self._graph.create_service_principal(application.app_id, tags), NotYetVisible
        )
        self._patience.until(lambda: self._graph.service_principal(application.app_id))
        return dataclasses.replace(current, service_principal=created)

    def _create_credential(self, application: Application, operation: CreateCredential, current: Current) -> Current:
        object_id = application.object_id
        created = self._patience.retry(
            lambda: self._graph.create_credential(object_id, operation.name, operation.trust, ownership.DESCRIPTION),
            NotYetVisible,
        )
        self._await(object_id, created)
        return current.with_credential(created)

    def _update_credential(self, application: Application, operation: UpdateCredential, current: Current) -> Current:
        trust = operation.trust
        self._graph.update_credential(application.object_id, operation.credential, trust)
        updated = dataclasses.replace(
            operation.credential, issuer=trust.issuer, subject=trust.subject, audiences=trust.audiences
        )
        self._await(application.object_id, updated)
        return current.with_credential(updated)

    def _await(self, object_id: str, written: Credential) -> None:
        def seen() -> bool | None:
            try:
                return True if written in self._graph.credentials(object_id) else None
            except NotYetVisible:
                return None

        self._patience.until(seen)


def facts(current: Current, wish: Wish) -> dict[str, object]:
    """The module's return values."""
    application, principal = current.application, current.service_principal
    credential = credential_of(current, wish)
    return {
        "client_id": application.app_id if application else None,
        "object_id": application.object_id if application else None,
        "tenant_id": (principal.owner_tenant if principal else None) or wish.tenant,
        "service_principal_id": principal.object_id if principal else None,
        "credential": None if credential is None else {"id": credential.id, **_document(credential)},
    }


def run(params: Params, context: Context) -> Result:
    wish = Wish.from_params(params, check_mode=context.check_mode)
    with GraphClient(AzureSession(AzureAuth.from_params(params))) as graph:
        outcome = context.converge(EntraFederation(wish, graph, context))
    return Result.of(outcome, facts(outcome.state, wish))


DEFINITION: t.Final = ModuleDefinition(ARGUMENT_SPEC, run)
