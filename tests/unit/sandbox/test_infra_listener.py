# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The WSGI server under every service."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import typing as t

import flask
import pytest

from sandbox.listener import LOOPBACK, Listener
from sandbox.tls import Authority

if t.TYPE_CHECKING:
    from collections.abc import Iterator


def _application() -> flask.Flask:
    app = flask.Flask("listener-test", static_folder=None)

    @app.route("/echo", methods=["POST"])
    def echo() -> bytes:
        return flask.request.get_data()

    @app.route("/ignore", methods=["POST"])
    def ignore() -> str:
        return "the body was not read"

    @app.route("/nothing", methods=["DELETE"])
    def nothing() -> tuple[str, int]:
        return "", 204

    @app.route("/where")
    def where() -> dict[str, str]:
        return {"scheme": flask.request.scheme, "path": flask.request.path}

    return app


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener("test", _application())
    yield listener
    listener.close()


@pytest.fixture
def connection(listener: Listener) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(LOOPBACK, listener.port, timeout=5)
    yield connection
    connection.close()


def _ask(connection: http.client.HTTPConnection, method: str, path: str, body: t.Any = None) -> tuple[int, bytes]:
    connection.request(method, path, body, encode_chunked=not isinstance(body, bytes | None))
    response = connection.getresponse()
    return response.status, response.read()


def test_one_connection_serves_many_requests(connection: http.client.HTTPConnection) -> None:
    assert _ask(connection, "POST", "/echo", b"first") == (200, b"first")
    socket_of_first = connection.sock
    assert _ask(connection, "POST", "/echo", b"second") == (200, b"second")
    assert connection.sock is socket_of_first


def test_a_body_that_the_application_ignores_is_not_the_next_request(connection: http.client.HTTPConnection) -> None:
    assert _ask(connection, "POST", "/ignore", b"GET /where HTTP/1.1\r\n\r\n") == (200, b"the body was not read")
    assert _ask(connection, "POST", "/echo", b"next") == (200, b"next")


def test_a_chunked_body_is_read_to_its_end(connection: http.client.HTTPConnection) -> None:
    assert _ask(connection, "POST", "/echo", iter([b"one ", b"two"])) == (200, b"one two")
    assert _ask(connection, "POST", "/ignore", iter([b"one ", b"two"])) == (200, b"the body was not read")
    assert _ask(connection, "POST", "/echo", b"next") == (200, b"next")


def test_answers_without_a_body_leave_the_connection_usable(connection: http.client.HTTPConnection) -> None:
    assert _ask(connection, "DELETE", "/nothing") == (204, b"")
    assert _ask(connection, "HEAD", "/where") == (200, b"")
    assert _ask(connection, "POST", "/echo", b"next") == (200, b"next")


def test_a_client_may_ask_to_close(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/where", headers={"Connection": "close"})
    response = connection.getresponse()
    assert response.getheader("Connection") == "close"
    response.read()
    assert connection.sock is None


def test_another_application_can_take_over(listener: Listener, connection: http.client.HTTPConnection) -> None:
    assert _ask(connection, "GET", "/where")[0] == 200
    listener.serve(flask.Flask("empty", static_folder=None))
    assert _ask(connection, "GET", "/where")[0] == 404


def test_close_frees_the_port_and_ends_connections(listener: Listener) -> None:
    idle = http.client.HTTPConnection(LOOPBACK, listener.port, timeout=5)
    assert _ask(idle, "GET", "/where")[0] == 200
    listener.close()
    with pytest.raises((http.client.HTTPException, OSError)):
        _ask(idle, "GET", "/where")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(listener.address, timeout=5)


def test_listeners_that_nobody_asks_cost_nothing_and_are_closed_at_once() -> None:
    listeners = [Listener(f"idle-{number}", _application()) for number in range(50)]
    worked = time.process_time()
    time.sleep(1)
    worked = time.process_time() - worked
    started = time.monotonic()
    for listener in listeners:
        listener.close()
    assert worked < 0.1
    assert time.monotonic() - started < 20  # a second look by itself would come after a minute


def test_a_client_that_says_nothing_does_not_hold_up_others() -> None:
    authority = Authority()
    listener = Listener("tls", _application(), authority.server(LOOPBACK).context())
    context = ssl.create_default_context(cadata=authority.root_pem)
    with socket.create_connection(listener.address):
        connection = http.client.HTTPSConnection(LOOPBACK, listener.port, timeout=5, context=context)
        status, body = _ask(connection, "GET", "/where")
    assert (status, flask.json.loads(body)) == (200, {"scheme": "https", "path": "/where"})
    connection.close()
    listener.close()
