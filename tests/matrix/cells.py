# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is supported: releases of ansible-core as the package index knows them, and the cells that they make."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import tempfile
import typing as t

SERIES: t.Final = ("2.16", "2.19", "2.20", "2.21")
PYTHONS: t.Final = ("3.11", "3.12", "3.13")
#: Name of the cell in which ansible-core and every SDK are the oldest that requirements.txt admits.
LOWEST: t.Final = "lowest"

_CLASSIFIER: t.Final = re.compile(r"Programming Language :: Python :: (\d+\.\d+)")


class MatrixError(Exception):
    """What keeps the whole matrix from being run, as one sentence."""


@dataclasses.dataclass(frozen=True)
class Release:
    """A release of ansible-core with the Pythons, of those that the matrix knows, that its own classifiers name."""

    version: str
    pythons: tuple[str, ...]

    @property
    def series(self) -> str:
        return ".".join(self.version.split(".")[:2])


@dataclasses.dataclass(frozen=True)
class Cell:
    """A release on a Python, tested as far as ansible-core matters.

    ``whole`` says that it is the newest Python of the release that this machine has, on which more of the release is
    tested; ``pure`` that the code which knows nothing of ansible-core is tested as well, once on each Python.
    """

    core: str  # its series, or LOWEST
    version: str
    python: str
    whole: bool = False
    pure: bool = False

    @property
    def name(self) -> str:
        return f"{self.core}/{self.python}"

    @property
    def folder(self) -> str:
        return f"{self.core}-{self.python}"


def release_of(metadata: t.Mapping[str, t.Any]) -> Release:
    """The release that a distribution's metadata describe, in the form of pip's report."""
    named = (_CLASSIFIER.fullmatch(line) for line in metadata.get("classifier", ()))
    taken = {match.group(1) for match in named if match}
    return Release(str(metadata["version"]), tuple(python for python in PYTHONS if python in taken))


def ask_index(requirement: str) -> Release:
    """The newest release that fits, whatever Python this is. Raises MatrixError when the index can't be asked."""
    with tempfile.TemporaryDirectory() as nowhere:
        # pip needs a target for another Python than its own; nothing is written in a dry run.
        command = (
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"),
            *("--dry-run", "--ignore-installed", "--report", "-", "--only-binary=:all:"),
            *("--python-version", "3.99", "--target", nowhere, requirement),
        )
        asked = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # the project's own
    if asked.returncode:
        raise MatrixError(f"The package index does not tell of {requirement}: {asked.stderr.strip()[-500:]}")
    (item,) = json.loads(asked.stdout)["install"]
    return release_of(item["metadata"])


def releases(ask: t.Callable[[str], Release] = ask_index) -> tuple[Release, ...]:
    """The newest of each series and the newest of all, oldest first, each once."""
    wanted = (*(f"ansible-core ~= {series}.0" for series in SERIES), "ansible-core")
    found = {release.series: release for release in map(ask, wanted)}
    return tuple(found.values())


def cells(of: t.Iterable[Release], oldest: Release, present: t.Container[str]) -> tuple[Cell, ...]:
    """All cells, also those whose Python is not ``present``; the lower bounds come last, on the oldest Python."""
    known = tuple(of)
    last = {python: release for release in known for python in release.pythons}
    made: list[Cell] = []
    for release in known:
        newest = next((python for python in reversed(release.pythons) if python in present), None)
        made += [
            Cell(release.series, release.version, python, whole=python == newest, pure=last[python] is release)
            for python in release.pythons
        ]
    return (*made, *(Cell(LOWEST, oldest.version, python, whole=True, pure=True) for python in oldest.pythons[:1]))
