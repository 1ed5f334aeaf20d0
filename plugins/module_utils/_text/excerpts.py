# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two states of a text without the lines that stay; pure."""

from __future__ import annotations

import difflib
import itertools
import typing as t

#: Lines that stay around a change: as many as ansible-core shows.
_AROUND: t.Final = 3


def excerpts(before: str, after: str) -> tuple[str, str]:
    """Both texts with what differs and a few lines around it, in the place of the others how many they are.

    What nobody changes needs no showing, and may hold what nobody should see.
    """
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    groups = difflib.SequenceMatcher(None, old, new).get_grouped_opcodes(_AROUND)
    kept = [((group[0][1], group[-1][2]), (group[0][3], group[-1][4])) for group in groups]
    return _excerpt(old, [of_old for of_old, _of_new in kept]), _excerpt(new, [of_new for _of_old, of_new in kept])


def _excerpt(lines: t.Sequence[str], kept: t.Sequence[tuple[int, int]]) -> str:
    """``kept`` are stretches of lines, their first and the one after their last."""
    shown: list[str] = []
    for (_start, end), (start, following) in itertools.pairwise([(0, 0), *kept, (len(lines), len(lines))]):
        left_out = start - end
        shown += [f"[{left_out} {'line stays' if left_out == 1 else 'lines stay'}]\n"] if left_out else []
        shown += lines[start:following]
    return "".join(shown)
