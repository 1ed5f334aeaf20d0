# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Azure Resource Manager's and AKS's refusals mean, in the collection's errors."""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Mapping

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef, ClusterScope
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import answers, azure
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.json_text import parse_json
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._waiting import seconds_of

try:
    from azure.core.exceptions import (
        AzureError,
        DecodeError,
        HttpResponseError,
        IncompleteReadError,
        ServiceRequestError,
        ServiceResponseError,
    )
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

if t.TYPE_CHECKING:
    from collections.abc import Iterator

SERVICE = "Azure Resource Manager"

#: Another writer was faster. ``EtagMismatch`` also comes without an If-Match, ``OperationNotAllowed`` while another
#: operation runs on the cluster or on one of its pools; the others end an operation that had been accepted.
_CONFLICT_CODES = frozenset({"etagmismatch", "operationnotallowed", "originaletagnotexpect", "operationpreempted"})

#: An operation that a later one replaced; services of Azure put it into the code or only into the message.
_PREEMPTED = "preempted"

#: The login may update the cluster, but not use a resource that the cluster names, which each update names again.
_LINKED_FIX = (
    "Allow the login the actions that the message names, on the linked scopes that it names: an update sends the whole "
    "cluster, and needs these rights on the resources that the cluster uses."
)

_OPEN_STATUSES = frozenset({408, 500, 502, 503, 504})


@contextlib.contextmanager
def arm_errors(
    action: str, where: ClusterRef | ClusterScope, permission: str, *, sends_write: bool = False
) -> Iterator[None]:
    """Turn what the library raises inside the block into the collection's errors.

    ``action`` is a verb phrase ("reading AKS cluster x"), ``permission`` the Azure action that it needs.
    ``sends_write`` says that the block sends a write: then what leaves its outcome open is errors.Interrupted.
    """
    try:
        with azure.login_errors(SERVICE, action), open_outcomes(action, sends_write=sends_write):
            yield
    except HttpResponseError as error:
        raise _refusal(error, action, where, permission, sends_write=sends_write) from error
    except AzureError as error:
        raise errors.CloudError(service=SERVICE, action=action, detail=str(error)) from error


@contextlib.contextmanager
def accepted() -> Iterator[None]:
    """Mark errors as coming after the service had accepted the write. A lost race has changed nothing."""
    try:
        yield
    except errors.Conflict:
        raise
    except errors.AksAmpError as error:
        error.accepted = True
        raise


@contextlib.contextmanager
def no_lost_race() -> Iterator[None]:
    """Turn errors.Conflict inside the block into errors.Interrupted: the operation had begun, and nobody knows how far
    it came."""
    try:
        yield
    except errors.Conflict as error:
        begun = error.told_as(errors.Interrupted, fix=errors.LOOK_AGAIN)
        begun.retry_after = error.retry_after
        raise begun from error


def changed_meanwhile(action: str) -> errors.Conflict:
    """The lost race that a comparison has found where the service sends no ETag."""
    return errors.Conflict(
        service=SERVICE,
        action=action,
        detail="somebody else has changed the cluster since it was read",
        fix="Wait until nobody else changes the cluster and run again.",
    )


@contextlib.contextmanager
def open_outcomes(action: str, *, sends_write: bool) -> Iterator[None]:
    """Turn a connection that is lost inside the block, and an answer that can't be read, into errors.Interrupted when
    the block ``sends_write``."""
    try:
        with answers.understood(SERVICE, action, writes=sends_write):
            yield
    except DecodeError as error:  # it calls itself a refusal, whatever the status
        if error.status_code is not None and error.status_code >= 300:
            raise
        raise answers.malformed(SERVICE, action, writes=sends_write) from error
    except (ServiceRequestError, ServiceResponseError, IncompleteReadError) as error:
        if not sends_write:
            raise
        raise errors.Interrupted(
            service=SERVICE,
            action=action,
            detail=f"the connection was lost before the answer came ({' '.join(str(error).split())})",
            fix=errors.LOOK_AGAIN,
        ) from error


def leaves_open(status: int) -> bool:
    """Whether an error of this status leaves open if the request was carried out. One of success is none that the
    service documents: a proxy's, or one that lacks what is needed."""
    return status in _OPEN_STATUSES or 200 <= status < 300


def _refusal(
    error: HttpResponseError, action: str, where: ClusterRef | ClusterScope, permission: str, *, sends_write: bool
) -> errors.AksAmpError:
    code, message = answer_of(error)
    status = error.status_code or 0
    if status == 404:
        return _not_found(code, message, where)
    kind: type[errors.CloudError] = errors.CloudError
    fix = ""
    if code.lower() in _CONFLICT_CODES or _PREEMPTED in f"{code} {message}".lower() or status in (412, 429):
        kind = errors.Conflict
        fix = "Wait until nobody else changes the cluster and run again."
    elif sends_write and leaves_open(status):
        kind = errors.Interrupted
        fix = errors.LOOK_AGAIN
    elif status == 403:
        kind = errors.Forbidden
        fix = _LINKED_FIX if code == "LinkedAuthorizationFailed" else _missing_right_fix(permission)
    elif status == 401:
        fix = "The login's token is not accepted: check tenant (AZURE_TENANT_ID) and cloud_environment."
    refusal = kind(
        service=SERVICE,
        action=action,
        code=code,
        status=status,
        detail=message,
        request_id=request_id_of(error),
        fix=fix,
    )
    if isinstance(refusal, errors.Conflict):
        refusal.retry_after = seconds_of(_header(error, "Retry-After"))
    return refusal


def _missing_right_fix(permission: str) -> str:
    return (
        f"Allow {permission} on the cluster to the login, for example by the role Azure Kubernetes Service "
        "Contributor Role; where the message names another right, that one."
    )


def _not_found(code: str, message: str, where: ClusterRef | ClusterScope) -> errors.NotFound:
    in_subscription = f"of subscription {where.subscription_id}"
    if isinstance(where, ClusterRef):
        what, option = f"{where} {in_subscription}", "name"
    else:
        what, option = str(where), "subscription_id"
        what = what[0].upper() + what[1:]
    if "Subscription" in code:
        what, option = f"Subscription {where.subscription_id}", "subscription_id"
    elif code == "ResourceGroupNotFound":
        what, option = f"Resource group {where.resource_group} {in_subscription}", "resource_group"
    elif code != "ResourceNotFound":
        what += f" ({code or 'HTTP 404'}: {message.rstrip('.')})"
    return errors.NotFound(f"{what} was not found.", fix=f"Correct {option}, or log in as somebody who may see it.")


def request_id_of(error: HttpResponseError) -> str:
    """The service's identifier of the request, empty where it gave none."""
    return _header(error, "x-ms-request-id") or _header(error, "x-ms-correlation-request-id")


def answer_of(error: HttpResponseError) -> tuple[str, str]:
    """The service's own code and message; the code is empty where the answer has none.

    ARM's gateway puts them into an ``error`` envelope, AKS's resource provider doesn't, and a failed operation has
    them beside its status.
    """
    body: object = None
    if error.response is not None:
        with contextlib.suppress(ValueError, AzureError):
            body = parse_json(error.response.text())
    inner = body.get("error", body) if isinstance(body, dict) else None
    code, message = _text(inner, "code"), _text(inner, "message")
    if not code:
        return "", " ".join(str(error.message).split())
    details = inner.get("details") if isinstance(inner, Mapping) else None
    extra = _text(details[0], "message") if isinstance(details, list) and details else ""
    return code, f"{message.rstrip('.')} ({extra})" if extra and extra != message else message


def _text(node: object, name: str) -> str:
    value = node.get(name) if isinstance(node, Mapping) else None
    return "" if value is None else str(value)


def _header(error: HttpResponseError, name: str) -> str:
    headers = getattr(error.response, "headers", None)  # azure-core's base class of responses doesn't declare it
    return str(headers.get(name, "")) if headers is not None else ""
