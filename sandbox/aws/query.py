# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The query protocol over moto: form in, XML out (https://smithy.io/2.0/aws/protocols/aws-query-protocol.html)."""

from __future__ import annotations

import typing as t
from urllib.parse import parse_qs

import flask

from sandbox import web
from sandbox.aws.errors import AwsError, not_served, query_xml
from sandbox.aws.parameters import check_parameters, service_model
from sandbox.aws.requests import AwsRequest

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from moto.core.responses import BaseResponse

    from sandbox.world import Json, World

    Handler = Callable[[AwsRequest, str], flask.Response]


def create_app(world: World, service: str, served: Collection[str], handle: Handler) -> flask.Flask:
    """An application whose ``handle(request, operation)`` answers the served operations."""
    app = web.make_app(world, service)
    model = service_model(service)

    @app.errorhandler(AwsError)
    def failed(error: AwsError) -> flask.Response:
        return query_xml(error, model.metadata["xmlNamespace"])

    @app.route("/", methods=["GET", "POST"])
    def dispatch() -> flask.Response:
        request = AwsRequest.of(flask.request)
        operation = _operation(request)
        web.name_operation(operation)
        if operation not in model.operation_names:
            raise AwsError("InvalidAction", f"Could not find operation {operation} for version {model.api_version}")
        if operation not in served:
            raise not_served(f"{service}:{operation}")
        return handle(request, operation)

    return app


def parse(front: BaseResponse, request: AwsRequest, service: str, operation: str) -> Json:
    """Let moto read the request; its parameters, checked."""
    try:
        front.setup_class(request.for_moto())
    except ValueError as error:  # a number that is none
        raise AwsError("MalformedInput", f"Invalid value: {error}") from error
    params: Json = t.cast("Json", front.params)
    check_parameters(service, operation, params)
    return params


def act(front: BaseResponse) -> flask.Response:
    """Let moto do the operation and serialise its answer."""
    status, headers, body = front.call_action()
    response = flask.Response(body, status)
    for name in ("Content-Type", "x-amzn-requestid"):
        if name in headers:
            response.headers[name] = headers[name]
    return response


def _operation(request: AwsRequest) -> str:
    """The ``Action`` parameter, of the query or the form."""
    fields = parse_qs(request.query) | parse_qs(request.body.decode("utf-8", "replace"))
    return fields.get("Action", [""])[0]
