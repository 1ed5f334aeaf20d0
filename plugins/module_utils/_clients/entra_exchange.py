# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exchange of a service account's token for one of an Entra identity, as the Azure SDK in a pod does it.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow, third case: the token is the
client assertion. Neither token leaves this module.
"""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Mapping

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import azure
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_logs import clean
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.json_text import parse_json

try:
    from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError, ServiceResponseError
    from azure.identity import ClientAssertionCredential
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AzureAuth


class ExchangeRefused(errors.CloudError):
    """The login service refused the assertion. ``codes`` are the numbers of its AADSTS codes, none if it gave none."""

    codes: tuple[int, ...] = ()


def exchange(auth: AzureAuth, *, tenant_id: str, client_id: str, assertion: str) -> None:
    """Exchange the assertion for a token for Microsoft Graph, which every tenant knows, and drop that.

    Of ``auth`` only the cloud and the transport matter. Raises ExchangeRefused, Unreachable when no answer came,
    CloudError for an answer that is none, MissingLibrary, and InvalidInput for a wrong endpoint or CA file.
    """
    if IMPORT_ERROR is not None:
        raise errors.MissingLibrary("azure-identity", IMPORT_ERROR)
    cloud = azure.cloud_of(auth)
    action = f"exchanging the service account's token for one of {client_id}"
    credential = ClientAssertionCredential(
        tenant_id,
        client_id,
        func=lambda: assertion,
        authority=f"https://{cloud.login}",
        **azure.transport_options(auth.transport),
    )
    try:
        with credential, _network_errors(action):
            credential.get_token(cloud.graph_scope)
    except ClientAuthenticationError as error:
        raise _refusal(error, action) from None  # the cause holds the request, and that the assertion


@contextlib.contextmanager
def _network_errors(action: str) -> t.Iterator[None]:
    try:
        yield
    except ClientAuthenticationError:
        raise
    except (ServiceRequestError, ServiceResponseError) as error:
        raise azure.unreachable(azure.ENTRA, action, str(error)) from None
    except (AzureError, ValueError) as error:  # ValueError: a tenant or host that can't be one, or no JSON
        raise errors.CloudError(service=azure.ENTRA, action=action, detail=" ".join(str(error).split())) from None


def _refusal(error: ClientAuthenticationError, action: str) -> ExchangeRefused:
    codes = _codes(error)
    code = f"AADSTS{codes[0]}" if codes else ""
    told = azure.refused_by_entra(str(error.message), code, action)
    refusal = ExchangeRefused(
        service=told.service,
        action=action,
        code=code,
        status=error.status_code or 0,
        detail=clean(told.detail),
        request_id=told.request_id,
    )
    refusal.codes = codes
    return refusal


def _codes(error: ClientAuthenticationError) -> tuple[int, ...]:
    """The codes of the answer: they are for programs, its text is not
    (https://learn.microsoft.com/entra/identity-platform/reference-error-codes)."""
    body: object = None
    if error.response is not None:
        with contextlib.suppress(ValueError, AzureError):
            body = parse_json(error.response.text())
    given = body.get("error_codes") if isinstance(body, Mapping) else None
    return tuple(code for code in given if isinstance(code, int)) if isinstance(given, list) else ()
