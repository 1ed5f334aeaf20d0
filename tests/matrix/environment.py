# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cell's virtual environment: its Python, and the packages in it."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

from demo.runs import ROOT
from tests.matrix.cells import LOWEST, MatrixError

if t.TYPE_CHECKING:
    from tests.matrix.cells import Cell

FOLDER: t.Final = ROOT / ".cache" / "matrix"
SANDBOX_PACKAGES: t.Final = ROOT / "sandbox" / "requirements.txt"
#: What the tests of a cell need, with the bounds of tests/requirements.txt.
_TOOLS: t.Final = frozenset(
    {"ansible-runner", "hypothesis", "jsonschema", "prometheus-client", "pytest", "pytest-xdist", "xmlschema"}
)
_NAME: t.Final = re.compile(r"[A-Za-z0-9._-]+")


def requirements(path: Path) -> dict[str, str]:
    """The lines of a requirements file by the name of the package."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return {match.group(): line for line in lines if (match := _NAME.match(line))}


def lowest_versions(path: Path) -> list[str]:
    """``name >= version`` lines as pins of exactly that version."""
    return [line.replace(">=", "==") for line in requirements(path).values()]


def wanted(cell: Cell) -> list[str]:
    """What pip installs for a cell."""
    tools = requirements(ROOT / "tests" / "requirements.txt")
    others = requirements(ROOT / "requirements.txt")
    # What both need is the collection's to choose, so that the oldest it admits is the one that is installed.
    sandbox = [line for name, line in requirements(SANDBOX_PACKAGES).items() if name not in others]
    if cell.core == LOWEST:
        collection = lowest_versions(ROOT / "requirements.txt")
    else:
        collection = [line for name, line in others.items() if name != "ansible-core"]
        collection.append(f"ansible-core == {cell.version}")
    return [*collection, *sandbox, *(line for name, line in sorted(tools.items()) if name in _TOOLS)]


def find_python(version: str) -> Path | None:
    """The interpreter of a version, such as 3.12: on the PATH, or one that pyenv has installed."""
    on_path = shutil.which(f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    installed = sorted(pyenv.glob(f"{version}.*/bin/python"), key=_patch, reverse=True)
    # pyenv puts a stand-in on the PATH for each version, also for those that are switched off.
    for candidate in (*((Path(on_path),) if on_path else ()), *installed):
        if _is(candidate, version):
            return candidate
    return None


def _patch(python: Path) -> int:
    number = re.search(r"\d+\.\d+\.(\d+)", python.parts[-3])
    return int(number.group(1)) if number else -1


def _is(python: Path, version: str) -> bool:
    code = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        said = subprocess.run((python, "-c", code), capture_output=True, text=True, timeout=60, check=True).stdout  # noqa: S603  # a Python
        return said.strip() == version
    return False


def prepare(cell: Cell, python: Path) -> Path:
    """Make or refresh the environment and give its Python. Packages are brought to their newest once a day."""
    folder = FOLDER / cell.folder
    own = folder / "bin" / "python"
    stamp = folder / "installed.json"
    packages = wanted(cell)
    state = {"python": str(python), "packages": packages, "day": dt.datetime.now(tz=dt.UTC).date().isoformat()}
    known = json.loads(stamp.read_text(encoding="utf-8")) if stamp.is_file() else {}
    if known == state:
        return own
    if {**known, "day": state["day"]} != state or not own.exists():
        stamp.unlink(missing_ok=True)
        _run(cell, str(python), "-m", "venv", "--clear", str(folder))
    pip = (str(own), "-m", "pip", "--disable-pip-version-check", "--quiet", "install", "--upgrade")
    _run(cell, *pip, "pip")
    _run(cell, *pip, "--upgrade-strategy", "eager", *packages)
    stamp.write_text(json.dumps(state), encoding="utf-8")
    return own


def _run(cell: Cell, *command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # the project's own
    if done.returncode:
        raise MatrixError(f"No environment for {cell.name}: {' '.join(done.stderr.split())[-800:]}")


def commit() -> str:
    """The commit that is tested, shortened; empty where there is no repository."""
    command = ("git", "rev-parse", "--short=7", "HEAD")
    with contextlib.suppress(OSError):
        asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  # fixed
        return "" if asked.returncode else asked.stdout.strip()
    return ""


def versions(own: Path) -> dict[str, str]:
    """What is installed, as far as it matters: Python, ansible-core and the SDKs."""
    code = (
        "import importlib.metadata as m, json, platform, sys;"
        "print(json.dumps({'python': platform.python_version(), **{n: m.version(n) for n in sys.argv[1:]}}))"
    )
    names = requirements(ROOT / "requirements.txt")
    said = subprocess.run((own, "-c", code, *names), capture_output=True, text=True, check=True).stdout  # noqa: S603  # our own
    found: dict[str, str] = json.loads(said)
    return found
