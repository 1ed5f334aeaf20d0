# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.lowest``: the unit and end-to-end tests with the oldest versions that requirements.txt admits."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".cache" / "lowest"
TOOLS = ("pytest >= 8", "pytest-xdist >= 3.5", "hypothesis >= 6.100")
# The oldest ansible-core in the range runs on these (its own requires-python and classifiers).
NEWEST_PYTHON = (3, 12)


def lowest_versions(requirements: Path) -> list[str]:
    """``name >= version`` lines as pins of exactly that version."""
    lines = (line.strip() for line in requirements.read_text(encoding="utf-8").splitlines())
    return [line.replace(">=", "==") for line in lines if line and not line.startswith("#")]


def run(*command: str) -> None:
    finished = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603  # the project's own
    if finished.returncode:
        sys.exit(finished.returncode)


def main() -> None:
    if sys.version_info[:2] > NEWEST_PYTHON:
        sys.stdout.write("Skipped: the oldest supported ansible-core does not run on this Python; use 3.11 or 3.12.\n")
        return
    pins = lowest_versions(ROOT / "requirements.txt")
    stamp = ENVIRONMENT / "installed"
    wanted = "\n".join(pins)
    python = str(ENVIRONMENT / "bin" / "python")
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != wanted:
        sys.stdout.write(f"Installing {', '.join(pins)}\n")
        sys.stdout.flush()
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        run(python, "-m", "pip", "install", "--quiet", "--upgrade", "pip")
        run(python, "-m", "pip", "install", "--quiet", "-r", "sandbox/requirements.txt", *pins, *TOOLS)
        stamp.write_text(wanted, encoding="utf-8")
    run(python, "-m", "pytest", "-q", "-n", "2", "tests/unit/plugins", "tests/unit/content")
    run(python, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "tests/e2e")


if __name__ == "__main__":
    main()
