# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors as AWS answers them, in the two protocols that are spoken here.

IAM and STS speak the query protocol (XML), Amazon Managed Service for Prometheus REST with JSON. The codes are
the query protocol's; :func:`rest_json` knows their other names.
"""

from __future__ import annotations

import json
import typing as t
import uuid
from xml.sax.saxutils import escape

import flask

_REST_CODES = {
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "IncompleteSignature": "IncompleteSignatureException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "ExpiredToken": "ExpiredTokenException",
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "AccessDenied": "AccessDeniedException",
    "ValidationError": "ValidationException",
}
_REST_MESSAGES = {"MissingAuthenticationToken": "Missing Authentication Token"}


class AwsError(Exception):
    """An answer that is an error. ``status`` is HTTP's."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def access_denied(message: str) -> AwsError:
    return AwsError("AccessDenied", message, 403)


def missing_token() -> AwsError:
    """No signature at all; for REST services also: no such path."""
    return AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)


def malformed_policy(message: str) -> AwsError:
    return AwsError("MalformedPolicyDocument", message)


def limit_exceeded(message: str) -> AwsError:
    return AwsError("LimitExceeded", message, 409)


def not_found(message: str) -> AwsError:
    return AwsError("NoSuchEntity", message, 404)


def not_served(operation: str) -> AwsError:
    """An operation of AWS that this stand-in does not have. 501 is not retried by SDKs."""
    return AwsError("NotImplemented", f"The sandbox does not serve {operation}.", 501)


def query_xml(error: AwsError, namespace: str) -> flask.Response:
    """The query protocol's ``ErrorResponse``."""
    request_id = str(uuid.uuid4())
    body = (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>Sender</Type><Code>{escape(error.code)}</Code>'
        f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    )
    return flask.Response(body, error.status, {"x-amzn-RequestId": request_id}, content_type="text/xml")


def rest_json(error: AwsError, *, message_key: str = "message", **fields: t.Any) -> flask.Response:
    """A REST error: the code travels in a header. ``fields`` are the further members of its body."""
    message = _REST_MESSAGES.get(error.code, error.message)
    headers = {
        "x-amzn-ErrorType": _REST_CODES.get(error.code, error.code),
        "x-amzn-RequestId": str(uuid.uuid4()),
    }
    body = json.dumps({message_key: message, **fields})
    return flask.Response(body, error.status, headers, content_type="application/json")
