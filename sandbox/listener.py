# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WSGI server on loopback: one thread a connection, connections are kept alive, TLS when it is given a certificate.

Werkzeug's server is the base; it closes each connection after one answer, so the writing of the answer is done here.
"""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import ssl
import sys
import threading
import typing as t

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.test import run_wsgi_app

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

LOOPBACK = "127.0.0.1"
_HANDSHAKE_SECONDS = 30.0
# A fleet has a thousand listeners: were each to look often whether it shall end, they would fill a processor.
_POLL_SECONDS = 60.0
_WAKE_SECONDS = 0.05
_NO_BODY = frozenset({204, 304})

#: The key of a request's :class:`Connection` in the WSGI environment.
CONNECTION = "sandbox.connection"

_log = logging.getLogger(__name__)


class Connection:
    """A request's connection. An application that sets ``dropped`` wants it ended without any answer."""

    dropped = False


class _Handler(WSGIRequestHandler):
    """Reads the whole request, calls the application and writes the whole answer. No answer here is large."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one piece

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(_body(environ))
        environ[CONNECTION] = connection = Connection()
        chunks, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        if connection.dropped:
            self.close_connection = True
            with contextlib.suppress(OSError):  # the client may have been faster
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        body = b"".join(chunks)
        code, _unused, reason = status.partition(" ")
        self.send_response(int(code), reason)
        for name, value in headers:
            if name.lower() not in ("content-length", "connection"):
                self.send_header(name, value)
        if int(code) not in _NO_BODY:
            # The answer to HEAD has no body, but the length that the application states for it.
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
            self.send_header("Content-Length", length)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and int(code) not in _NO_BODY:
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: requests are entered in the sandbox's own request log."""


def _body(environ: WSGIEnvironment) -> bytes:
    """The request's body, read to its end, so that the next request of the connection can follow."""
    if environ.get("wsgi.input_terminated"):
        return bytes(environ["wsgi.input"].read())
    return bytes(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))


class _Server(ThreadedWSGIServer):
    """A threaded server whose TLS handshakes cannot hold up other clients, and which can end its connections."""

    def __init__(self, app: WSGIApplication, context: ssl.SSLContext | None) -> None:
        super().__init__(LOOPBACK, 0, app, _Handler)
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        if context is not None:
            # The base class would do the handshake in the accepting thread, where one silent client stops all.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self.ssl_context = context

    def finish_request(self, request: t.Any, client_address: t.Any) -> None:
        with self._remembered(request):
            if isinstance(request, ssl.SSLSocket):
                request.settimeout(_HANDSHAKE_SECONDS)
                request.do_handshake()
                request.settimeout(None)
            super().finish_request(request, client_address)

    @contextlib.contextmanager
    def _remembered(self, connection: socket.socket) -> Iterator[None]:
        with self._open_lock:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._open_lock:
                self._open.discard(connection)

    def end_connections(self) -> None:
        """End the connections that clients still hold open; each one's thread then ends too."""
        with self._open_lock:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the client may have been faster
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:  # noqa: ARG002 - the base class's signature
        error = sys.exc_info()[1]
        if isinstance(error, (ConnectionError, TimeoutError, ssl.SSLError)):
            _log.info("A client broke off its connection to port %d: %s", self.port, error)
        else:
            _log.error("A request to port %d failed", self.port, exc_info=error)


class Listener:
    """A WSGI application served on a port of 127.0.0.1 that the kernel chooses.

    It listens from its creation on; :meth:`close` frees the port.
    """

    def __init__(self, name: str, app: WSGIApplication, context: ssl.SSLContext | None = None) -> None:
        self._server = _Server(app, context)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name=f"sandbox-{name}", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.port

    @property
    def address(self) -> tuple[str, int]:
        return LOOPBACK, self._server.port

    def serve(self, app: WSGIApplication) -> None:
        """Answer the next requests by another application."""
        self._server.app = app

    def close(self) -> None:
        """Stop accepting, free the port and end all connections."""
        ending = threading.Thread(target=self._server.shutdown, daemon=True)
        ending.start()
        while ending.is_alive():
            # The server looks whether it shall end when somebody connects.
            with contextlib.suppress(OSError):
                socket.create_connection(self.address, _WAKE_SECONDS).close()
            ending.join(_WAKE_SECONDS)
        self._thread.join()
        self._server.end_connections()
