# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inputs that only a write makes known."""

from __future__ import annotations

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import InvalidInput
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, is_known


def require_known(value: str, *, option: str, step: str, check_mode: bool) -> str:
    """The value; InvalidInput for the placeholder outside check mode. ``step`` is the tag of the step that supplies
    the value."""
    if check_mode or is_known(value):
        return value
    raise InvalidInput(
        f"The option '{option}' is '{KNOWN_AFTER_APPLY}', which is accepted in check mode only.",
        fix=f"Run the step {step} first (--tags {step}).",
    )
