# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of the Debian mirror that this machine's own apt uses, without installing any, and without root.

apt runs on a folder of its own. It checks the index by Debian's signature and each package by the index's SHA-256.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from pathlib import Path

from tests.real.cache import PartMissing, run

if t.TYPE_CHECKING:
    from collections.abc import Iterable

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_INDEX_SECONDS = 180.0
_DOWNLOAD_SECONDS = 300.0
_ONE_LINE = re.compile(r"^deb\s+(?:\[[^]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)$")


def mirror(folder: Path = Path("/etc/apt")) -> str:
    """The URI from which this machine takes Debian's main archive, by its apt settings. Raises PartMissing."""
    for uri, components in [*_one_line_sources(folder), *_deb822_sources(folder)]:
        # Security updates and other vendors' repositories have other layouts.
        if "main" in components and re.fullmatch(r"(https?|file|mirror\+\S+|copy):/+\S+?/debian/?", uri):
            return uri.rstrip("/")
    raise PartMissing("Debian packages: the apt settings of this machine name no mirror of Debian's main archive.")


def _one_line_sources(folder: Path) -> list[tuple[str, list[str]]]:
    found = []
    for file in (folder / "sources.list", *sorted((folder / "sources.list.d").glob("*.list"))):
        for line in _text(file).splitlines():
            match = _ONE_LINE.match(line.strip())
            if match:
                found.append((match["uri"], match["components"].split()))
    return found


def _deb822_sources(folder: Path) -> list[tuple[str, list[str]]]:
    found = []
    for file in sorted((folder / "sources.list.d").glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", _text(file)):
            lines = [line for line in stanza.splitlines() if not line.startswith("#") and ":" in line]
            fields = {name.strip().lower(): value.split() for name, _unused, value in (x.partition(":") for x in lines)}
            if "deb" in fields.get("types", []):
                found += [(uri, fields.get("components", [])) for uri in fields.get("uris", [])]
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # absent, or not for this user
        return ""


@dataclasses.dataclass(frozen=True)
class Suite:
    """apt over one of Debian's suites in a folder of its own."""

    name: str  # bookworm, trixie, sid
    folder: Path

    @classmethod
    def open(cls, name: str, folder: Path, *, sources: bool = False) -> Suite:
        """Fetch the suite's index into the folder; ``sources``: that of the source packages too. Raises PartMissing."""
        place = folder / f"apt-{name}"
        for part in ("lists/partial", "cache/archives/partial", "parts", "trusted"):
            (place / part).mkdir(parents=True)
        if not _KEYRING.is_file():
            raise PartMissing(f"Debian packages: {_KEYRING} is not there, so none could be checked.")
        kinds = ("deb", "deb-src") if sources else ("deb",)
        uri = mirror()
        lines = [f"{kind} [signed-by={_KEYRING}] {uri} {name} main\n" for kind in kinds]
        (place / "sources.list").write_text("".join(lines), encoding="utf-8")
        settings = {
            "Dir::Etc::SourceList": place / "sources.list",
            "Dir::Etc::SourceParts": place / "parts",
            "Dir::Etc::TrustedParts": place / "trusted",
            "Dir::State::Lists": place / "lists",
            "Dir::Cache": place / "cache",
            "APT::Sandbox::User": "root",  # another user could not write into these folders
            "APT::Update::Post-Invoke-Success": "",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "Acquire::http::Timeout": "30",
            "Acquire::https::Timeout": "30",
        }
        text = "".join(f'{name} "{value}";\n' for name, value in settings.items())
        (place / "apt.conf").write_text(text, encoding="utf-8")
        suite = cls(name, place)
        suite._apt("apt-get", "-qq", "--error-on=any", "update", seconds=_INDEX_SECONDS)
        return suite

    def versions(self, package: str) -> list[str]:
        """The versions of a binary package that the index has."""
        lines = self._apt("apt-cache", "madison", package, seconds=_INDEX_SECONDS).splitlines()
        return [fields[1].strip() for fields in (line.split("|") for line in lines) if "Packages" in fields[2]]

    def source_versions(self, package: str) -> list[str]:
        """The versions of a source package that the index has."""
        text = self._apt("apt-cache", "showsrc", "--only-source", package, seconds=_INDEX_SECONDS)
        return re.findall(r"^Version: (\S+)$", text, re.MULTILINE)

    def unpack(self, package: str, version: str, target: Path) -> None:
        """Download a binary package and lay its files out below ``target``."""
        self._apt("apt-get", "-qq", "download", f"{package}={version}", seconds=_DOWNLOAD_SECONDS)
        (archive,) = self.folder.glob(f"{package}_*.deb")
        run(f"{package} of Debian {self.name}", "dpkg", "-x", archive, target, cwd=self.folder, seconds=120)
        archive.unlink()

    def unpack_with_libraries(self, package: str, target: Path, besides: str) -> None:
        """Download a binary package with all that it depends on, and lay the files out below ``target``, but for those
        of the packages that ``besides``, a regular expression, matches."""
        nothing = self.folder / "nothing-installed"
        nothing.touch()
        options = (
            "-o",
            f"Dir::State::status={nothing}",
            "-o",
            "APT::Install-Recommends=false",
            "-o",
            "Debug::NoLocking=1",
        )
        self._apt(
            "apt-get", "-qq", "--yes", "--download-only", *options, "install", package, seconds=2 * _DOWNLOAD_SECONDS
        )
        for archive in sorted((self.folder / "cache" / "archives").glob("*.deb")):
            if not re.match(besides, archive.name):
                run(
                    f"{archive.name} of Debian {self.name}", "dpkg", "-x", archive, target, cwd=self.folder, seconds=120
                )
            archive.unlink()

    def source_archive(self, package: str, version: str) -> Path:
        """Download a source package, and give its original archive."""
        self._apt("apt-get", "-qq", "source", "--download-only", f"{package}={version}", seconds=_DOWNLOAD_SECONDS)
        (archive,) = self.folder.glob(f"{package}_*.orig.tar.*[!c]")
        return archive

    def _apt(self, program: str, *arguments: str, seconds: float) -> str:
        return run(
            f"Packages of Debian {self.name}",
            program,
            *arguments,
            cwd=self.folder,
            seconds=seconds,
            environment={"APT_CONFIG": str(self.folder / "apt.conf"), "LC_ALL": "C.UTF-8"},
        )


def choose(versions: Iterable[str], lowest: tuple[int, int], below: tuple[int, int]) -> str | None:
    """The first of the versions whose two leading numbers lie in the range."""
    for version in versions:
        numbers = re.match(r"(?:\d+:)?(\d+)\.(\d+)", version)
        if numbers and lowest <= (int(numbers[1]), int(numbers[2])) < below:
            return version
    return None
