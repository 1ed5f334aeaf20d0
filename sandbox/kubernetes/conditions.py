# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions of a status: their times change only when they do."""

from __future__ import annotations

import typing as t

from sandbox.kubernetes.objects import now
from sandbox.world import Json


def keep_condition(
    conditions: t.Iterable[Json], kind: str, status: str, reason: str, message: str, *, updated: bool = False
) -> list[Json]:
    """The conditions with this one in its place.

    ``updated`` is true for kinds whose conditions have ``lastUpdateTime`` beside ``lastTransitionTime``.
    """
    kept = list(conditions)
    before = next((condition for condition in kept if condition["type"] == kind), None)
    same = before is not None and (before["status"], before.get("reason"), before.get("message")) == (
        status,
        reason,
        message,
    )
    if same:
        return kept
    moment = now()
    condition: Json = {"type": kind, "status": status}
    if updated:
        condition["lastUpdateTime"] = moment
    unmoved = before is not None and before["status"] == status
    condition["lastTransitionTime"] = before["lastTransitionTime"] if before is not None and unmoved else moment
    condition |= {"reason": reason, "message": message}
    if before is None:
        return [*kept, condition]
    return [condition if entry is before else entry for entry in kept]
