# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting, finding and ending the sandbox as a process of its own. It imports no service: commands stay quick."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
import typing as t
import urllib.parse
from pathlib import Path

from sandbox.state import FolderLock, Instance, StateError, StateFolder

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.world import Json

_START_SECONDS = 60.0
_END_SECONDS = 10.0
_ASK_SECONDS = 5.0
_POLL_SECONDS = 0.05
_LOG_TAIL_LINES = 20


class SandboxError(Exception):
    """A command failed. The message is a sentence for the user."""


def find(folder: StateFolder) -> Json | None:
    """The status of the sandbox that runs in this folder and answers, or None."""
    instance = folder.read_instance() if folder.locked() else None
    return _status(instance) if instance else None


def start(folder: StateFolder, api_servers: Path | None = None) -> Json:
    """Start a detached sandbox unless one runs already, and give its status once it answers.

    ``api_servers`` is the file of external API servers, see ``python -m sandbox up --help``.
    Raises SandboxError with the end of its log when it does not come up.
    """
    folder.create()
    running = find(folder)
    if running is not None:
        return running
    command = [sys.executable, "-m", "sandbox", "up", "--foreground", "--state", str(folder.path)]
    if api_servers is not None:
        command += ["--api-servers", str(api_servers)]
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
    try:
        running = _wait_for_status(folder, process)
    except SandboxError:
        _give_up(process)
        raise
    if running["pid"] != process.pid:
        # Somebody else's start was faster. Ours waits for the folder, and must not take it over when theirs ends.
        _give_up(process)
    return running


def _wait_for_status(folder: StateFolder, process: subprocess.Popen[bytes]) -> Json:
    """The status of whichever sandbox comes to hold the folder. Raises SandboxError when none does."""
    for _unused in _moments(_START_SECONDS):
        running = find(folder)
        if running is not None:
            return running
        if process.poll() is not None and not folder.locked():
            raise SandboxError(f"The sandbox ended while it started.{_tail(folder.server_log)}")
    raise SandboxError(f"The sandbox did not answer within {_START_SECONDS:.0f} s.{_tail(folder.server_log)}")


def _give_up(process: subprocess.Popen[bytes]) -> None:
    """End a sandbox that was started here and is not wanted any more."""
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end(folder: StateFolder) -> bool:
    """End the sandbox that holds this folder and delete its files; False when none ran.

    The lock on the folder proves that the process is ours; its number alone would not.
    """
    try:
        lock = folder.lock()
    except FileNotFoundError:
        return False
    with contextlib.closing(lock):
        ran = not lock.acquire()
        if ran:
            _end_holder(folder, lock)
        if lock.is_current():
            folder.remove()
        return ran


def _end_holder(folder: StateFolder, lock: FolderLock) -> None:
    """Have the process that holds the folder end, by asking first; afterwards the lock is ours."""
    instance = _wait_for_instance(folder)
    with contextlib.suppress(OSError, http.client.HTTPException):
        ask(instance.control_url, "POST", "/shutdown", {"instance": instance.instance})
    for number in (signal.SIGTERM, signal.SIGKILL):
        if lock.acquire(_END_SECONDS):
            return
        with contextlib.suppress(ProcessLookupError):  # it may have ended just now
            os.kill(instance.pid, number)
    if not lock.acquire(_END_SECONDS):
        raise SandboxError(f"The sandbox's process {instance.pid} does not end.")


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
    for _unused in _moments(_END_SECONDS):
        instance = folder.read_instance()
        if instance is not None:
            return instance
    raise StateError(f"The sandbox in {folder.path} runs but did not say who it is; see {folder.server_log}.")


def _moments(seconds: float) -> Iterator[None]:
    """Iterate with short pauses for this long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(_POLL_SECONDS)


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    return " The end of its log:\n" + "\n".join(lines) if lines else ""
