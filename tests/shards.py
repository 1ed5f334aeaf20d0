# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.shards [target ...]``: the integration targets in several runs of ansible-test at once.

Each run has a copy of the collection and a sandbox of its own; what it says is shown when it has ended.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import subprocess
import sys
import typing as t

from tests.ansible_test import ROOT

TARGETS: t.Final = ROOT / "tests" / "integration" / "targets"


def weights() -> dict[str, int]:
    """All targets with the length of their tasks, which tells roughly how long they take."""
    return {
        target.name: sum(file.stat().st_size for file in target.glob("tasks/*.yml"))
        for target in sorted(TARGETS.iterdir())
        if (target / "tasks").is_dir()
    }


def split(targets: t.Mapping[str, int], shards: int) -> list[list[str]]:
    """At most so many lists of about the same weight: each target goes to the lightest, the heaviest target first."""
    lists: list[list[str]] = [[] for _unused in range(min(shards, len(targets)))]
    loads = [0] * len(lists)
    for name in sorted(targets, key=lambda one: (-targets[one], one)):
        lightest = loads.index(min(loads))
        lists[lightest].append(name)
        loads[lightest] += targets[name]
    return [sorted(names) for names in lists]


def run(number: int, names: t.Sequence[str], arguments: t.Sequence[str]) -> tuple[int, str]:
    """Run a shard; gives its exit code and what it said."""
    command = (sys.executable, "-m", "tests.ansible_test", f"--place=-{number}", *arguments, "integration", *names)
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)  # noqa: S603  # the project's own
    return done.returncode, done.stdout.decode(errors="replace")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=os.cpu_count() or 1, help="one for each core, unless given")
    parser.add_argument("--in-processes", action="store_true", help="each module in a process of its own")
    parser.add_argument("targets", nargs="*", help="all of them, unless given")
    given = parser.parse_args()
    known = weights()
    unknown = sorted(set(given.targets) - known.keys())
    if unknown or given.shards < 1:
        parser.error(f"There is no target {', '.join(unknown)}." if unknown else "At least one shard is needed.")
    shards = split({name: known[name] for name in given.targets or known}, given.shards)
    arguments = ["--in-processes"] if given.in_processes else []
    codes = []
    with concurrent.futures.ThreadPoolExecutor(len(shards)) as pool:
        runs = [pool.submit(run, number, names, arguments) for number, names in enumerate(shards, 1)]
        for ended in concurrent.futures.as_completed(runs):
            code, said = ended.result()
            sys.stdout.write(said)
            sys.stdout.flush()
            codes.append(code)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
