# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every Flask application of the sandbox has in common: the request log, and faults on request."""

from __future__ import annotations

import time

import flask

from sandbox.faults import Kind, Met
from sandbox.issuer_client import USER_AGENT
from sandbox.listener import CONNECTION, Connection
from sandbox.world import World

_WORLD = "sandbox.world"  # among an application's extensions
_SERVICE = "sandbox.service"
#: Well-formed, so that whoever looks for no more than XML takes it for an answer.
_PAGE = b"<html><head><title>Signed out</title></head><body><p>Sign in to the network first.</p></body></html>"


def make_app(world: World, service: str) -> flask.Flask:
    """A Flask application whose every answer is entered in the request log under ``service``."""
    app = flask.Flask(f"sandbox.{service}", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it, its base class does not
    app.url_map.merge_slashes = False  # the services decide themselves what a doubled slash means
    app.extensions[_WORLD] = world
    app.extensions[_SERVICE] = service

    @app.after_request
    def log(response: flask.Response) -> flask.Response:
        fault: Kind | None = flask.g.get("fault")
        if fault is Kind.ERROR_AFTER and response.status_code < 300:
            response = flask.g.answer
        if fault is Kind.UNREADABLE_AFTER and response.status_code < 300:
            _spoil(response, whole=flask.g.is_page)
        world.log.record(
            service=service,
            method=flask.request.method,
            path=flask.request.path,
            operation=flask.g.get("operation", ""),
            status=0 if fault is Kind.DROP_BEFORE else response.status_code,
            write=bool(flask.g.get("write", False)),
            fault=fault.value if fault is not None else "",
            internal=flask.request.headers.get("User-Agent") == USER_AGENT,
        )
        if fault in (Kind.DROP_BEFORE, Kind.DROP_AFTER):
            connection: Connection = flask.request.environ.setdefault(CONNECTION, Connection())
            connection.dropped = True
        return response

    return app


def name_operation(operation: str) -> None:
    """Note the API's name of the current operation for the request log, and let a fault that is due strike.

    Call it before anything is done for the request, and without the world's lock.
    """
    flask.g.operation = operation
    extensions = flask.current_app.extensions
    world: World = extensions[_WORLD]
    met = Met(extensions[_SERVICE], flask.request.method, flask.request.path, operation)
    fault, answer = world.faults.strike(met)
    if fault is None:
        return
    flask.g.fault = fault.kind
    if fault.kind is Kind.LATENCY:
        time.sleep(fault.seconds)
    elif fault.kind is Kind.LATE:
        flask.g.late_seconds = fault.seconds
    elif fault.callback is not None:
        fault.callback()
    elif fault.kind is Kind.ERROR_AFTER:
        flask.g.answer = answer
    elif fault.kind is Kind.UNREADABLE_AFTER:
        flask.g.is_page = fault.code == "page"
    elif fault.kind is Kind.DROP_BEFORE:
        flask.abort(flask.Response())
    elif answer is not None:
        flask.abort(answer)


def _spoil(response: flask.Response, *, whole: bool) -> None:
    """Leave half of an answer of success, or put a proxy's page in its place, as where there is nothing to halve."""
    body = response.get_data()
    if whole or not body:
        response.status_code, response.content_type, body = 200, "text/html", _PAGE * 2
    response.set_data(body[: len(body) // 2])


def late_seconds() -> float:
    """How much later than usual the current request's changes are shown: a fault asks for it."""
    return float(flask.g.get("late_seconds", 0.0)) if flask.has_request_context() else 0.0


def mark_write() -> None:
    """Note that the current request changed an object or stored a sample. Call it where the change happens."""
    flask.g.write = True
