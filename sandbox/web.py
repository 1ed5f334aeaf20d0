# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every Flask application of the sandbox has in common: the request log."""

from __future__ import annotations

import flask

from sandbox.world import World


def make_app(world: World, service: str) -> flask.Flask:
    """A Flask application whose every answer is entered in the request log under ``service``."""
    app = flask.Flask(f"sandbox.{service}", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it, its base class does not
    app.url_map.merge_slashes = False  # the services decide themselves what a doubled slash means

    @app.after_request
    def log(response: flask.Response) -> flask.Response:
        world.log.record(
            service=service,
            method=flask.request.method,
            path=flask.request.path,
            operation=flask.g.get("operation", ""),
            status=response.status_code,
            write=bool(flask.g.get("write", False)),
        )
        return response

    return app


def name_operation(operation: str) -> None:
    """Note the API's name of the current operation for the request log."""
    flask.g.operation = operation


def mark_write() -> None:
    """Note that the current request changed an object or stored a sample. Call it where the change happens."""
    flask.g.write = True
