# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A federated identity credential, by which an application or managed identity trusts a Kubernetes service account.

https://learn.microsoft.com/graph/api/resources/federatedidentitycredential for applications, with their service
principal; https://learn.microsoft.com/rest/api/managedidentity/federated-identity-credentials for identities.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _ownership as ownership
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import (
    Application,
    Credential,
    IdentityRef,
    ManagedIdentity,
    ServicePrincipal,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import oidc_discovery
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.azure import AzureSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.graph import (
    SERVICE,
    GraphClient,
    NotYetVisible,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.managed_identity import IdentityClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, FederationError
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AzureAuth, Params, State, Transport
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Change, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import (
    entra_application,
    entra_credentials,
    entra_lookup,
    refused_changes,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_application import (
    ApplicationChoice,
    CreateApplication,
    CreateServicePrincipal,
    DeleteApplication,
    DeleteServicePrincipal,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_credentials import (
    CreateCredential,
    CredentialPlan,
    DeleteCredential,
    Holder,
    IssuerState,
    UpdateCredential,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_wish import ARGUMENT_SPEC, Wish
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, ModuleDefinition, Result
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._waiting import Patience

#: How long a change may take to reach all of the directory's replicas.
REPLICATION_SECONDS = 120.0

Operation: t.TypeAlias = "entra_application.Operation | entra_credentials.Operation"
ValueT = t.TypeVar("ValueT")


@dataclasses.dataclass(frozen=True)
class Current:
    """What the directory holds. The service principal is not read where none is wished for.

    ``issuers`` says of issuers of other credentials whether they are gone, as far as that was asked for.
    """

    application: Application | None = None
    service_principal: ServicePrincipal | None = None
    credentials: tuple[Credential, ...] = ()
    issuers: t.Mapping[str, IssuerState] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class IdentityCurrent:
    """A managed identity and its credentials. ``issuers`` is that of :class:`Current`."""

    identity: ManagedIdentity
    credentials: tuple[Credential, ...] = ()
    issuers: t.Mapping[str, IssuerState] = dataclasses.field(default_factory=dict)


def plan(current: Current, wish: Wish) -> Plan[Operation, Current]:
    """What must be created, changed or deleted. Raises Refused when the application can't take or lose a credential."""
    if wish.state is State.ABSENT:
        return _plan_absence(current, wish)
    return refused_changes.planned(
        lambda force: _plan_presence(current, wish.forced(force=force)), force=wish.credential.force
    )


def _plan_presence(current: Current, wish: Wish) -> Plan[Operation, Current]:
    choice = _choice(wish)
    changes: list[Change[Operation]] = []
    warnings: list[str] = []
    predicted = current
    if current.application is None:
        draft = choice.draft()
        changes.append(entra_application.application_creation(draft))
        unknown = Application(
            KNOWN_AFTER_APPLY, KNOWN_AFTER_APPLY, draft.display_name, draft.unique_name, tags=draft.tags
        )
        predicted = dataclasses.replace(predicted, application=unknown)
        title = draft.display_name
    else:
        title = current.application.display_name
        adoption = entra_application.adoption_warning(current.application, choice)
        warnings += [adoption] if adoption else []
    if wish.service_principal and current.service_principal is None:
        changes.append(entra_application.principal_creation(title))
        owner = wish.tenant or KNOWN_AFTER_APPLY
        tags = (ownership.ENTRA_TAG,)
        predicted = dataclasses.replace(predicted, service_principal=ServicePrincipal(KNOWN_AFTER_APPLY, owner, tags))
    holder = _application_holder(title)
    credentials = _present(current.credentials, wish, holder, current.issuers)
    return Plan(
        changes=(*changes, *credentials.changes),
        predicted=dataclasses.replace(predicted, credentials=credentials.credentials),
        warnings=(*warnings, *credentials.warnings),
    )


def _plan_absence(current: Current, wish: Wish) -> Plan[Operation, Current]:
    application = current.application
    if application is None:
        return Plan((), current)
    holder = _application_holder(application.display_name)
    credentials = _absent(current.credentials, wish, holder)
    removal = entra_application.plan_removal(application, current.service_principal, credentials.credentials)
    predicted = dataclasses.replace(
        current,
        application=application if removal.application_stays else None,
        service_principal=current.service_principal if removal.principal_stays else None,
        credentials=credentials.credentials,
    )
    return Plan((*credentials.changes, *removal.changes), predicted, (*credentials.warnings, *removal.warnings))


def plan_identity(current: IdentityCurrent, wish: Wish) -> Plan[Operation, IdentityCurrent]:
    """What must be done with the credentials of a managed identity; the identity itself is never changed."""
    if wish.state is State.ABSENT:
        return _plan_identity(current, wish)
    return refused_changes.planned(
        lambda force: _plan_identity(current, wish.forced(force=force)), force=wish.credential.force
    )


def _plan_identity(current: IdentityCurrent, wish: Wish) -> Plan[Operation, IdentityCurrent]:
    holder = Holder(str(wish.holder), marks=False)
    credentials: CredentialPlan
    if wish.state is State.PRESENT:
        credentials = _present(current.credentials, wish, holder, current.issuers)
    else:
        credentials = _absent(current.credentials, wish, holder)
    predicted = dataclasses.replace(current, credentials=credentials.credentials)
    return Plan(credentials.changes, predicted, credentials.warnings)


def _present(
    credentials: tuple[Credential, ...], wish: Wish, holder: Holder, issuers: t.Mapping[str, IssuerState]
) -> CredentialPlan:
    return entra_credentials.plan_all(
        credentials,
        wish.credentials,
        lambda present, one: entra_credentials.plan_presence(present, one, holder, issuers),
    )


def _absent(credentials: tuple[Credential, ...], wish: Wish, holder: Holder) -> CredentialPlan:
    return entra_credentials.plan_all(
        credentials,
        wish.credentials,
        lambda present, one: entra_credentials.plan_absence(present, one, holder),
    )


def _states(
    credentials: tuple[Credential, ...], wish: Wish, issuer_state: t.Callable[[str], IssuerState]
) -> dict[str, IssuerState]:
    """What is found out about the issuers on which the plan depends: none in a run that has nothing to replace."""
    if wish.state is State.ABSENT:
        return {}
    return {one: issuer_state(one) for one in sorted(entra_credentials.doubtful_issuers(credentials, wish.credentials))}


def _application_holder(name: str) -> Holder:
    return Holder(f"application {name}", marks=True)


def _choice(wish: Wish) -> ApplicationChoice:
    if isinstance(wish.holder, ApplicationChoice):
        return wish.holder
    raise AssertionError("a managed identity is another resource")


class Replication:
    """Bounded waiting until the directory shows what it has confirmed, and an account of it."""

    def __init__(self, context: Context) -> None:
        self._sleep = context.sleep
        self._patience = Patience(REPLICATION_SECONDS, sleep=self._wait, monotonic=context.monotonic)
        self._waited = 0.0
        self._missed = False

    def until(self, seen: t.Callable[[], bool]) -> None:
        """Wait until this is so. What doesn't become so within the limit is left to the service."""
        try:
            shown = self._patience.until(lambda: seen() or None)
        except errors.AksAmpError as error:
            error.accepted = True  # what was confirmed is there; only the look at it failed
            raise
        if shown is None:
            self._missed = True

    def find(self, look: t.Callable[[], ValueT | None]) -> ValueT | None:
        """Wait until there is something; None when nothing has appeared within the limit."""
        return self._patience.until(look)

    def retry(self, attempt: t.Callable[[], ValueT]) -> ValueT:
        """The answer of a request that builds on an object that may be too new for Graph to know it."""
        return self._patience.retry(attempt, NotYetVisible)

    def warnings(self) -> tuple[str, ...]:
        if self._missed:
            missed = f"The directory did not show all changes within {REPLICATION_SECONDS:.0f} seconds. They are "
            return (f"{missed}accepted, but a run right after this one may not see them yet.",)
        if self._waited:
            return (f"Waited {self._waited:.0f} seconds until the directory's replicas showed the changes.",)
        return ()

    def _wait(self, seconds: float) -> None:
        self._waited += seconds
        self._sleep(seconds)


class EntraFederation:
    """Application, service principal and credentials as one resource.

    ``issuer_state`` finds out about an issuer; it is asked only about those of credentials that may be pruned, or be
    pointed at another issuer.
    """

    def __init__(
        self,
        wish: Wish,
        graph: GraphClient,
        replication: Replication,
        issuer_state: t.Callable[[str], IssuerState],
    ) -> None:
        self._wish = wish
        self._choice = _choice(wish)
        self._graph = graph
        self._replication = replication
        self._issuer_state = issuer_state
        # Look-ups by name may miss for a while what this run, or another one at the same time, has created.
        self._created_object_id: str | None = None
        self._lost_creations = 0
        self._deleted_credentials: set[str] = set()  # IDs; a replica may show them for a while

    def read(self) -> Current:
        application = self._find()
        if application is None:
            return Current()
        object_id = application.object_id
        principal_matters = self._wish.service_principal or self._wish.state is State.ABSENT
        principal = self._graph.service_principal(application.app_id) if principal_matters else None
        credentials = self._replication.retry(lambda: self._graph.credentials(object_id))
        return Current(
            application=application,
            service_principal=principal,
            credentials=credentials,
            issuers=_states(credentials, self._wish, self._issuer_state),
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
        match operation:
            case CreateServicePrincipal():
                return self._create_service_principal(application, current)
            case DeleteServicePrincipal():
                return self._delete_service_principal(application, operation, current)
            case DeleteApplication():
                return self._delete_application(operation, current)
            case CreateCredential():
                return self._create_credential(application, operation, current)
            case UpdateCredential():
                return self._update_credential(application, operation, current)
            case DeleteCredential():
                return self._delete_credential(application, operation, current)

    # Finding the application

    def _find(self) -> Application | None:
        if self._created_object_id is not None:
            created = self._created_object_id
            return self._replication.find(lambda: self._graph.application_by_object_id(created))
        unique_name = self._choice.unique_name
        if self._lost_creations == 1 and unique_name is not None:
            # Not at each further loss: a deleted application also holds its unique name, and never appears.
            return self._replication.find(lambda: self._graph.application_by_unique_name(unique_name))
        application = entra_lookup.find_application(self._graph, self._choice)
        if application is None and self._choice.names_existing and self._wish.state is State.PRESENT:
            raise errors.NotFound(
                f"There is no {self._choice} in the tenant.",
                fix=f"Correct {self._choice.key.value}, or let display_name or unique_name create one.",
            )
        return application

    # Changing the directory, one request after the other. What Graph has confirmed is waited for, so that the next
    # run sees it, too.

    def _create_application(self, operation: CreateApplication, current: Current) -> Current:
        try:
            application = self._graph.create_application(operation.draft)
        except errors.Conflict:
            self._lost_creations += 1
            raise
        self._created_object_id = application.object_id
        self._replication.until(lambda: self._graph.application_by_object_id(application.object_id) is not None)
        return dataclasses.replace(current, application=application)

    def _create_service_principal(self, application: Application, current: Current) -> Current:
        tags = (ownership.ENTRA_TAG,)
        created = self._replication.retry(lambda: self._graph.create_service_principal(application.app_id, tags))
        self._replication.until(lambda: self._graph.service_principal(application.app_id) is not None)
        return dataclasses.replace(current, service_principal=created)

    def _delete_service_principal(
        self, application: Application, operation: DeleteServicePrincipal, current: Current
    ) -> Current:
        if self._removal_now(application, current).principal_stays:
            raise _came_into_use("service principal of the application", application)
        self._graph.delete_service_principal(operation.principal, application.display_name)
        self._replication.until(lambda: self._graph.service_principal(application.app_id) is None)
        return dataclasses.replace(current, service_principal=None)

    def _delete_application(self, operation: DeleteApplication, current: Current) -> Current:
        if self._removal_now(operation.application, current).application_stays:
            raise _came_into_use("application", operation.application)
        self._graph.delete_application(operation.application)
        object_id = operation.application.object_id
        self._replication.until(lambda: self._graph.application_by_object_id(object_id) is None)
        return dataclasses.replace(current, application=None, service_principal=None)

    def _create_credential(self, application: Application, operation: CreateCredential, current: Current) -> Current:
        object_id = application.object_id
        created = self._replication.retry(
            lambda: self._graph.create_credential(
                object_id, operation.name, operation.trust, operation.description or ownership.DESCRIPTION
            )
        )
        self._replication.until(lambda: created in self._credentials(object_id))
        return _with_credentials(current, entra_credentials.replaced(current.credentials, created))

    def _update_credential(self, application: Application, operation: UpdateCredential, current: Current) -> Current:
        trust = operation.trust
        self._graph.update_credential(application.object_id, operation.credential, trust)
        updated = dataclasses.replace(
            operation.credential, issuer=trust.issuer, subject=trust.subject, audiences=trust.audiences
        )
        self._replication.until(lambda: updated in self._credentials(application.object_id))
        return _with_credentials(current, entra_credentials.replaced(current.credentials, updated))

    def _delete_credential(self, application: Application, operation: DeleteCredential, current: Current) -> Current:
        deleted = operation.credential
        self._graph.delete_credential(application.object_id, deleted)
        self._deleted_credentials.add(deleted.id)
        self._replication.until(lambda: all(one.id != deleted.id for one in self._credentials(application.object_id)))
        return _with_credentials(current, entra_credentials.without(current.credentials, deleted))

    def _removal_now(self, application: Application, current: Current) -> entra_application.Removal:
        """What would be removed by what Graph shows now: another run may have come to share the application."""
        found = self._graph.application_by_object_id(application.object_id) or application
        credentials = self._credentials(application.object_id)
        left = [one for one in credentials if one.id not in self._deleted_credentials]
        return entra_application.plan_removal(found, current.service_principal, left)

    def _credentials(self, object_id: str) -> tuple[Credential, ...]:
        try:
            return self._graph.credentials(object_id)
        except NotYetVisible:
            return ()


def _came_into_use(what: str, application: Application) -> errors.Conflict:
    return errors.Conflict(
        service=SERVICE,
        action=f"deleting the {what} {application.display_name}",
        detail="the application has come into use since it was read",
        fix="Run again when nobody else changes the application.",
    )


def _with_credentials(current: Current, credentials: tuple[Credential, ...]) -> Current:
    return dataclasses.replace(current, credentials=credentials)


class IdentityFederation:
    """The credentials of a user-assigned managed identity. Azure takes one write at a time for an identity."""

    def __init__(
        self, wish: Wish, ref: IdentityRef, client: IdentityClient, issuer_state: t.Callable[[str], IssuerState]
    ) -> None:
        self._wish = wish
        self._ref = ref
        self._client = client
        self._issuer_state = issuer_state

    def read(self) -> IdentityCurrent:
        identity, credentials = self._client.identity(self._ref), self._client.credentials(self._ref)
        return IdentityCurrent(identity, credentials, _states(credentials, self._wish, self._issuer_state))

    def plan(self, current: IdentityCurrent) -> Plan[Operation, IdentityCurrent]:
        return plan_identity(current, self._wish)

    def apply(self, change: Change[Operation], current: IdentityCurrent) -> IdentityCurrent:
        operation = change.operation
        match operation:
            case CreateCredential():
                written = self._client.put_credential(self._ref, operation.name, operation.trust)
            case UpdateCredential():
                written = self._client.put_credential(self._ref, operation.credential.name, operation.trust)
            case DeleteCredential():
                self._client.delete_credential(self._ref, operation.credential.name)
                left = entra_credentials.without(current.credentials, operation.credential)
                return dataclasses.replace(current, credentials=left)
            case _:
                raise AssertionError("a managed identity has nothing but credentials")
        return dataclasses.replace(current, credentials=entra_credentials.replaced(current.credentials, written))


class IssuerProbe:
    """Asks an issuer's host whether the issuer is still there."""

    def __init__(self, transport: Transport) -> None:
        self._http = HttpClient(transport)

    def state(self, issuer: str) -> IssuerState:
        """GONE only for a 404, which a host that is reached and trusted gives for a cluster that is no more."""
        try:
            oidc_discovery.discover(self._http, issuer)
        except oidc_discovery.NotPublished as error:
            return IssuerState.GONE if error.status == 404 else IssuerState.UNKNOWN
        except errors.Refused:
            return IssuerState.FOUND  # a document, though one that names another issuer
        except (errors.CloudError, FederationError):
            return IssuerState.UNKNOWN
        return IssuerState.FOUND


def facts(current: Current, wish: Wish) -> dict[str, object]:
    """The module's return values for an application."""
    application, principal = current.application, current.service_principal
    return {
        "client_id": application.app_id if application else None,
        "object_id": application.object_id if application else None,
        "tenant_id": (principal.owner_tenant if principal else None) or wish.tenant,
        "service_principal_id": principal.object_id if principal else None,
        **_credential_facts(current.credentials, wish),
    }


def identity_facts(current: IdentityCurrent, wish: Wish) -> dict[str, object]:
    """The module's return values for a managed identity, which is its own service principal."""
    identity = current.identity
    return {
        "client_id": identity.client_id,
        "object_id": identity.principal_id,
        "tenant_id": identity.tenant_id or wish.tenant,
        "service_principal_id": identity.principal_id,
        **_credential_facts(current.credentials, wish),
    }


def _credential_facts(credentials: t.Sequence[Credential], wish: Wish) -> dict[str, object]:
    """The credential of the service account, and those of it and the further ones."""
    wishes = wish.credentials if wish.state is State.PRESENT else ()
    found = [entra_credentials.find(credentials, one) for one in wishes]
    shown = [{"id": one.id, **entra_credentials.document(one)} for one in found if one is not None]
    return {"credential": shown[0] if shown else None, "credentials": shown}


def run(params: Params, context: Context) -> Result:
    wish = Wish.from_params(params, check_mode=context.check_mode)
    session = AzureSession(AzureAuth.from_params(params))
    probe = IssuerProbe(session.auth.transport)
    if isinstance(wish.holder, IdentityRef):
        return _run_on_identity(wish, wish.holder, session, probe, context)
    replication = Replication(context)
    with GraphClient(session) as graph:
        outcome = context.converge(EntraFederation(wish, graph, replication, probe.state))
    values = {**facts(outcome.state, wish), "kept": _kept(outcome.warnings)}
    return Result(values, outcome.changes, (*outcome.warnings, *replication.warnings()))


def _run_on_identity(
    wish: Wish, ref: IdentityRef, session: AzureSession, probe: IssuerProbe, context: Context
) -> Result:
    with IdentityClient(session) as client:
        outcome = context.converge(IdentityFederation(wish, ref, client, probe.state))
    return Result.of(outcome, {**identity_facts(outcome.state, wish), "kept": _kept(outcome.warnings)})


def _kept(warnings: t.Iterable[str]) -> list[str]:
    """Those warnings that say that something stays."""
    return [warning for warning in warnings if " is kept" in warning]


DEFINITION: t.Final = ModuleDefinition(ARGUMENT_SPEC, run)
