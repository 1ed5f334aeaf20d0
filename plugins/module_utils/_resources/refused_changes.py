# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a refusal keeps from being changed: a refused run also differs from what was asked for, and reports tell it."""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Plan

OperationT = t.TypeVar("OperationT")
CurrentT = t.TypeVar("CurrentT")


def planned(plan_with: t.Callable[[bool], Plan[OperationT, CurrentT]], *, force: bool) -> Plan[OperationT, CurrentT]:
    """The plan with or without ``force``. Raises Refused with the changes that force would make as its facts,
    ``refused_changes`` and ``refused_diff``, in the form of a module's ``changes`` and ``diff``."""
    try:
        return plan_with(force)
    except errors.Refused as refused:
        try:
            changes = plan_with(True).changes
        except errors.AksAmpError:
            raise refused from None  # force would not help
        refused.facts = {
            "refused_changes": [change.report() for change in changes],
            "refused_diff": [change.diff() for change in changes],
        }
        raise
