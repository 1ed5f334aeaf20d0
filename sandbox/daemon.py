# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting, finding and ending the sandbox as a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import typing as t
import urllib.parse
from pathlib import Path

from sandbox.server import Sandbox
from sandbox.state import Instance, StateError, StateFolder

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.world import Json

_START_SECONDS = 60.0
_END_SECONDS = 10.0
_ASK_SECONDS = 5.0
_POLL_SECONDS = 0.05
_LOG_TAIL_LINES = 20

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


class SandboxError(Exception):
    """A command failed. The message is a sentence for the user."""


def forget_foreign_settings() -> None:
    """Take proxies, certificate bundles and cloud settings of the user's shell out of this process' environment."""
    for name in list(os.environ):
        if name.upper() in _FOREIGN_NAMES or name.startswith(_FOREIGN_SETTINGS):
            del os.environ[name]


def serve(folder: StateFolder, started: Callable[[Sandbox], None]) -> None:
    """Run the sandbox in this process until it is told to end, by its control API, SIGTERM or SIGINT.

    Raises SandboxError when another sandbox holds the folder.
    """
    forget_foreign_settings()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    folder.create()
    end = threading.Event()
    with folder.lock(seconds=1.0) as mine:
        if not mine:
            raise SandboxError(f"A sandbox already runs in {folder.path}.")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: end.set())
        sandbox = Sandbox(folder, on_shutdown=end.set)
        try:
            started(sandbox)
            end.wait()
        finally:
            sandbox.close()
            folder.remove()


def find(folder: StateFolder) -> Json | None:
    """The status of the sandbox that runs in this folder and answers, or None."""
    instance = folder.read_instance() if folder.locked() else None
    return _status(instance) if instance else None


def start(folder: StateFolder) -> Json:
    """Start a detached sandbox unless one runs already, and give its status once it answers.

    Raises SandboxError with the end of its log when it does not come up.
    """
    folder.create()
    running = find(folder)
    if running is not None:
        return running
    command = [sys.executable, "-m", "sandbox", "up", "--foreground", "--state", str(folder.path)]
    package_root = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join([package_root, *filter(None, [os.environ.get("PYTHONPATH")])])
    with folder.server_log.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": path},
        )
    for _ in _moments(_START_SECONDS):
        running = find(folder)
        if running is not None:
            return running
        # When two are started at once, one of them ends and the other one answers.
        if process.poll() is not None and not folder.locked():
            raise SandboxError(f"The sandbox ended while it started.{_tail(folder.server_log)}")
    process.kill()
    raise SandboxError(f"The sandbox did not answer within {_START_SECONDS:.0f} s.{_tail(folder.server_log)}")


def end(folder: StateFolder) -> bool:
    """End the sandbox that holds this folder and delete its files; False when none ran.

    The lock on the folder proves that the process is ours; its number alone would not.
    """
    if not folder.locked():
        folder.remove()
        return False
    instance = _wait_for_instance(folder)
    with contextlib.suppress(OSError, http.client.HTTPException):
        ask(instance.control_url, "POST", "/shutdown", {"instance": instance.instance})
    for number in (signal.SIGTERM, signal.SIGKILL):
        if _unlocked_in_time(folder):
            break
        os.kill(instance.pid, number)
    if not _unlocked_in_time(folder):
        raise SandboxError(f"The sandbox's process {instance.pid} does not end.")
    folder.remove()
    return True


def ask(control_url: str, method: str, path: str, body: Json | None = None) -> Json:
    """One request to the control API. It is on loopback, so no proxy is asked.

    Raises OSError or HTTPException when nobody answers, SandboxError when the answer is a refusal.
    """
    address = urllib.parse.urlsplit(control_url).netloc
    connection = http.client.HTTPConnection(address, timeout=_ASK_SECONDS)
    with contextlib.closing(connection):
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer: Json = json.loads(response.read())
    if response.status >= http.HTTPStatus.BAD_REQUEST:
        raise SandboxError(str(answer.get("error", f"The control API answered {response.status}.")))
    return answer


def _status(instance: Instance) -> Json | None:
    """What the instance says of itself; None when nobody answers there, or somebody else."""
    try:
        status = ask(instance.control_url, "GET", "/status")
    except (OSError, http.client.HTTPException, ValueError, SandboxError):
        return None
    return status if status.get("instance") == instance.instance else None


def _wait_for_instance(folder: StateFolder) -> Instance:
    """The instance that holds the folder; one that is still starting gets time to say so."""
    for _ in _moments(_END_SECONDS):
        instance = folder.read_instance()
        if instance is not None:
            return instance
    raise StateError(f"The sandbox in {folder.path} runs but did not say who it is; see {folder.server_log}.")


def _unlocked_in_time(folder: StateFolder) -> bool:
    return any(not folder.locked() for _ in _moments(_END_SECONDS))


def _moments(seconds: float) -> Iterator[None]:
    """Iterate with short pauses for this long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(_POLL_SECONDS)


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    return " The end of its log:\n" + "\n".join(lines) if lines else ""
