# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes every task's result to a file of JSON lines, so that a run can be summed up and tested."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: recorder
type: aggregate
short_description: Writes task results as JSON lines
description:
  - Appends one JSON object a task and host to a file, with the fields C(host), C(role), C(action), C(task), C(status),
    C(changed), C(check_mode), C(msg), C(invocation) and C(result).
options:
  path:
    description: The file to append to.
    type: path
    required: true
    env:
      - name: AKS_AMP_RECORD
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core ships no type information
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "recorder"
    CALLBACK_NEEDS_ENABLED = True

    def _record(self, outcome: t.Any, status: str) -> None:
        # ansible-core 2.19 made the three attributes public; before, only the underscored ones exist.
        public = hasattr(outcome, "task")
        host, task = (outcome.host, outcome.task) if public else (outcome._host, outcome._task)
        result = outcome.result if public else outcome._result
        role = task._role
        entry = {
            "host": host.get_name(),
            "role": role.get_name() if role is not None else "",
            "action": task.action,
            "task": task.get_name(),
            "status": status,
            "changed": bool(result.get("changed")),
            "check_mode": bool(task.check_mode),
            "msg": str(result.get("msg", "")),
            "invocation": result.get("invocation", {}),
            "result": {key: value for key, value in result.items() if key not in ("invocation", "_ansible_no_log")},
        }
        with Path(self.get_option("path")).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry, default=str) + "\n")

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._record(result, "ok")

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._record(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._record(result, "unreachable")
