# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that the collection is compared with, kept in the user's cache folder beside those of the tests.

Their environments are made in a folder that is renamed at the end, so their programs are always run by their Python
and by module: a script's first line would name a folder that is gone.
"""

from __future__ import annotations

import dataclasses
import functools
import sys
import typing as t
from pathlib import Path

from tests.real.cache import Cache, PartMissing, cache_folder, locked, run
from tests.real.parts import DEBIAN_PARTS, say_aloud

if t.TYPE_CHECKING:
    from collections.abc import Callable

AZURE_CLI = "2.91.0"
AWS_CLI = "1.46.3"
#: The newest community package whose ansible-core runs on Python 3.11, as the collection's lowest Python does.
ANSIBLE = "12.3.0"

_INSTALL_SECONDS = 1500.0
_COLLECTIONS = ("amazon/aws", "azure/azcollection", "kubernetes/core")


@dataclasses.dataclass(frozen=True)
class Parts:
    """Where the programs are, and for each part that can't be had the sentence that says why."""

    azure_cli: Path | None  # the Python of an environment, as the next two
    aws_cli: Path | None
    stock: Path | None
    kubectl: Path | None
    missing: tuple[str, ...]


def obtain() -> Parts:
    """Every part, from the cache or made now, which takes a few minutes and 3 GB."""
    cache = Cache(cache_folder(), say_aloud)
    missing: list[str] = []

    def part(name: str, make: Callable[[Path], None]) -> Path | None:
        try:
            return cache.part(name, make)
        except PartMissing as error:
            missing.append(str(error))
            say_aloud(str(error))
            return None

    with locked(cache.folder, say_aloud):
        tag = f"py{sys.version_info.major}.{sys.version_info.minor}"
        azure = part(f"azure-cli-{AZURE_CLI}-{tag}", functools.partial(_environment, f"azure-cli=={AZURE_CLI}"))
        aws = part(f"aws-cli-{AWS_CLI}-{tag}", functools.partial(_environment, f"awscli=={AWS_CLI}"))
        stock = part(f"ansible-{ANSIBLE}-{tag}", _stock)
        (recipe,) = (one for one in DEBIAN_PARTS if one.name == "kubectl")
        kubectl = part(recipe.name, recipe.install)
    return Parts(
        azure_cli=azure and azure / "bin" / "python",
        aws_cli=aws and aws / "bin" / "python",
        stock=stock and stock / "bin" / "python",
        kubectl=kubectl and kubectl / "kubectl",
        missing=tuple(missing),
    )


def _environment(requirement: str, target: Path) -> None:
    """A virtual environment with one package and what it needs. Raises PartMissing."""
    say_aloud(f"{requirement}: installing it into an environment of its own")
    run(requirement, sys.executable, "-m", "venv", target, cwd=target, seconds=120)
    # Old resolvers of pip stall on these packages.
    _pip(requirement, target, "--upgrade", "pip")
    _pip(requirement, target, requirement)


def _stock(target: Path) -> None:
    """The package ``ansible`` and what its collections say that they need. Raises PartMissing."""
    _environment(f"ansible=={ANSIBLE}", target)
    (site,) = target.glob("lib/python*/site-packages")
    files = [site / "ansible_collections" / name / "requirements.txt" for name in _COLLECTIONS]
    words = [word for file in files if file.is_file() for word in ("-r", str(file))]
    _pip("the requirements of Ansible's collections", target, *words)


def _pip(what: str, target: Path, *words: str) -> None:
    command = (target / "bin" / "python", "-m", "pip", "-q", "--disable-pip-version-check", "install")
    run(what, *command, *words, cwd=target, seconds=_INSTALL_SECONDS)


if __name__ == "__main__":
    sys.exit(1 if obtain().missing else 0)
