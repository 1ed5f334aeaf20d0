# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command costs: CPU seconds of its whole process tree as the kernel accounts for them, wall time and memory.

CPU and the largest process come from ``wait4``: exact, and of all descendants that were waited for. What processes hold
together at one moment can only be sampled: the proportional set size counts a page that forks share once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import tempfile
import threading
import time
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SAMPLE_SECONDS = 0.5
_PATIENCE_SECONDS = 5.0
_KIB = 1024
_TAIL = 3000


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one command, or several one after the other, cost."""

    cpu: float  # user and system seconds
    wall: float
    largest: int  # bytes: peak resident set of the largest process
    together: int  # bytes: peak of what all processes held at one moment; 0 when it was not sampled
    root: int  # bytes: peak resident set of the first process; 0 when it was not sampled

    def __add__(self, other: Cost) -> Cost:
        """Both, one after the other."""
        return Cost(
            self.cpu + other.cpu,
            self.wall + other.wall,
            max(self.largest, other.largest),
            max(self.together, other.together),
            max(self.root, other.root),
        )


@dataclasses.dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    exit_code: int
    output: str  # standard output and standard error as one text
    cost: Cost

    def require(self, what: str, *codes: int) -> Finished:
        """Raises BenchmarkError when the exit code is none of these; by default 0 is required."""
        if self.exit_code not in (codes or (0,)):
            raise BenchmarkError(f"{what} ended with exit code {self.exit_code}:\n{self.output[-_TAIL:]}")
        return self


class BenchmarkError(Exception):
    """A measurement is worth nothing. The message says why."""


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path,
    seconds: float,
    sample: bool = False,
    given: str = "",
) -> Finished:
    """Run a command to its end in a process group of its own. ``sample``: look at the memory of its tree meanwhile.

    Raises BenchmarkError when it takes longer than ``seconds``; the whole group is killed then.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as text:
        text.write(given.encode())
        text.seek(0)
        started = time.monotonic()
        process = subprocess.Popen(  # noqa: S603  # no shell, and the project's own arguments
            command, cwd=folder, env=environment, stdin=text, stdout=output, stderr=output, process_group=0
        )
        sampler = _Sampler(process.pid) if sample else None
        with sampler or contextlib.nullcontext(), _deadline(process.pid, seconds) as late:
            _unused, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - started
        process.returncode = os.waitstatus_to_exitcode(status)  # it is waited for here, so nobody else may
        if late.is_set():
            raise BenchmarkError(f"{command[0]} did not end within {seconds:.0f} s.")
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
    cost = Cost(
        cpu=usage.ru_utime + usage.ru_stime,
        wall=wall,
        largest=usage.ru_maxrss * _KIB,
        together=sampler.together if sampler else 0,
        root=sampler.root if sampler else 0,
    )
    return Finished(process.returncode, said, cost)


@contextlib.contextmanager
def _deadline(group: int, seconds: float) -> Iterator[threading.Event]:
    """Kill a process group when the block takes longer, or is left by an exception. The event tells of the first."""
    late = threading.Event()

    def end() -> None:
        late.set()
        _kill(group)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    except BaseException:
        _kill(group)
        raise
    finally:
        timer.cancel()


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


class _Sampler:
    """Looks at a process tree's memory twice a second, in a thread of its own."""

    def __init__(self, pid: int) -> None:
        self.together = 0
        self.root = 0
        self._pid = pid
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_unused: object) -> None:
        self._end.set()
        self._thread.join(_PATIENCE_SECONDS)

    def _look(self) -> None:
        while not self._end.wait(_SAMPLE_SECONDS):
            self.together = max(self.together, sum(map(proportional, tree(self._pid))))
            self.root = max(self.root, _field(Path(f"/proc/{self._pid}/status"), "VmHWM"))


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for one in found:  # grows while it is walked
        with contextlib.suppress(OSError):  # it has just ended
            for task in Path(f"/proc/{one}/task").iterdir():
                found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def proportional(pid: int) -> int:
    """The proportional set size of a process in bytes; 0 when it has ended."""
    return _field(Path(f"/proc/{pid}/smaps_rollup"), "Pss")


def _field(file: Path, name: str) -> int:
    """A size of one of the kernel's files about a process, in bytes; 0 when the process has ended."""
    with contextlib.suppress(OSError):
        for line in file.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * _KIB
    return 0
