# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Graph's HTTP surface: what every request has in common. The operations are in :mod:`sandbox.graph.operations`."""

from __future__ import annotations

import functools
import re
import typing as t
import uuid

import flask
from werkzeug.routing import BaseConverter

from sandbox import entra_tokens, web
from sandbox.entra_tokens import Fault
from sandbox.graph import access, errors
from sandbox.graph.directory import Directory, Key
from sandbox.graph.operations import GraphOperations
from sandbox.hosts import LOGIN_HOST

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from werkzeug.exceptions import HTTPException

    from sandbox.world import World

_JSON = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
_VERSION = "/<any('v1.0', beta):version>"
_APPLICATIONS = f"{_VERSION}/applications"
_APPLICATION = f"{_APPLICATIONS}<key('appId', 'uniqueName'):application>"
_CREDENTIALS = f"{_APPLICATION}/federatedIdentityCredentials"
_CREDENTIAL = f"{_CREDENTIALS}<key('name'):credential>"
_PRINCIPALS = f"{_VERSION}/servicePrincipals"
_PRINCIPAL = f"{_PRINCIPALS}<key('appId'):principal>"
_DELETED = f"{_VERSION}/directory/deletedItems/<object_id>"


def create_app(world: World, directory: Directory) -> flask.Flask:
    """The application that answers for graph.microsoft.com."""
    app = web.make_app(world, "graph")
    # Flask's own way to put a middleware in front of an application.
    app.wsgi_app = _CollapsedSlashes(app.wsgi_app)  # type: ignore[method-assign]
    app.url_map.converters["key"] = _KeyConverter
    _add_routes(app, world, GraphOperations(world, directory))

    @app.errorhandler(errors.GraphError)
    def refused(error: errors.GraphError) -> flask.Response:
        return error.response()

    @app.errorhandler(404)
    @app.errorhandler(405)
    def unknown(error: HTTPException) -> flask.Response:
        if error.code == 405:
            message = "Specified HTTP method is not allowed for the request target."
            return errors.GraphError(405, "Request_BadRequest", message).response()
        segment = flask.request.path.rsplit("/", 1)[-1]
        return errors.GraphError(400, "BadRequest", f"Resource not found for the segment '{segment}'.").response()

    @app.before_request
    def begin() -> None:
        web.name_operation(flask.request.endpoint or "")
        _require_caller(world)
        with world.lock:
            arguments = flask.request.view_args or {}
            body = flask.request.get_json(silent=True)
            access.require_permission(world, directory, flask.request.endpoint or "", arguments, body)

    app.after_request(_with_headers)
    return app


def _add_routes(app: flask.Flask, world: World, operations: GraphOperations) -> None:
    for rule, method, name, view in (
        (_APPLICATIONS, "GET", "ListApplications", operations.list_applications),
        (_APPLICATIONS, "POST", "CreateApplication", operations.create_application),
        (_APPLICATION, "GET", "GetApplication", operations.get_application),
        (_APPLICATION, "PATCH", "UpdateApplication", operations.update_application),
        (_APPLICATION, "DELETE", "DeleteApplication", operations.delete_application),
        (_DELETED, "GET", "GetDeletedItem", operations.get_deleted_item),
        (_DELETED, "DELETE", "DeleteDeletedItem", operations.delete_deleted_item),
        (_PRINCIPALS, "GET", "ListServicePrincipals", operations.list_service_principals),
        (_PRINCIPALS, "POST", "CreateServicePrincipal", operations.create_service_principal),
        (_PRINCIPAL, "GET", "GetServicePrincipal", operations.get_service_principal),
        (_PRINCIPAL, "PATCH", "UpdateServicePrincipal", operations.update_service_principal),
        (_PRINCIPAL, "DELETE", "DeleteServicePrincipal", operations.delete_service_principal),
        (_CREDENTIALS, "GET", "ListFederatedIdentityCredentials", operations.list_credentials),
        (_CREDENTIALS, "POST", "CreateFederatedIdentityCredential", operations.create_credential),
        (_CREDENTIAL, "GET", "GetFederatedIdentityCredential", operations.get_credential),
        (_CREDENTIAL, "PATCH", "UpdateFederatedIdentityCredential", operations.update_credential),
        (_CREDENTIAL, "DELETE", "DeleteFederatedIdentityCredential", operations.delete_credential),
    ):
        app.add_url_rule(rule, name, _locked(world, view), methods=[method], provide_automatic_options=False)


def _locked(world: World, view: Callable[..., flask.Response]) -> Callable[..., flask.Response]:
    @functools.wraps(view)
    def locked(**arguments: t.Any) -> flask.Response:
        with world.lock:
            return view(**arguments)

    return locked


class _CollapsedSlashes:
    """Doubled slashes count as one: msgraph's SDK sends ``/v1.0//applications``."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = re.sub(r"/{2,}", "/", environ["PATH_INFO"])
        return self._app(environ, start_response)


class _KeyConverter(BaseConverter):
    """``/{id}``, or ``(property='value')`` for one of the type's alternate keys. A quote in a value is doubled."""

    part_isolating = False

    def __init__(self, map: t.Any, *alternates: str) -> None:  # noqa: A002 - the base class's name
        super().__init__(map)
        self.regex = rf"(?:/[^/()]+|\((?:{'|'.join(alternates)})='(?:[^']|'')*'\))"

    def to_python(self, value: str) -> Key:
        if value.startswith("/"):
            return Key("id", value[1:])
        name, _unused, quoted = value[1:-1].partition("=")
        return Key(name, quoted[1:-1].replace("''", "'"))


def _require_caller(world: World) -> None:
    """Raise GraphError 401 unless the request has a token for Graph, 403 unless it is the controller's."""
    try:
        audiences = entra_tokens.graph_audiences(flask.request.host)
        principal = entra_tokens.verify(world, flask.request.headers.get("Authorization"), audiences)
    except entra_tokens.TokenRefusedError as refusal:
        message = {
            Fault.MISSING: "Access token is empty.",
            Fault.MALFORMED: "Access token validation failure.",
            Fault.WRONG_AUDIENCE: "Access token validation failure. Invalid audience.",
            Fault.EXPIRED: "Lifetime validation failed, the token is expired.",
        }[refusal.fault]
        challenge = (
            f'Bearer realm="", authorization_uri="https://{LOGIN_HOST}/common/oauth2/authorize", '
            f'client_id="{entra_tokens.GRAPH_AUDIENCES[-1]}"'
        )
        headers = {"WWW-Authenticate": challenge}
        raise errors.GraphError(401, "InvalidAuthenticationToken", message, headers) from refusal
    if not principal.is_controller:
        raise access.denied()


def _with_headers(response: flask.Response) -> flask.Response:
    """The headers that recorded answers have."""
    headers = response.headers
    headers.setdefault("request-id", str(uuid.uuid4()))
    headers["client-request-id"] = flask.request.headers.get("client-request-id", headers["request-id"])
    headers["Cache-Control"] = "no-cache"
    headers["Strict-Transport-Security"] = "max-age=31536000"
    if response.status_code == 204:
        del headers["Content-Type"]
    else:
        headers["Vary"] = "Accept-Encoding"
    if response.status_code < 300:
        headers["x-ms-resource-unit"] = "2" if "$filter" in flask.request.args else "1"
    if response.status_code in (200, 201):
        headers["Content-Type"] = _JSON
        headers["OData-Version"] = "4.0"
    return response
