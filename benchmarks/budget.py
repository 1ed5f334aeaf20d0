# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests docs/requests.md allows a converged cluster of a fleet."""

from __future__ import annotations

import re
import typing as t

from demo.runs import ROOT

PAGE: t.Final = ROOT / "docs" / "requests.md"

_ROW = re.compile(r"^\| (?P<step>\d[^|]*) \| `[^|]*` \| (?P<why>[^|]*) \|$", re.MULTILINE)


def documented(page: str) -> int:
    """The rows of the page's table, but for those of a real run only and those that a fleet shares.

    Raises ValueError when the page has no such table.
    """
    rows = [row for row in _ROW.finditer(page) if "for real" not in row["step"] and "for a fleet" not in row["why"]]
    if not rows:
        raise ValueError("The page has no table whose rows begin with a step.")
    return len(rows)
