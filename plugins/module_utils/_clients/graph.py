# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entra applications, their service principals and federated identity credentials by msgraph-sdk.

https://learn.microsoft.com/graph/api/resources/application. The library is asynchronous; each method here runs one
request to its end, all on one event loop, so that connections are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import typing as t
import urllib.parse

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import (
    Application,
    ApplicationDraft,
    Credential,
    ServicePrincipal,
    Trust,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import answers, azure, https, preload
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.graph_models import (
    Answer,
    ApplicationAnswer,
    ApplicationPage,
    CredentialAnswer,
    CredentialPage,
    Page,
    ServicePrincipalAnswer,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._waiting import pause_after_lost_race, seconds_of

try:
    import httpx
    from kiota_abstractions.api_error import APIError
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
    from kiota_http.kiota_client_factory import KiotaClientFactory
    from kiota_http.middleware import RetryHandler
    from msgraph.generated.applications.applications_request_builder import ApplicationsRequestBuilder
    from msgraph.generated.models.application import Application as SdkApplication
    from msgraph.generated.models.federated_identity_credential import FederatedIdentityCredential
    from msgraph.generated.models.o_data_errors.o_data_error import ODataError
    from msgraph.generated.models.service_principal import ServicePrincipal as SdkServicePrincipal
    from msgraph.graph_request_adapter import GraphRequestAdapter
    from msgraph.graph_service_client import GraphServiceClient
    from msgraph_core import GraphClientFactory  # type: ignore[import-untyped]  # it ships no type information
    from msgraph_core.middleware import GraphTelemetryHandler  # type: ignore[import-untyped]  # as above
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

if t.TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Mapping, Sequence

    from kiota_abstractions.request_information import RequestInformation
    from kiota_http.middleware import BaseMiddleware

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Transport

SERVICE = "Microsoft Graph"
TIMEOUT_SECONDS = 60.0
CONNECT_ATTEMPTS = 3

AnswerT = t.TypeVar("AnswerT")
ObjectT = t.TypeVar("ObjectT", bound=Answer)
PageT = t.TypeVar("PageT", bound=Page[t.Any])

#: What Graph always sends of an object, by the models' names.
_NEEDED: t.Final[Mapping[type[Answer], tuple[str, ...]]] = {
    ApplicationAnswer: ("id", "app_id"),
    ServicePrincipalAnswer: ("id",),
    CredentialAnswer: ("id",),
}

_CONFLICT_CODES = frozenset({"Directory_ConcurrencyViolation", "Request_MultipleObjectsWithSameKeyValue"})
#: Texts of a lost race that come with a general code and status 400.
_CONFLICT_TEXTS = ("same value for property uniqueName", "combination of issuer and subject must be unique")
_UNSEEN_TEXT = "does not reference a valid application object"

_PERMISSION_FIX = (
    "Grant the login the Graph application permission Application.ReadWrite.OwnedBy, which is enough for applications "
    "that it owns (it owns those that it creates; make it an owner of the others), or Application.ReadWrite.All, and "
    "give admin consent. Who is logged in as a user needs an Entra role in its place: Application Developer, with "
    "which it owns what it creates, or Cloud Application Administrator."
)
_AGAIN_FIX = "Run again: what was done is found, and the rest is done."
_THROTTLED_FIX = "Microsoft Graph throttles the tenant's requests: run again later, or with fewer clusters at once."
_CONFLICT_FIX = "Run again when nobody else changes the application."
_UNIQUE_NAME_FIX = (
    "If no application shows that name, a deleted one still holds it: restore it, delete it for good in the tenant's "
    "deleted applications, or choose another name."
)


#: What msgraph-sdk and httpx import at the first request.
_LATER: t.Final = (
    "anyio._backends._asyncio",
    "httpcore",
    "httpcore._async.http2",
    "msgraph.generated.applications.item.application_item_request_builder",
    "msgraph.generated.applications.item.federated_identity_credentials.federated_identity_credentials_request_builder",
    "msgraph.generated.applications_with_app_id.applications_with_app_id_request_builder",
    "msgraph.generated.applications_with_unique_name.applications_with_unique_name_request_builder",
    "msgraph.generated.models.o_data_errors.main_error",
    "msgraph.generated.service_principals_with_app_id.service_principals_with_app_id_request_builder",
)


def load_libraries() -> None:
    """Import what the libraries put off: once for all workers, if it is done before they are forked."""
    if IMPORT_ERROR is None:
        azure.load_libraries()
        preload.load(_LATER)


class _Readable(t.Protocol):
    """A builder of the library's."""

    def to_get_request_information(self) -> RequestInformation:
        """What a GET would ask."""

    def with_url(self, raw_url: str) -> _Readable:
        """The builder of another address."""


class NotYetVisible(errors.CloudError):
    """A request builds on an object that Graph does not know: a new one needs time to reach all replicas."""


class GraphClient:
    """Microsoft Graph for one login. Use it as a context manager, which closes its connections and its event loop."""

    def __init__(self, session: azure.AzureSession) -> None:
        if IMPORT_ERROR is not None:
            raise errors.MissingLibrary("msgraph-sdk", IMPORT_ERROR)
        host = session.cloud.graph
        base_url = f"https://{host}/v1.0"
        provider = AzureIdentityAuthenticationProvider(
            session.credential,
            scopes=[session.cloud.graph_scope],
            allowed_hosts=[urllib.parse.urlsplit(base_url).hostname or host],  # they are compared without port
        )
        self._http = GraphClientFactory.create_with_custom_middleware(
            _middleware(), client=_http_client(base_url, session.auth.transport)
        )
        adapter = GraphRequestAdapter(provider, client=self._http)
        adapter.base_url = base_url
        self._adapter = adapter
        self._graph = GraphServiceClient(request_adapter=adapter)
        self._runner = asyncio.Runner()

    def __enter__(self) -> GraphClient:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._runner.run(self._http.aclose())
        self._runner.close()

    # Applications

    def application_by_object_id(self, object_id: str) -> Application | None:
        builder = self._graph.applications.by_application_id(object_id)
        return _application(
            self._read(builder, ApplicationAnswer, f"reading the application with object ID {object_id}")
        )

    def application_by_app_id(self, app_id: str) -> Application | None:
        builder = self._graph.applications_with_app_id(app_id)
        action = f"reading the application with client ID {app_id}"
        return _application(self._read(builder, ApplicationAnswer, action))

    def application_by_unique_name(self, unique_name: str) -> Application | None:
        builder = self._graph.applications_with_unique_name(_quoted(unique_name))
        return _application(
            self._read(builder, ApplicationAnswer, f"reading the application with unique name {unique_name}")
        )

    def applications_by_display_name(self, display_name: str) -> tuple[Application, ...]:
        """All applications of that name; Graph ignores case here. New ones may be missing for a while."""
        query = ApplicationsRequestBuilder.ApplicationsRequestBuilderGetQueryParameters(
            filter=f"displayName eq '{_quoted(display_name)}'",
            select=["id", "appId", "displayName", "uniqueName", "tags", "passwordCredentials", "keyCredentials"],
        )
        action = f"looking for applications named {display_name}"
        configuration = RequestConfiguration(query_parameters=query)
        request = self._graph.applications.to_get_request_information(configuration)
        pages = self._pages(request, ApplicationPage, self._graph.applications, action)
        found = (_application(value) for page in pages for value in page.value or ())
        return tuple(application for application in found if application is not None)

    def create_application(self, draft: ApplicationDraft) -> Application:
        """Create an application; with a unique name by upsert, the documented way to set one at creation.

        https://learn.microsoft.com/graph/api/application-upsert. Raises Conflict when another writer has created an
        application of that unique name in the meantime: it then has the draft's properties, too.
        """
        action = f"creating the application {draft.display_name}"
        body = SdkApplication(
            display_name=draft.display_name, sign_in_audience=draft.sign_in_audience, tags=list(draft.tags)
        )
        if draft.unique_name is None:
            request = self._graph.applications.to_post_request_information(body)
            return _created(_application(self._write(request, ApplicationAnswer, action)), action)
        configuration: RequestConfiguration[t.Any] = RequestConfiguration()
        configuration.headers.add("Prefer", "create-if-missing")
        builder = self._graph.applications_with_unique_name(_quoted(draft.unique_name))
        request = builder.to_patch_request_information(body, configuration)
        created = _application(self._write(request, ApplicationAnswer, action))
        if created is None:  # 204: there was one
            detail = f"another writer created an application with the unique name {draft.unique_name}"
            raise _conflict(action, detail=detail, status=204, fix=_CONFLICT_FIX)
        return created

    def delete_application(self, application: Application) -> None:
        """Move an application to the tenant's deleted items. Nothing happens to one that is gone already."""
        builder = self._graph.applications.by_application_id(application.object_id)
        self._delete(builder.to_delete_request_information(), f"deleting the application {application.display_name}")

    # Service principals

    def service_principal(self, app_id: str) -> ServicePrincipal | None:
        builder = self._graph.service_principals_with_app_id(app_id)
        action = f"reading the service principal of the application {app_id}"
        return _service_principal(self._read(builder, ServicePrincipalAnswer, action))

    def create_service_principal(self, app_id: str, tags: Sequence[str]) -> ServicePrincipal:
        action = f"creating the service principal of the application {app_id}"
        body = SdkServicePrincipal(app_id=app_id, tags=list(tags))
        request = self._graph.service_principals.to_post_request_information(body)
        return _created(_service_principal(self._write(request, ServicePrincipalAnswer, action)), action)

    def delete_service_principal(self, principal: ServicePrincipal, application: str) -> None:
        """Nothing happens to one that is gone already."""
        builder = self._graph.service_principals.by_service_principal_id(principal.object_id)
        action = f"deleting the service principal of the application {application}"
        self._delete(builder.to_delete_request_information(), action)

    # Federated identity credentials

    def credentials(self, object_id: str) -> tuple[Credential, ...]:
        """All credentials of an application. Raises NotYetVisible for an unknown one."""
        action = f"reading the federated identity credentials of the application {object_id}"
        builder = self._graph.applications.by_application_id(object_id).federated_identity_credentials
        pages = self._pages(builder.to_get_request_information(), CredentialPage, builder, action)
        return tuple(_credential(value) for page in pages for value in page.value or ())

    def create_credential(self, object_id: str, name: str, trust: Trust, description: str) -> Credential:
        """Raises Conflict when the name or the trust exists already, NotYetVisible for an unknown application."""
        action = f"creating the federated identity credential {name}"
        body = FederatedIdentityCredential(
            name=name,
            issuer=trust.issuer,
            subject=trust.subject,
            audiences=list(trust.audiences),
            description=description,
        )
        builder = self._graph.applications.by_application_id(object_id).federated_identity_credentials
        answer = self._write(builder.to_post_request_information(body), CredentialAnswer, action)
        return _created(None if answer is None else _credential(answer), action)

    def update_credential(self, object_id: str, credential: Credential, trust: Trust) -> None:
        """Change what the credential trusts; its name can't change, its description is left alone."""
        body = FederatedIdentityCredential(issuer=trust.issuer, subject=trust.subject, audiences=list(trust.audiences))
        builder = self._graph.applications.by_application_id(object_id).federated_identity_credentials
        one = builder.by_federated_identity_credential_id(credential.id)
        action = f"changing the federated identity credential {credential.name}"
        self._write(one.to_patch_request_information(body), CredentialAnswer, action)

    def delete_credential(self, object_id: str, credential: Credential) -> None:
        """Nothing happens to one that is gone already."""
        builder = self._graph.applications.by_application_id(object_id).federated_identity_credentials
        self._delete(
            builder.by_federated_identity_credential_id(credential.id).to_delete_request_information(),
            f"deleting the federated identity credential {credential.name}",
        )

    # How requests are run

    def _read(self, builder: _Readable, kind: type[ObjectT], action: str) -> ObjectT | None:
        """The answer, or None for an object that does not exist."""
        try:
            return self._run(self._sent(builder.to_get_request_information(), kind), action)
        except NotYetVisible:
            return None

    def _pages(self, first: RequestInformation, kind: type[PageT], builder: _Readable, action: str) -> Iterator[PageT]:
        """All pages of a collection. ``builder`` is that of its requests."""
        request: RequestInformation | None = first
        while request is not None:
            page = self._run(self._sent(request, kind), action)
            if page is None:
                return
            yield page
            link = page.odata_next_link
            request = builder.with_url(link).to_get_request_information() if link else None

    def _write(self, request: RequestInformation, kind: type[ObjectT], action: str) -> ObjectT | None:
        """The answer to a change. Raises Interrupted when it stays open whether the change was made."""
        return self._run(self._sent(request, kind), action, writes=True)

    def _delete(self, request: RequestInformation, action: str) -> None:
        """Raises Interrupted when it stays open whether the object was deleted."""
        with contextlib.suppress(NotYetVisible):  # gone already
            if self._write(request, ApplicationAnswer, action) is not None:  # Graph answers a deletion by 204
                raise answers.malformed(SERVICE, action, writes=True)

    async def _sent(self, request: RequestInformation, kind: type[ObjectT]) -> ObjectT | None:
        """What ``get``, ``post`` and ``patch`` of the library's builders do, but for the model of the answer."""
        models: t.Any = kind  # a model to the library, though not one of its own
        answer: ObjectT | None = await self._adapter.send_async(request, models, {"4XX": ODataError, "5XX": ODataError})
        return answer

    def _run(self, request: Awaitable[AnswerT], action: str, *, writes: bool = False) -> AnswerT:
        async def answer() -> AnswerT:
            return await request

        try:
            with azure.login_errors(SERVICE, action), answers.understood(SERVICE, action, writes=writes):
                found = self._runner.run(answer())
        except APIError as error:
            raise refusal(error, action, writes=writes) from error
        except httpx.HTTPError as error:
            detail = f"{type(error).__name__}: {error}"
            if writes and not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)):
                raise errors.Interrupted(service=SERVICE, action=action, detail=detail, fix=_AGAIN_FIX) from error
            raise azure.unreachable(SERVICE, action, detail) from error
        if not _is_whole(found):
            raise answers.malformed(SERVICE, action, writes=writes)
        return found


def _http_client(base_url: str, transport: Transport) -> httpx.AsyncClient:
    verify: ssl.SSLContext | bool = True  # httpx's own roots, or SSL_CERT_FILE's
    if transport.ca_bundle:
        verify = ssl.create_default_context(cafile=transport.ca_bundle)
    return httpx.AsyncClient(
        timeout=TIMEOUT_SECONDS,
        transport=httpx.AsyncHTTPTransport(
            verify=verify, proxy=https.proxy_for(base_url, transport), retries=CONNECT_ATTEMPTS - 1
        ),
    )


def _middleware() -> list[BaseMiddleware]:
    """The library's own, but that after 503 and 504 only reads are repeated.

    A write may have been done all the same, and what its repetition meets would be taken for another writer's work.
    """
    throttled, unavailable = RetryHandler(), RetryHandler()
    throttled.retry_on_status_codes = {429}
    unavailable.retry_on_status_codes, unavailable.allowed_methods = {503, 504}, frozenset({"GET"})
    return [
        chosen
        for handler in (*KiotaClientFactory.get_default_middleware(None), GraphTelemetryHandler())
        for chosen in ((throttled, unavailable) if isinstance(handler, RetryHandler) else (handler,))
    ]


def _quoted(text: str) -> str:
    """Inside an OData string literal
    (https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part2-url-conventions.html, 5.1.1.14.1)."""
    return text.replace("'", "''")


def _created(value: AnswerT | None, action: str) -> AnswerT:
    if value is None:
        raise answers.malformed(SERVICE, action, writes=True)
    return value


def _is_whole(answer: object) -> bool:
    """Whether an answer has what Graph always sends of its objects."""
    if isinstance(answer, Page):
        return all(_is_whole(value) for value in answer.value or ())
    return all(getattr(answer, name) for kind, names in _NEEDED.items() if isinstance(answer, kind) for name in names)


def _application(value: ApplicationAnswer | None) -> Application | None:
    if value is None:
        return None
    return Application(
        object_id=str(value.id),
        app_id=str(value.app_id),
        display_name=value.display_name or "",
        unique_name=value.unique_name,
        tags=tuple(value.tags or ()),
        secrets=len(value.password_credentials or ()) + len(value.key_credentials or ()),
    )


def _service_principal(value: ServicePrincipalAnswer | None) -> ServicePrincipal | None:
    if value is None:
        return None
    owner = value.app_owner_organization_id
    return ServicePrincipal(
        object_id=str(value.id),
        owner_tenant=None if owner is None else str(owner),
        tags=tuple(value.tags or ()),
        enabled=value.account_enabled is not False and not value.is_disabled,
    )


def _credential(value: CredentialAnswer) -> Credential:
    return Credential(
        id=str(value.id),
        name=value.name or "",
        issuer=value.issuer or "",
        subject=value.subject,
        audiences=tuple(value.audiences or ()),
        description=value.description,
    )


def refusal(error: APIError, action: str, *, writes: bool) -> errors.CloudError:
    answer = error.error if isinstance(error, ODataError) else None
    headers = {name.lower(): value for name, value in (error.response_headers or {}).items()}
    code = (answer.code if answer else None) or ""
    detail = (answer.message if answer else None) or error.message or ""
    status = error.response_status_code or 0
    inner = answer.inner_error if answer else None
    request_id = (inner.request_id if inner else None) or headers.get("request-id", "")
    # The SDK's own retries are used up when a 429 comes this far.
    if status in (409, 429) or code in _CONFLICT_CODES or any(text in detail for text in _CONFLICT_TEXTS):
        fix = _UNIQUE_NAME_FIX if _CONFLICT_TEXTS[0] in detail else _CONFLICT_FIX
        if status == 429:
            fix = _THROTTLED_FIX
        return _conflict(
            action,
            code=code,
            status=status,
            detail=detail,
            request_id=request_id,
            fix=fix,
            retry_after=headers.get("retry-after", ""),
        )
    kind: type[errors.CloudError] = errors.CloudError
    fix = ""
    if status == 403:
        kind, fix = errors.Forbidden, _PERMISSION_FIX
    elif status == 401:
        fix = "The login's token is not accepted: check tenant (AZURE_TENANT_ID) and cloud_environment."
    elif status == 404 or _UNSEEN_TEXT in detail:
        kind = NotYetVisible
    elif status >= 500 and writes:
        kind, fix = errors.Interrupted, _AGAIN_FIX
    refused = kind(
        service=SERVICE, action=action, code=code, status=status, detail=detail, request_id=request_id, fix=fix
    )
    if isinstance(refused, errors.Interrupted):
        refused.retry_after = seconds_of(headers.get("retry-after", ""))
    return refused


def _conflict(action: str, *, retry_after: str = "", **details: t.Any) -> errors.Conflict:
    """A lost race."""
    conflict = errors.Conflict(service=SERVICE, action=action, **details)
    conflict.retry_after = pause_after_lost_race(retry_after)
    return conflict
