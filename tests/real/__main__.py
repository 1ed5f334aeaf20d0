# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.real``: obtains the real parts and runs the tests with them.

Every part must be there, unless ``REAL=auto`` says that what can't be had is named and left out. Arguments go to
pytest.
"""

from __future__ import annotations

import os
import sys

import pytest

from demo.runs import ROOT
from tests.real.parts import parts_of_this_run, say_aloud
from tests.real.pods import namespaces_allowed

AUTO = "auto"


def main(arguments: list[str]) -> int:
    mode = os.environ.get("REAL", "")
    if mode not in ("", AUTO):
        sys.stderr.write(f"REAL can be '{AUTO}', which leaves out what can't be had, or unset, and not {mode!r}.\n")
        return 2
    missing = parts_of_this_run().missing.values()
    if missing and mode != AUTO:
        sys.stderr.write("".join(f"{sentence}\n" for sentence in missing))
        sys.stderr.write(f"These tests need every part; with REAL={AUTO} those without it are left out.\n")
        return 1
    for sentence in missing:
        say_aloud(f"left out: {sentence}")
    if not namespaces_allowed():
        say_aloud("no namespaces can be made here (unshare -rmn true): the pods' paths are mapped to other ones")
    return int(pytest.main([str(ROOT / "tests" / "real"), "-p", "no:cacheprovider", *arguments]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
