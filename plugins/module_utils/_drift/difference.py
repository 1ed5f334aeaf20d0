# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One planned change, and what it may mean; the texts of others in both."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.foreign_text import plain

Json = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Meaning:
    kind: str
    severity: Severity
    text: str


@dataclasses.dataclass(frozen=True)
class Difference:
    """One planned change with both sides of its diff; a side that does not exist is empty."""

    action: str
    kind: str
    name: str
    summary: str
    before: t.Any
    after: t.Any

    def side(self, which: str) -> Json:
        value = self.before if which == "before" else self.after
        return value if isinstance(value, dict) else {}

    def differs(self, field: str) -> bool:
        return bool(self.side("before").get(field) != self.side("after").get(field))


def clean(text: object) -> str:
    """Text of others, fit for terminals and pages: no control characters but line ends and tabs."""
    return plain(str(text).replace("\r\n", "\n"))
