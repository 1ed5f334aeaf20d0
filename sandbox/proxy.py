# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A CONNECT proxy on loopback that leads the clouds' host names to the sandbox's listeners, and refuses all others.

It never resolves a name and connects to the addresses that it is given only, so nothing leaves the machine.
"""

from __future__ import annotations

import http.server
import logging
import socket
import threading
import typing as t
from collections.abc import Callable

from sandbox.listener import LOOPBACK

Address = tuple[str, int]
Route = Callable[[str], Address | None]
"""Gives the listener's address for a host name in lower case, or None for a foreign host."""
Refusal = Callable[[str, str], None]
"""Is told the method and the target of each refused request."""

_CONNECT_SECONDS = 10.0
_CHUNK = 65536
_POLL_SECONDS = 0.05

_log = logging.getLogger(__name__)


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Copy until ``source`` ends, then tell ``target`` that nothing follows."""
    try:
        while data := source.recv(_CHUNK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError as error:
        _log.debug("A tunnel was broken off: %s", error)
        for end in (source, target):
            _shut(end)


def _shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        _log.debug("A tunnel's end was closed already: %s", error)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 0  # bytes that follow the request belong to the tunnel, not into a buffer
    server: _Server

    def do_CONNECT(self) -> None:
        host, _unused, port = self.path.rpartition(":")
        address = self.server.route(host.lower()) if port == "443" else None
        if address is None:
            self._refuse()
            return
        with socket.create_connection(address, timeout=_CONNECT_SECONDS) as upstream:
            upstream.settimeout(None)
            upstream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.send_response_only(200, "Connection established")
            self.end_headers()
            self.close_connection = True
            back = threading.Thread(target=_pump, args=(upstream, self.connection), daemon=True)
            back.start()
            _pump(self.connection, upstream)
            back.join()

    def _refuse(self) -> None:
        self.server.refused(self.command, self.path)
        text = (
            f"The sandbox's proxy refuses {self.command} {self.path}: it serves CONNECT to port 443 of the sandbox's "
            "own host names only.\n"
        ).encode("utf-8", "replace")
        self.close_connection = True
        self.send_response(403)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def __getattr__(self, name: str) -> t.Any:
        # The base class looks for a method named after the HTTP method.
        if name.startswith("do_"):
            return self._refuse
        raise AttributeError(name)

    def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002 - the base class's signature
        _log.debug(format, *args)


class _Server(http.server.ThreadingHTTPServer):
    def __init__(self, route: Route, refused: Refusal) -> None:
        self.route = route
        self.refused = refused
        super().__init__((LOOPBACK, 0), _Handler)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:  # noqa: ARG002 - the base class's signature
        _log.info("A tunnel through the proxy failed", exc_info=True)


class Proxy:
    """The running proxy. It listens from its creation on; :meth:`close` frees the port."""

    def __init__(self, route: Route, refused: Refusal) -> None:
        self._server = _Server(route, refused)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="sandbox-proxy", daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def close(self) -> None:
        """Stop accepting and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
