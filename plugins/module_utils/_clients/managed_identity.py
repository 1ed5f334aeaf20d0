# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""User-assigned managed identities and their federated identity credentials through Azure Resource Manager.

https://learn.microsoft.com/rest/api/managedidentity/federated-identity-credentials. Four requests need no library of
their own: they go through the pipeline of azure-mgmt-core, on which azure-mgmt-containerservice is built.
"""

from __future__ import annotations

import contextlib
import typing as t
import urllib.parse
from collections.abc import Mapping

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import (
    Credential,
    IdentityRef,
    ManagedIdentity,
    Trust,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import answers, azure
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm_errors import leaves_open, open_outcomes
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.json_text import parse_json
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._waiting import pause_after_lost_race

try:
    from azure.core.exceptions import AzureError, HttpResponseError
    from azure.core.pipeline.policies import (
        HeadersPolicy,
        ProxyPolicy,
        RequestIdPolicy,
        RetryPolicy,
        UserAgentPolicy,
    )
    from azure.core.rest import HttpRequest
    from azure.mgmt.core import ARMPipelineClient
    from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

SERVICE = "Azure Resource Manager"
LIBRARY = "azure-mgmt-core"
API_VERSION = "2023-01-31"
_TYPE = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"

#: Writes to one identity's credentials must come one after the other.
_CONCURRENT_CODE = "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity"
_TAKEN_TEXT = "Issuer and subject combination already exists"
_ROLE_FIX = "on the identity to the login, for example by the role Managed Identity Contributor."
_CONFLICT_FIX = "Run again when nobody else changes the managed identity's credentials."
_THROTTLED_FIX = "Azure throttles requests for a managed identity: run again later, or with fewer clusters at once."


class IdentityClient:
    """Managed identities for one login. Use it as a context manager, which closes its connections."""

    def __init__(self, session: azure.AzureSession) -> None:
        if IMPORT_ERROR is not None:
            raise errors.MissingLibrary(LIBRARY, IMPORT_ERROR)
        self._base_url = f"https://{session.cloud.arm}"
        options = session.transport_options
        self._client: ARMPipelineClient[t.Any, t.Any] = ARMPipelineClient(
            self._base_url,
            policies=[
                RequestIdPolicy(),
                HeadersPolicy(),
                UserAgentPolicy(),
                ProxyPolicy(**options),
                RetryPolicy(),  # 429 and 5xx, with the service's Retry-After
                ARMChallengeAuthenticationPolicy(session.credential, session.cloud.arm_scope),
            ],
            **options,
        )

    def __enter__(self) -> IdentityClient:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._client.close()

    def identity(self, ref: IdentityRef) -> ManagedIdentity:
        """The identity. Raises NotFound when it, its group or the subscription is not there or not visible."""
        body = self._send(
            "GET", _path(ref), ref, f"reading {ref}", "Microsoft.ManagedIdentity/userAssignedIdentities/read"
        )
        properties = body.get("properties")
        values = properties if isinstance(properties, Mapping) else {}
        return ManagedIdentity(
            client_id=_text(values, "clientId"),
            principal_id=_text(values, "principalId"),
            tenant_id=_text(values, "tenantId"),
        )

    def credentials(self, ref: IdentityRef) -> tuple[Credential, ...]:
        """All credentials of an identity."""
        action = f"reading the federated identity credentials of {ref}"
        path: str | None = _path(ref, "")
        found: list[Credential] = []
        while path:
            page = self._send("GET", path, ref, action, f"{_TYPE}/read")
            found += [_credential(value) for value in page.get("value") or ()]
            path = page.get("nextLink")
        return tuple(found)

    def put_credential(self, ref: IdentityRef, name: str, trust: Trust) -> Credential:
        """Create the credential of this name, or change what it trusts; both are the same request.

        Raises Conflict when another write to the identity's credentials runs, or when the trust is taken already, and
        Interrupted when it stays open whether the credential was written.
        """
        body = {
            "properties": {"issuer": trust.issuer, "subject": trust.subject, "audiences": list(trust.audiences)},
        }
        action = f"writing the federated identity credential {name} of {ref}"
        answer = self._send("PUT", _path(ref, name), ref, action, f"{_TYPE}/write", body)
        if not isinstance(answer.get("properties"), Mapping):
            raise answers.malformed(SERVICE, action, writes=True)
        return _credential(answer)

    def delete_credential(self, ref: IdentityRef, name: str) -> None:
        """Nothing happens to one that is gone already."""
        action = f"deleting the federated identity credential {name} of {ref}"
        with contextlib.suppress(errors.NotFound):
            self._send("DELETE", _path(ref, name), ref, action, f"{_TYPE}/delete")

    def _send(
        self,
        method: str,
        path: str,
        ref: IdentityRef,
        action: str,
        permission: str,
        body: Mapping[str, t.Any] | None = None,
    ) -> Mapping[str, t.Any]:
        """The answer's JSON object, empty for one without. ``path`` may be a next page's whole URL."""
        request = HttpRequest(method, urllib.parse.urljoin(self._base_url, path), json=body)
        writes = method != "GET"
        try:
            with azure.login_errors(SERVICE, action), open_outcomes(action, sends_write=writes):
                response = self._client.send_request(request)
                response.raise_for_status()
                answer = response.json() if response.content else {}
        except HttpResponseError as error:
            raise _refusal(error, action, ref, permission, writes=writes) from error
        except AzureError as error:
            raise errors.CloudError(service=SERVICE, action=action, detail=str(error)) from error
        if not isinstance(answer, Mapping):
            raise answers.malformed(SERVICE, action, writes=writes)
        return answer


def _path(ref: IdentityRef, credential: str | None = None) -> str:
    """The path of an identity; with a credential's name of that credential, with an empty one of all of them."""
    words = ["subscriptions", ref.subscription_id, "resourceGroups", ref.resource_group, "providers"]
    words += ["Microsoft.ManagedIdentity", "userAssignedIdentities", ref.name]
    if credential is not None:
        words += ["federatedIdentityCredentials", *([credential] if credential else [])]
    path = "/".join(urllib.parse.quote(word, safe="") for word in words)
    return f"/{path}?api-version={API_VERSION}"


def _text(values: Mapping[str, t.Any], name: str) -> str:
    value = values.get(name)
    return "" if value is None else str(value)


def _credential(body: Mapping[str, t.Any]) -> Credential:
    properties = body.get("properties")
    values = properties if isinstance(properties, Mapping) else {}
    subject = values.get("subject")
    return Credential(
        id=_text(body, "id"),
        name=_text(body, "name"),
        issuer=_text(values, "issuer"),
        subject=None if subject is None else str(subject),
        audiences=tuple(str(audience) for audience in values.get("audiences") or ()),
    )


def _refusal(
    error: HttpResponseError, action: str, ref: IdentityRef, permission: str, *, writes: bool
) -> errors.AksAmpError:
    code, message = _answer(error)
    status = error.status_code or 0
    if status == 404:
        return _not_found(code, message, ref)
    kind: type[errors.CloudError] = errors.CloudError
    fix = ""
    if status in (409, 429) or code == _CONCURRENT_CODE or _TAKEN_TEXT in message:
        kind, fix = errors.Conflict, _THROTTLED_FIX if status == 429 else _CONFLICT_FIX
    elif writes and leaves_open(status):
        kind, fix = errors.Interrupted, errors.LOOK_AGAIN
    elif status == 403:
        kind, fix = errors.Forbidden, f"Allow {permission} {_ROLE_FIX}"
    elif status == 401:
        fix = "The login's token is not accepted: check tenant (AZURE_TENANT_ID) and cloud_environment."
    refusal = kind(
        service=SERVICE,
        action=action,
        code=code,
        status=status,
        detail=message,
        request_id=_header(error, "x-ms-request-id") or _header(error, "x-ms-correlation-request-id"),
        fix=fix,
    )
    if isinstance(refusal, errors.Conflict):
        refusal.retry_after = pause_after_lost_race(_header(error, "Retry-After"))
    return refusal


def _not_found(code: str, message: str, ref: IdentityRef) -> errors.NotFound:
    what = f"The {ref} of subscription {ref.subscription_id}"
    if "Subscription" in code:
        what = f"Subscription {ref.subscription_id}"
    elif code == "ResourceGroupNotFound":
        what = f"Resource group {ref.resource_group} of subscription {ref.subscription_id}"
    elif code != "ResourceNotFound":
        what += f" ({code or 'HTTP 404'}: {message.rstrip('.')})"
    return errors.NotFound(
        f"{what} was not found.",
        fix="Correct managed_identity_id or the options that name it, create the identity, or log in as somebody who "
        "may see it.",
    )


def _answer(error: HttpResponseError) -> tuple[str, str]:
    """The service's own code and message."""
    body: object = None
    if error.response is not None:
        with contextlib.suppress(ValueError, AzureError):
            body = parse_json(error.response.text())
    inner = body.get("error", body) if isinstance(body, dict) else None
    values = inner if isinstance(inner, Mapping) else {}
    code, message = _text(values, "code"), _text(values, "message")
    return (code, message) if code else ("", " ".join(str(error.message).split()))


def _header(error: HttpResponseError, name: str) -> str:
    headers = getattr(error.response, "headers", None)  # azure-core's base class of responses doesn't declare it
    return str(headers.get(name, "")) if headers is not None else ""
