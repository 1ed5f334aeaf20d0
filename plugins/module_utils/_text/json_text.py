# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON that others wrote, with one kind of error for all that it can't be."""

from __future__ import annotations

import json
import typing as t


def parse_json(text: str | bytes) -> t.Any:
    """The value of a JSON text (RFC 8259). Raises ValueError for others, and where it is nested too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
