# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that run beside the tests: started with a log, waited for, and ended by their own process ids."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import time
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

LOOPBACK = "127.0.0.1"
_END_SECONDS = 10.0
_POLL_SECONDS = 0.1
_TAIL_CHARACTERS = 3000


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


@dataclasses.dataclass(frozen=True)
class Program:
    """A program that was started here. Its standard output and error go to the log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def running(self) -> bool:
        return self.process.poll() is None

    def wait_for(self, what: str, ready: Callable[[], bool], seconds: float) -> None:
        """Raises AssertionError with the end of the log when it ends or does not get ready."""
        if not wait_until(lambda: not self.running() or ready(), seconds) or not self.running():
            raise AssertionError(f"{self.name}: no {what} within {seconds:.0f} s: {self.said()[-_TAIL_CHARACTERS:]}")

    def end(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not self.running():
                return
            self.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_END_SECONDS)


@contextlib.contextmanager
def started(
    name: str, command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """Run a program until the end of the block. ``environment`` is all of its environment."""
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  # no shell, and the project's own arguments
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={"PATH": os.environ.get("PATH", os.defpath)} if environment is None else dict(environment),
        )
    program = Program(name, process, log)
    try:
        yield program
    finally:
        program.end()


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again; False when it did not become true in this time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
