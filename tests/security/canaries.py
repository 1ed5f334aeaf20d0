# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that are easy to recognise, and the search for them in all that a run shows and leaves."""

from __future__ import annotations

import base64
import dataclasses
import functools
import html
import json
import os
import threading
import typing as t
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: The beginning of each JSON web token; of which kind it is does not matter.
TOKEN: t.Final = "eyJhbGciOi"
#: The prefix of temporary access keys. What is behind it is asked for separately.
SESSION_KEY: t.Final = "ASIA"
PRIVATE_KEY: t.Final = "PRIVATE KEY-----"
#: A line of a PEM text that is shorter would be found by chance.
_SHORTEST: t.Final = 8
_PAUSE: t.Final = 0.03


def forms(secret: str) -> frozenset[str]:
    """A secret as it is, and in every code in which it might get somewhere: base64 at each of its three positions, with
    both alphabets, percent-encoding, JSON, HTML, hexadecimal digits."""
    raw = secret.encode()
    found = {
        secret,
        urllib.parse.quote(secret, safe=""),
        urllib.parse.quote_plus(secret),
        html.escape(secret),
        raw.hex(),
    }
    found |= {json.dumps(secret)[1:-1], urllib.parse.quote(secret)}
    for offset in range(3):
        coded = base64.b64encode(b"\0" * offset + raw).decode()
        start = (0, 2, 3)[offset]  # digits that the bytes before it have a part in
        end = len(coded) - (0, 3, 2)[(offset + len(raw)) % 3]  # and those that would change with what follows
        found |= {coded[start:end], coded[start:end].translate(str.maketrans("+/", "-_"))}
    return frozenset(found)


@dataclasses.dataclass(frozen=True)
class Canaries:
    """Secrets by what they are."""

    secrets: Mapping[str, str]

    def found_in(self, text: str | bytes) -> set[str]:
        """What of them is in a text, in whatever form."""
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        return {name for name, coded in self._coded.items() if any(one in data for one in coded)}

    @functools.cached_property
    def _coded(self) -> dict[str, tuple[bytes, ...]]:
        every = {name: forms(secret) for name, secret in self.secrets.items()}
        return {name: tuple(one.encode() for one in each) for name, each in every.items()}


@dataclasses.dataclass
class Watcher:
    """Looks, as long as its block is open, at the files of a folder and at the processes that this one has started.

    ``spared`` are folders in which ansible-core itself keeps secrets on a user's demand, or to hand them to a process.
    """

    canaries: Canaries
    folder: Path
    spared: tuple[Path, ...] = ()
    leaks: set[str] = dataclasses.field(default_factory=set)
    files: set[str] = dataclasses.field(default_factory=set)
    processes: set[str] = dataclasses.field(default_factory=set)
    _seen: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    _stop: threading.Event = dataclasses.field(default_factory=threading.Event)

    def __enter__(self) -> Watcher:
        self._pool = ThreadPoolExecutor(max_workers=1)
        self._watching = self._pool.submit(self._watch)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        self._pool.shutdown()
        self._watching.result()  # a watch that broke off has not looked to the end
        self.look()

    def _watch(self) -> None:
        while not self._stop.wait(_PAUSE):
            self.look()

    def look(self) -> None:
        """Once at everything that is new."""
        self._look_at_files()
        self._look_at_processes()

    def _look_at_files(self) -> None:
        # Not by ``rglob``, which fails for a folder that goes meanwhile.
        every = (Path(folder, name) for folder, _folders, names in os.walk(self.folder) for name in names)
        for path in every:
            if any(path.is_relative_to(folder) for folder in self.spared):
                continue
            try:
                status = path.stat()
                state = (status.st_mtime_ns, status.st_size)
                if not path.is_file() or self._seen.get(str(path)) == state:
                    continue
                content = path.read_bytes()
            except OSError:  # it is gone already
                continue
            self._seen[str(path)] = state
            self.files.add(path.name)
            self._report(f"file {path.relative_to(self.folder)}", content)

    def _look_at_processes(self) -> None:
        for process in _descendants():
            for part in ("cmdline", "environ"):
                try:
                    content = (process / part).read_bytes()
                except OSError:  # it has ended
                    continue
                if part == "cmdline":
                    self.processes.add(content.partition(b"\0")[0].decode(errors="replace"))
                self._report(f"{part} of a process", content)

    def _report(self, where: str, content: bytes) -> None:
        self.leaks |= {f"{name} in {where}" for name in self.canaries.found_in(content)}


def _descendants() -> Iterator[Path]:
    """The folders in /proc of the processes that this one has started, directly or not."""
    parents: dict[str, str] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            status = (process / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        parents[process.name] = status.rpartition(")")[2].split()[1]
    own = {Path("/proc/self").resolve().name}
    while more := {name for name, parent in parents.items() if parent in own} - own:
        own |= more
    return (Path("/proc", name) for name in own - {Path("/proc/self").resolve().name})


def lines_of(pem: str) -> Iterable[str]:
    """The lines of a PEM text that only who has the key knows."""
    return [line for line in pem.splitlines() if len(line) > _SHORTEST and "-----" not in line]
