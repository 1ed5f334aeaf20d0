# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.endurance.long_life <file> <runs>``: modules in check mode, one after the other in one process.

The file is a JSON list of cases of ``tests.faults.modules``, each as its name and the module's options. Says what the
process holds now and then, one JSON object a line.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import sys
import threading
import typing as t
from pathlib import Path

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, perform
from tests.faults.modules import PRESENT, by_name
from tests.unit.plugins.module_utils._resources.aws_modules import params_of

#: How often the process is looked at.
EVERY: t.Final = 50
_PAGE: t.Final = os.sysconf("SC_PAGE_SIZE")


def held(runs: int) -> dict[str, int]:
    """What this process holds: memory in bytes, and numbers of the rest."""
    gc.collect()
    children = Path("/proc/self/task").glob("*/children")
    return {
        "runs": runs,
        "memory": int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE,
        "files": len(list(Path("/proc/self/fd").iterdir())) - 1,  # one of them is that of the look
        "threads": threading.active_count(),
        "processes": sum(len(path.read_text(encoding="ascii").split()) for path in children),
    }


def main(cases: Path, runs: int) -> None:
    given = itertools.cycle(json.loads(cases.read_text(encoding="utf-8")))
    known = by_name(PRESENT)
    for number in range(1, runs + 1):
        name, options = next(given)
        definition = known[name].definition
        ended = perform(definition, params_of(definition, options), Context(check_mode=True))
        if ended.failed:
            sys.exit(f"{name}: {ended.values['msg']}")
        if number % EVERY == 0:
            sys.stdout.write(json.dumps(held(number)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
