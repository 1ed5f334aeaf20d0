# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments that hold nothing but what was declared."""

from __future__ import annotations

import shutil
import subprocess
import sys
import typing as t
import venv
from pathlib import Path

from packaging.requirements import Requirement

if t.TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / ".cache" / "release"


def declared(file: Path) -> list[Requirement]:
    """What a requirements file asks for."""
    lines = (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines())
    return [Requirement(line) for line in lines if line]


def _pip(environment: Path, *arguments: str) -> None:
    command = (str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", *arguments)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # an interpreter that was made here


def install(environment: Path, *requirements: Path) -> None:
    """Add to an environment what requirements files declare. Raises CalledProcessError."""
    _pip(environment, "install", "--quiet", *(word for file in requirements for word in ("-r", str(file))))


def fresh(name: str, *requirements: Path) -> Path:
    """A new virtual environment below .cache/release: pip, these requirements, and what they need."""
    folder = WORK / name
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder, with_pip=True)
    # Old resolvers stall on these packages. Until Python 3.11 setuptools comes along, which nobody declared.
    _pip(folder, "install", "--quiet", "--upgrade", "pip")
    _pip(folder, "uninstall", "--quiet", "--yes", "setuptools")
    install(folder, *requirements)
    return folder


def run(*command: str, folder: Path, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command and keep what it says."""
    return subprocess.run(  # noqa: S603  # this project's own commands
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True
    )


def program(name: str) -> str:
    """A program of the environment that runs this."""
    return str(Path(sys.executable).parent / name)
