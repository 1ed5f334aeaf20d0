# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ARM's refusals. The gateway wraps an error in an envelope; AKS's resource provider answers it bare."""

from __future__ import annotations

import typing as t

import flask

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.world import Json


class ArmError(Exception):
    """An answer of ARM's that refuses the request."""

    def __init__(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = dict(headers or {})

    def response(self) -> flask.Response:
        response = flask.jsonify(self.body)
        response.status_code = self.status
        response.headers.update(self.headers)
        if "error" in self.body:
            response.headers["Content-Type"] = "application/json; charset=utf-8"
            response.headers["x-ms-failure-cause"] = "gateway"
        return response


def gateway(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> ArmError:
    """A refusal by ARM's front end."""
    return ArmError(status, {"error": {"code": code, "message": message}}, headers)


def provider(status: int, code: str, message: str) -> ArmError:
    """A refusal by AKS's resource provider, which comes without envelope."""
    return ArmError(status, {"code": code, "details": None, "message": message, "subcode": ""})


def resource_not_found(group: str, name: str) -> ArmError:
    return gateway(
        404,
        "ResourceNotFound",
        f"The Resource 'Microsoft.ContainerService/managedClusters/{name}' under resource group '{group}' was not "
        "found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def operation_in_progress(state: str) -> ArmError:
    return provider(
        409,
        "OperationNotAllowed",
        f"Operation is not allowed: Another operation ({state}) is in progress, please wait for it to finish before "
        "starting a new operation. See https://aka.ms/aks-pending-operation for more details",
    )


def etag_mismatch(status: int) -> ArmError:
    """The ETag of ``If-Match`` is not the cluster's: 412 by the contract, or the 409 that the service also answers."""
    if status == 412:
        return provider(
            412, "PreconditionFailed", "The value of the If-Match header does not match the resource's eTag."
        )
    return ArmError(
        409,
        {
            "code": "EtagMismatch",
            "details": [
                {"code": "Unspecified", "message": "rpc error: code = FailedPrecondition desc = Etag mismatched"}
            ],
            "message": "Operation is not allowed: Another operation is in progress",
            "subcode": "PutManagedClusterAndComponents_FailedPrecondition",
        },
    )
