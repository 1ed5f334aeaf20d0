# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.real.report_images``: makes the pictures of the drift report that the documentation shows."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.files import write_report
from demo.runs import ROOT
from tests.real.browser import chromium, running_browser
from tests.real.cache import PartMissing
from tests.real.sample_fleet import sample

IMAGES = ROOT / "docs" / "images"
_CLUSTERS = 120
_WIDTH = 1280


def main() -> int:
    try:
        program = chromium()
    except PartMissing as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with tempfile.TemporaryDirectory() as name, running_browser(program, Path(name)) as page:
        write_report(sample(_CLUSTERS), name, ["html"])
        page.open(f"file://{name}/drift-report.html")
        # Its age would be another one each day.
        page.evaluate("document.getElementById('age').nextSibling.textContent = ' (5 minutes ago)'")
        for scheme in ("light", "dark"):
            page.prefer(scheme)
            (IMAGES / f"drift-report-{scheme}.png").write_bytes(page.picture(_WIDTH, 720))
        page.prefer("light")
        page.click("#search")
        page.type("remote_write_self_role")
        page.press("ArrowDown", "Enter")
        page.evaluate("scrollTo(0, 0)")
        (IMAGES / "drift-report-cluster.png").write_bytes(page.picture(_WIDTH, 900))
    return 0


if __name__ == "__main__":
    sys.exit(main())
