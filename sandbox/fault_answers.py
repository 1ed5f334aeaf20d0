# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each service answers when it is overloaded or broken, was overtaken by a writer, or finds a token expired.

Bodies, codes and headers are the services' own, each in the service's protocol:
https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling,
https://learn.microsoft.com/graph/errors, https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html,
https://docs.aws.amazon.com/prometheus/latest/APIReference/CommonErrors.html, k8s.io/apimachinery (``pkg/api/errors``).
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

import flask

from sandbox import login
from sandbox.arm import errors as arm
from sandbox.aws import errors as aws
from sandbox.aws.parameters import service_model
from sandbox.faults import Kind
from sandbox.graph import errors as graph
from sandbox.hosts import LOGIN_HOST
from sandbox.kubernetes import errors as kubernetes
from sandbox.kubernetes import incoming
from sandbox.world import AZURE_TENANT

if t.TYPE_CHECKING:
    from sandbox.faults import Fault, Met

_PAGES = {502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}


def answer(fault: Fault, met: Met) -> flask.Response | None:
    """The service's answer to a request that the fault strikes; None when the service has none of this kind."""
    if fault.kind is Kind.ERROR_AFTER:
        fault = dataclasses.replace(fault, kind=Kind.ERROR)
    service = met.service.partition("/")[0]
    status = fault.status or 500
    if fault.kind is Kind.ERROR and status in (502, 504):
        response: flask.Response | None = _page(status)  # what stands before the services answers these, as HTML
    else:
        response = _ANSWERS[service](fault, status) if service in _ANSWERS else None
    if response is not None and fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def _page(status: int) -> flask.Response:
    title = f"{status} {_PAGES[status]}"
    body = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<h1>{title}</h1>\r\n</body>\r\n</html>\r\n"
    return flask.Response(body, status, content_type="text/html")


def _arm(fault: Fault, status: int) -> flask.Response | None:
    match fault.kind:
        case Kind.THROTTLED:
            message = "The request is being throttled as the limit has been reached for operation type - Write_ObserveW"
            return arm.gateway(429, "TooManyRequests", message).response()
        case Kind.ERROR if status == 503:
            message = "The service is unavailable now, please retry later."
            return arm.gateway(503, "ServerTimeout", message).response()
        case Kind.ERROR:
            return arm.provider(500, "InternalServerError", "Internal server error").response()
        case Kind.CONFLICT if fault.status == 412:
            return arm.etag_mismatch(412).response()
        case Kind.CONFLICT if fault.code == "EtagMismatch":
            return arm.etag_mismatch(409).response()
        case Kind.CONFLICT:
            return arm.operation_in_progress("nodepool1 - Updating").response()
        case _:
            message = "The access token expiry UTC time '1/1/2026 1:00:00 AM' is earlier than current UTC time."
            challenge = (
                f'Bearer authorization_uri="https://{LOGIN_HOST}/{AZURE_TENANT}", error="invalid_token", '
                f'error_description="{message}"'
            )
            return arm.gateway(401, "ExpiredAuthenticationToken", message, {"WWW-Authenticate": challenge}).response()


def _graph(fault: Fault, status: int) -> flask.Response | None:
    match fault.kind:
        case Kind.THROTTLED:
            return graph.GraphError(429, "TooManyRequests", "Too many requests").response()
        case Kind.ERROR if status == 503:
            message = "The service is temporarily unavailable. Please retry later."
            return graph.GraphError(503, "Service_ServiceUnavailable", message).response()
        case Kind.ERROR:
            return graph.GraphError(500, "Service_InternalServerError", "Encountered an internal error.").response()
        case Kind.CONFLICT:
            message = "Error due to concurrent requests being made to the tenant. Please wait briefly and retry."
            return graph.GraphError(409, "Directory_ConcurrencyViolation", message).response()
        case _:
            challenge = f'Bearer realm="", authorization_uri="https://{LOGIN_HOST}/common/oauth2/authorize"'
            message = "Lifetime validation failed, the token is expired."
            headers = {"WWW-Authenticate": challenge}
            return graph.GraphError(401, "InvalidAuthenticationToken", message, headers).response()


def _login(fault: Fault, status: int) -> flask.Response | None:
    match fault.kind:
        case Kind.THROTTLED:
            message = "The server has terminated the request because it had too many of this client."
            return login.LoginError(90055, message, error="temporarily_unavailable", status=429).response()
        case Kind.ERROR:
            message = "A transient error has occurred. Please try again."
            return login.LoginError(90033, message, error="temporarily_unavailable", status=status).response()
        case _:
            return None


def _query(service: str) -> t.Callable[[Fault, int], flask.Response | None]:
    """The query protocol of IAM and STS."""

    def spoken(fault: Fault, status: int) -> flask.Response | None:
        match fault.kind:
            case Kind.THROTTLED:
                error = aws.AwsError("Throttling", "Rate exceeded", 400)
            case Kind.ERROR if status == 503:
                error = aws.AwsError("ServiceUnavailable", "Service is unavailable. Please try again later.", 503)
            case Kind.ERROR:
                error = aws.AwsError("InternalFailure", "We encountered an internal error. Please try again.", 500)
            case Kind.CONFLICT if service == "iam":
                message = (
                    "The request was rejected because multiple requests to change this object were submitted "
                    "simultaneously. Wait a few minutes and submit your request again."
                )
                error = aws.AwsError("ConcurrentModification", message, 409)
            case Kind.EXPIRED_TOKEN:
                error = aws.AwsError("ExpiredToken", "The security token included in the request is expired", 403)
            case _:
                return None
        return aws.query_xml(error, service_model(service).metadata["xmlNamespace"])

    return spoken


def _rest(*, conflicts: bool) -> t.Callable[[Fault, int], flask.Response | None]:
    """Amazon Managed Service for Prometheus, control plane and data plane."""

    def spoken(fault: Fault, status: int) -> flask.Response | None:
        match fault.kind:
            case Kind.THROTTLED:
                error = aws.AwsError("ThrottlingException", "Rate exceeded", 429)
            case Kind.ERROR if status == 503:
                error = aws.AwsError("ServiceUnavailableException", "Service is unavailable", 503)
            case Kind.ERROR:
                error = aws.AwsError("InternalServerException", "Internal server error", 500)
            case Kind.CONFLICT if conflicts:
                error = aws.AwsError("ConflictException", "The workspace is being changed.", 409)
            case Kind.EXPIRED_TOKEN:
                error = aws.AwsError("ExpiredToken", "The security token included in the request is expired", 403)
            case _:
                return None
        return aws.rest_json(error)

    return spoken


def _kubernetes(fault: Fault, status: int) -> flask.Response | None:
    match fault.kind:
        case Kind.THROTTLED:
            details = {"retryAfterSeconds": fault.retry_after} if fault.retry_after is not None else None
            message = "Too many requests, please try again later."
            error = kubernetes.ApiError(429, "TooManyRequests", message, details)
        case Kind.ERROR if status == 503:
            message = "the server is currently unable to handle the request"
            error = kubernetes.ApiError(503, "ServiceUnavailable", message)
        case Kind.ERROR:
            message = "Internal error occurred: etcdserver: request timed out"
            error = kubernetes.ApiError(500, "InternalError", message, {"causes": [{"message": "request timed out"}]})
        case Kind.CONFLICT:
            target = incoming.parse_target(flask.request.path)
            if target is None or not target.name or target.subresource is not None:
                return None  # nothing that could have a resourceVersion
            error = kubernetes.conflict(target.resource, target.name, kubernetes.STALE)
        case _:
            error = kubernetes.unauthorized()
    return flask.Response(json.dumps(error.body()) + "\n", error.code, content_type="application/json")


def _oidc(fault: Fault, status: int) -> flask.Response | None:
    """A content delivery network stands before the issuers."""
    match fault.kind:
        case Kind.THROTTLED:
            return flask.Response("Too Many Requests\n", 429, content_type="text/plain")
        case Kind.ERROR:
            return flask.Response("The service is unavailable.\n", status, content_type="text/plain")
        case _:
            return None


_ANSWERS: t.Final[t.Mapping[str, t.Callable[[Fault, int], flask.Response | None]]] = {
    "arm": _arm,
    "graph": _graph,
    "login": _login,
    "iam": _query("iam"),
    "sts": _query("sts"),
    "aps": _rest(conflicts=True),
    "aps-workspaces": _rest(conflicts=False),
    "kubernetes": _kubernetes,
    "oidc": _oidc,
}
