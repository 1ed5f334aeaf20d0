# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control API: how tests and the command line look into the running sandbox and change it.

Plain HTTP on loopback, JSON both ways; an error is ``{"error": "<sentence>"}``. Its own requests are not logged.

=====================================  ==============================================================================
GET /status                            process, addresses, files, clusters, settings, numbers of requests and samples
GET /log?since=N                       ``{"requests": [...]}``: what the services saw, after request number N
GET /samples                           ``{"samples": [...]}``: what the workspaces stored
GET /settings, PUT /settings           the behaviour of :class:`sandbox.world.Settings`; PUT changes the fields it names
POST /faults                           let requests go wrong: the fields of :class:`sandbox.faults.Fault`
GET /faults                            ``{"faults": [...]}``, with the numbers of requests seen and struck
DELETE /faults                         nothing goes wrong any more
PUT /rights                            what the controller may do, as lists of documents, see :mod:`sandbox.rights`
POST /reset                            a new world with the seeded estate, without faults; same addresses; new log
POST /clusters                         add a cluster ``{"name", "body"?}`` like ``fresh``; answers as the next
GET /clusters/<name>                   the cluster with its ARM body
POST /clusters/<name>/fates            let pods not come to run: the fields of :class:`sandbox.kubernetes.fates.Fate`
DELETE /clusters/<name>/fates          let all pods run
GET /clusters/<name>/pods              ``{"pods": [...]}``: each with the configuration that its Prometheus has loaded
POST /shutdown                         ``{"instance"}``: end the process
=====================================  ==============================================================================
"""

from __future__ import annotations

import copy
import dataclasses
import typing as t

import flask
from werkzeug.exceptions import HTTPException

from sandbox.faults import Fault
from sandbox.kubernetes.fates import Fate
from sandbox.rights import Rights
from sandbox.world import Settings

if t.TYPE_CHECKING:
    from sandbox.server import Sandbox
    from sandbox.world import Json


class BadControlRequest(Exception):
    """The control API was asked for something that makes no sense. The message is a sentence for the caller."""


def create_app(sandbox: Sandbox) -> flask.Flask:
    """The control API over a running sandbox."""
    app = flask.Flask("sandbox.control", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it, its base class does not
    _add_errors(app)
    _add_reading(app, sandbox)
    _add_changing(app, sandbox)
    _add_rights(app, sandbox)
    _add_pods(app, sandbox)
    return app


def _add_errors(app: flask.Flask) -> None:
    @app.errorhandler(BadControlRequest)
    def bad_request(error: BadControlRequest) -> tuple[Json, int]:
        return {"error": str(error)}, 400

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> tuple[Json, int]:
        return {"error": f"{flask.request.method} {flask.request.path}: {error.description}"}, error.code or 500


def _add_reading(app: flask.Flask, sandbox: Sandbox) -> None:
    @app.get("/status")
    def status() -> Json:
        return sandbox.status()

    @app.get("/log")
    def log() -> Json:
        since = flask.request.args.get("since", "0")
        if not since.isdecimal():
            raise BadControlRequest(f"'since' is the number of a request, not {since!r}.")
        return {"requests": [dataclasses.asdict(request) for request in sandbox.world.log.since(int(since))]}

    @app.get("/samples")
    def samples() -> Json:
        with sandbox.world.lock:
            stored = tuple(sandbox.world.samples)
        return {"samples": [{**dataclasses.asdict(sample), "labels": dict(sample.labels)} for sample in stored]}

    @app.get("/settings")
    def settings() -> Json:
        return dataclasses.asdict(sandbox.world.settings)

    @app.get("/faults")
    def faults() -> Json:
        return {"faults": [armed.report() for armed in sandbox.faults.all()]}

    @app.get("/clusters/<name>")
    def cluster(name: str) -> Json:
        return _with_body(sandbox, name)


def _add_changing(app: flask.Flask, sandbox: Sandbox) -> None:
    @app.put("/settings")
    def change_settings() -> Json:
        sandbox.world.settings = changed_settings(sandbox.world.settings, _json_object())
        return dataclasses.asdict(sandbox.world.settings)

    @app.post("/faults")
    def add_fault() -> tuple[Json, int]:
        try:
            fault = Fault.from_json(_json_object())
        except ValueError as error:
            raise BadControlRequest(str(error)) from error
        return sandbox.faults.add(fault).report(), 201

    @app.delete("/faults")
    def clear_faults() -> Json:
        sandbox.faults.clear()
        return {"faults": []}

    @app.post("/reset")
    def reset() -> Json:
        sandbox.reset()
        return sandbox.status()

    @app.post("/clusters")
    def add_cluster() -> tuple[Json, int]:
        wanted = _json_object()
        name, body = wanted.get("name"), wanted.get("body")
        if not isinstance(name, str) or not isinstance(body, dict | None):
            raise BadControlRequest("A cluster needs a 'name', and may have the 'body' of ARM's resource.")
        sandbox.add_cluster(name, body)
        return _with_body(sandbox, name), 201

    @app.post("/shutdown")
    def shutdown() -> Json:
        if _json_object().get("instance") != sandbox.instance:
            raise BadControlRequest("That is not this sandbox's instance.")
        sandbox.shut_down()
        return {}


def _add_rights(app: flask.Flask, sandbox: Sandbox) -> None:
    @app.put("/rights")
    def set_rights() -> Json:
        documents = _json_object()
        try:
            sandbox.set_rights(Rights.from_json(documents))
        except (KeyError, ValueError) as error:
            raise BadControlRequest(f"These rights can't be given: {error}") from error
        return documents


def _add_pods(app: flask.Flask, sandbox: Sandbox) -> None:
    @app.get("/clusters/<name>/pods")
    def pods(name: str) -> Json:
        server = sandbox.api_server(name)
        return {"pods": server.running_pods()}

    @app.post("/clusters/<name>/fates")
    def set_fate(name: str) -> tuple[Json, int]:
        try:
            fate = Fate.from_json(_json_object())
        except ValueError as error:
            raise BadControlRequest(str(error)) from error
        sandbox.api_server(name).set_fate(fate)
        return {**dataclasses.asdict(fate), "kind": fate.kind.value}, 201

    @app.delete("/clusters/<name>/fates")
    def clear_fates(name: str) -> Json:
        sandbox.api_server(name).clear_fates()
        return {"fates": []}


def _with_body(sandbox: Sandbox, name: str) -> Json:
    with sandbox.world.lock:
        return {**sandbox.describe_cluster(name), "body": copy.deepcopy(sandbox.cluster(name).body)}


def _json_object() -> Json:
    body = flask.request.get_json(force=True)
    if not isinstance(body, dict):
        raise BadControlRequest("The request's body is not a JSON object.")
    return body


def changed_settings(settings: Settings, changes: Json) -> Settings:
    """The settings with some fields changed. Raises BadControlRequest for an unknown field or a wrong type."""
    types = t.get_type_hints(Settings)
    for name, value in changes.items():
        if name not in types:
            raise BadControlRequest(f"There is no setting {name!r}; the settings are {', '.join(types)}.")
        if not _fits(value, types[name]):
            raise BadControlRequest(f"The setting {name!r} cannot be {value!r}.")
    return dataclasses.replace(settings, **changes)


def _fits(value: object, hint: t.Any) -> bool:
    """Whether a JSON value is of a setting's type: bool, int, float, a union of such, or a literal."""
    if t.get_origin(hint) is t.Literal:
        return value in t.get_args(hint)
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, float | int if hint is float else hint)
