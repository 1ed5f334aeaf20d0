# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the real parts are kept: the user's cache folder. A part lies there whole or not at all.

It is made in a folder beside its place and renamed at the end, under a lock that a second run waits for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Say = t.Callable[[str], None]


class PartMissing(Exception):
    """A part can't be had. The message is one sentence: which and why."""


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/crosscloud-aks-amp/real``, as the XDG Base Directory Specification has it."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "crosscloud-aks-amp" / "real"


@contextlib.contextmanager
def locked(folder: Path, say: Say) -> Iterator[None]:
    """Hold the cache; another run that obtains parts at the same time is waited for."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run obtains the parts at this moment: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclasses.dataclass(frozen=True)
class Cache:
    """The cache folder and where progress is reported."""

    folder: Path
    say: Say

    def part(self, name: str, make: Callable[[Path], None]) -> Path:
        """The folder of a part, which ``make`` fills when it is not there. ``name`` says what is in it, so that
        another version or recipe is another part. Raises PartMissing."""
        place = self.folder / name
        if place.is_dir():
            return place
        for left in self.folder.glob(f".{name}.*"):  # of a run that was broken off
            shutil.rmtree(left, ignore_errors=True)
        started = time.monotonic()
        draft = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=self.folder))
        try:
            make(draft)
            draft.chmod(0o755)
            draft.rename(place)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        self.say(f"{name}: ready after {time.monotonic() - started:.0f} s")
        return place


def run(
    what: str,
    *command: str | Path,
    cwd: Path,
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a command, and give its output. Raises PartMissing with the last line that it said."""
    try:
        finished = subprocess.run(  # noqa: S603  # no shell, and the project's own arguments
            [str(word) for word in command],
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            timeout=seconds,
            check=False,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError as error:
        raise PartMissing(f"{what}: this machine has no {command[0]}.") from error
    except subprocess.TimeoutExpired as error:
        raise PartMissing(f"{what}: {Path(str(command[0])).name} did not end within {seconds:.0f} s.") from error
    if finished.returncode:
        said = [line.strip() for line in (finished.stderr or finished.stdout).splitlines() if line.strip()]
        errors = [line for line in said if line.startswith(("E:", "ERROR"))]
        reason = (errors[:1] or said[-1:] or ["it said nothing"])[0]
        raise PartMissing(f"{what}: {Path(str(command[0])).name} failed: {reason.removesuffix('.')}.")
    return finished.stdout
