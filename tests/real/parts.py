# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real parts of the tests and where their programs are."""

from __future__ import annotations

import dataclasses
import functools
import shutil
import sys
import typing as t
from pathlib import Path

from tests.real import chromium_part, kube_build, wheels
from tests.real.cache import Cache, PartMissing, Say, cache_folder, locked
from tests.real.debian import Suite, choose

if t.TYPE_CHECKING:
    from collections.abc import Callable

_NO_LIMIT = (1 << 30, 0)


@dataclasses.dataclass(frozen=True)
class DebianPart:
    """Programs of Debian packages, one each, of the same name and version.

    Their version moves, so a range is wanted; what is cached stays.
    """

    name: str
    suite: str
    programs: tuple[str, ...]
    lowest: tuple[int, int]
    below: tuple[int, int] = _NO_LIMIT

    def install(self, target: Path) -> None:
        """Raises PartMissing."""
        work = target / "work"
        work.mkdir()
        suite = Suite.open(self.suite, work)
        for program in self.programs:
            suite.unpack(program, self._version(suite, program), work / "files")
            shutil.move(work / "files" / "usr" / "bin" / program, target / program)
        shutil.rmtree(work)

    def _version(self, suite: Suite, program: str) -> str:
        versions = suite.versions(program)
        version = choose(versions, self.lowest, self.below)
        if version is None:
            wanted, has = ".".join(map(str, self.lowest)), ", ".join(versions) or "none"
            raise PartMissing(f"{self.name}: Debian {self.suite} has {has} of {program}; {wanted} or later is needed.")
        return version


_PROMETHEUS = ("prometheus", "promtool")
DEBIAN_PARTS = (
    # Debian's 2.42 does not sign: a patch of the package takes the signing out.
    DebianPart("prometheus-2.53", "trixie", _PROMETHEUS, (2, 53), (3, 0)),
    DebianPart("prometheus-3.5", "sid", _PROMETHEUS, (3, 5)),
    DebianPart("kubectl", "trixie", ("kubectl",), (1, 24)),
)
PROMETHEUS_NAMES = ("prometheus-2.53", "prometheus-3.5")


@dataclasses.dataclass(frozen=True)
class Parts:
    """The folders of the parts that are there, and for each other one the sentence that says why it is not."""

    folders: t.Mapping[str, Path]
    missing: t.Mapping[str, str]

    def program(self, part: str, program: str) -> Path:
        """Raises PartMissing."""
        if part in self.missing:
            raise PartMissing(self.missing[part])
        return self.folders[part] / program


def obtain(say: Say, folder: Path | None = None) -> Parts:
    """Every part, from the cache or made now. Nothing is downloaded or built when all of them are cached."""
    cache = Cache(folder or cache_folder(), say)
    made: dict[str, Path] = {}
    missing: dict[str, str] = {}
    with locked(cache.folder, say):
        for name, folder_name, make in _recipes(say):
            try:
                made[name] = cache.part(folder_name, make)
            except PartMissing as error:
                missing[name] = str(error) if str(error).startswith(f"{name}:") else f"{name}: {error}"
                say(missing[name])
    return Parts(made, missing)


@functools.cache
def parts_of_this_run() -> Parts:
    """Obtained once a process: what can't be had is not tried again."""
    return obtain(say_aloud)


def say_aloud(line: str) -> None:
    sys.stdout.write(f"== {line}\n")
    sys.stdout.flush()


def _recipes(say: Say) -> list[tuple[str, str, Callable[[Path], None]]]:
    """Name, name of the folder, and how it is filled."""

    def installed(part: DebianPart) -> Callable[[Path], None]:
        def make(target: Path) -> None:
            say(f"{part.name}: downloading {' and '.join(part.programs)} of Debian {part.suite}")
            part.install(target)

        return make

    def etcd(target: Path) -> None:
        say(f"etcd: downloading {wheels.ETCD.version}")
        wheels.install_etcd(target)

    def awx_collection(target: Path) -> None:
        say(f"awx.awx: downloading {wheels.AWX_COLLECTION}")
        wheels.install_awx_collection(target)

    def chromium(target: Path) -> None:
        say("chromium: downloading Debian's with its libraries, because none is on the path")
        chromium_part.install(target)

    return [
        ("etcd", f"etcd-{wheels.ETCD.version}", etcd),
        ("awx.awx", f"awx-collection-{wheels.AWX_COLLECTION}", awx_collection),
        *((part.name, part.name, installed(part)) for part in DEBIAN_PARTS),
        *([] if chromium_part.on_path() else [(chromium_part.NAME, chromium_part.NAME, chromium)]),
        ("kubernetes", kube_build.RECIPE, lambda target: kube_build.build(target, say)),
    ]
