# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A WSGI server on loopback: one thread a connection, TLS when it is given a certificate."""

from __future__ import annotations

import logging
import ssl
import sys
import threading
import typing as t

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOOPBACK = "127.0.0.1"
_HANDSHAKE_SECONDS = 30.0
_POLL_SECONDS = 0.05

_log = logging.getLogger(__name__)


class _QuietHandler(WSGIRequestHandler):
    """Requests are entered in the sandbox's own request log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class _Server(ThreadedWSGIServer):
    """A threaded server whose TLS handshakes cannot hold up other clients."""

    def __init__(self, app: WSGIApplication, context: ssl.SSLContext | None) -> None:
        super().__init__(LOOPBACK, 0, app, _QuietHandler)
        if context is not None:
            # The base class would do the handshake in the accepting thread, where one silent client stops all.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
            self.ssl_context = context

    def finish_request(self, request: t.Any, client_address: t.Any) -> None:
        if isinstance(request, ssl.SSLSocket):
            request.settimeout(_HANDSHAKE_SECONDS)
            request.do_handshake()
            request.settimeout(None)
        super().finish_request(request, client_address)

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
        """Stop accepting and free the port. Requests under way end by themselves."""
        self._server.shutdown()
        self._thread.join()
