# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox as this process: what ``python -m sandbox up`` starts in the background."""

from __future__ import annotations

import logging
import os
import signal
import threading
import typing as t

from sandbox.daemon import SandboxError
from sandbox.server import Sandbox

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.kubernetes.external import ExternalServer
    from sandbox.state import StateFolder

_HOLD_SECONDS = 1.0  # others hold the folder for a moment when they look whether anybody holds it

# Settings of the user's own shell that would lead the sandbox's own calls elsewhere.
_FOREIGN_SETTINGS = ("AWS_", "AZURE_")
_FOREIGN_NAMES = frozenset(
    {
        "ALL_PROXY",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "CURL_CA_BUNDLE",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
    }
)


def forget_foreign_settings() -> None:
    """Take proxies, certificate bundles and cloud settings of the user's shell out of this process' environment."""
    for name in list(os.environ):
        if name.upper() in _FOREIGN_NAMES or name.startswith(_FOREIGN_SETTINGS):
            del os.environ[name]


def serve(
    folder: StateFolder, started: Callable[[Sandbox], None], external: Mapping[str, ExternalServer] | None = None
) -> None:
    """Run the sandbox in this process until it is told to end, by its control API, SIGTERM or SIGINT.

    Raises SandboxError when another sandbox holds the folder.
    """
    forget_foreign_settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    end = threading.Event()
    _hold(folder)
    folder.instance_file.unlink(missing_ok=True)  # of a sandbox that was killed
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    sandbox = Sandbox(folder, on_shutdown=end.set, external=external)
    try:
        started(sandbox)
        end.wait()
    finally:
        sandbox.close()
        folder.remove()


def _hold(folder: StateFolder) -> None:
    """Acquire the folder for the rest of this process' life.

    The lock is never given back: whoever gets it next thereby knows that this process has ended.
    """
    while True:
        folder.create()
        lock = folder.lock()
        if not lock.acquire(_HOLD_SECONDS):
            raise SandboxError(f"A sandbox already runs in {folder.path}.")
        if lock.is_current():
            return
        lock.close()  # the sandbox that ended just now has deleted the folder
