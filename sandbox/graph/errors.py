# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Graph's refusals (https://learn.microsoft.com/graph/errors). Codes and texts are those of the service where known."""

from __future__ import annotations

import datetime as dt
import typing as t
import uuid

import flask

if t.TYPE_CHECKING:
    from collections.abc import Mapping


class GraphError(Exception):
    """An answer of Graph's that refuses the request."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def response(self) -> flask.Response:
        request_id = str(uuid.uuid4())
        response = flask.jsonify(
            {
                "error": {
                    "code": self.code,
                    "message": self.message,
                    "innerError": {
                        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S"),
                        "request-id": request_id,
                        "client-request-id": flask.request.headers.get("client-request-id", request_id),
                    },
                }
            }
        )
        response.status_code = self.status
        response.headers["request-id"] = request_id
        response.headers.update(self.headers)
        return response


def bad_request(message: str) -> GraphError:
    return GraphError(400, "Request_BadRequest", message)


def not_found(key: str) -> GraphError:
    return GraphError(
        404,
        "Request_ResourceNotFound",
        f"Resource '{key}' does not exist or one of its queried reference-property objects are not present.",
    )


def already_exists(message: str) -> GraphError:
    return GraphError(409, "Request_MultipleObjectsWithSameKeyValue", message)


def unsupported_query(message: str) -> GraphError:
    return GraphError(400, "Request_UnsupportedQuery", message)


def invalid_credential_value(message: str, parameter: str, value: str) -> GraphError:
    """A federated identity credential that breaks a rule of the directory."""
    return GraphError(
        400,
        "InvalidFederatedIdentityCredentialValue",
        f"{message} paramName: FederatedIdentityCredential.{parameter}, paramValue: {value}, "
        "objectType: Microsoft.Online.DirectoryServices.Application",
    )
