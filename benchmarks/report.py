# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drift report alone: from what the modules answered to the JSON, Markdown and HTML files.

The answers are those of the sample fleet, in which one cluster in nine has something to tell. The process also makes
the report of the day before, to compare with, so that it pays for a little more than a run does.
"""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

from benchmarks import measure
from demo.runs import ROOT, clean_environment

if t.TYPE_CHECKING:
    from benchmarks.measure import Finished

_SECONDS = 600.0


def run(clusters: int, folder: Path) -> Finished:
    """Make the report of so many clusters in a process that is measured."""
    finished = measure.run(
        [sys.executable, "-m", "benchmarks.report", str(clusters), str(folder)],
        environment={**clean_environment(), "PYTHONPATH": str(ROOT / ".collections")},
        folder=ROOT,
        seconds=_SECONDS,
        sample=True,
    )
    return finished.require(f"The report of {clusters} clusters")


def _main(clusters: int, folder: str) -> None:
    # Only this process has the collection on its path.
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift import files
    from tests.real.sample_fleet import sample

    files.write_report(sample(clusters), folder, sorted(files.FORMATS))


if __name__ == "__main__":
    _main(int(sys.argv[1]), sys.argv[2])
