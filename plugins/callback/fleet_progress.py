# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says from time to time how far a run over a fleet is."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_progress
type: aggregate
short_description: Says from time to time how far a run over many clusters is
version_added: "1.0.0"
description:
  - Prints a line such as "fleet - 12 of 200 clusters done, 3 waiting on AKS, 2 drifted so far, 1 failed; 1m20s" among
    the output of the tasks, at most one an interval, and one at the end of each play over clusters.
  - A cluster is done when the last task of its play has ended, or when one has failed. It is waiting on AKS when for
    more than five seconds a task of M(crosscloud.aks_amp.aks_oidc_issuer) or the operation that it began has run.
  - In check mode what would be changed counts as drifted.
  - Only plays are counted that run modules of this collection for each of several hosts.
author:
  - crosscloud.aks_amp contributors (@crosscloud)
requirements:
  - python >= 3.11
  - enabled by C(callbacks_enabled) or the environment variable C(ANSIBLE_CALLBACKS_ENABLED)
options:
  interval:
    description:
      - Seconds between two lines. As long as the numbers stay the same, a line comes at every sixth interval only.
    type: float
    default: 10
    env:
      - name: AKS_AMP_PROGRESS_INTERVAL
    ini:
      - section: callback_fleet_progress
        key: interval
"""

EXAMPLES = r"""
enabling: >
  In ansible.cfg:

  [defaults]
  callbacks_enabled = crosscloud.aks_amp.fleet_progress
"""

import threading
import time
import typing as t

from ansible.playbook.block import Block
from ansible.plugins.callback import CallbackBase

from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._fleet_state import (
    AKS_STEP,
    Deed,
    Ending,
    FleetState,
    Rhythm,
)

_COLLECTION: t.Final = "crosscloud.aks_amp."
_WAITS: t.Final = f"{_COLLECTION}{AKS_STEP}"
#: A run over fewer clusters shows by its tasks how far it is.
_FLEET: t.Final = 2
_PATIENCE: t.Final = 6


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core is untyped
    """Events come from the main thread and from that of the results. A third one prints, because while all workers wait
    no event comes."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "crosscloud.aks_amp.fleet_progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, display: t.Any = None, clock: t.Callable[[], float] = time.monotonic) -> None:
        super().__init__(display=display)
        self._clock = clock
        self._lock = threading.Lock()
        self._clusters = 0
        self._last_task: str | None = None
        self._state: FleetState | None = None
        self._printer: _Printer | None = None

    # Events ------------------------------------------------------------------------------------------------------

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._end()
        self._clusters = len(_hosts_of(play))
        self._last_task = _last_task_of(play)

    def v2_runner_on_start(self, host: t.Any, task: t.Any) -> None:
        if self._state is None:
            if self._clusters < _FLEET or task.run_once or not _action_of(task).startswith(_COLLECTION):
                return
            self._begin()
        with self._lock:
            if self._state is not None:
                self._state.started(host.get_name(), self._deed(task), self._clock())

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._ended(result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._ended(result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._ended(result, failed=not ignore_errors)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._ended(result, failed=True)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:  # noqa: ARG002  # the interface's
        self._end()

    # What they come to --------------------------------------------------------------------------------------------

    def _deed(self, task: t.Any) -> Deed:
        role = task._role.get_name() if task._role is not None else ""
        return Deed(
            waits_for_aks=_action_of(task) == _WAITS,
            is_last=task._uuid == self._last_task,
            step=role.removeprefix(_COLLECTION) if role.startswith(_COLLECTION) else "",
        )

    def _ended(self, outcome: t.Any, *, failed: bool = False) -> None:
        # ansible-core 2.19 made the three attributes public; before, only the underscored ones exist.
        public = hasattr(outcome, "task")
        host, task = (outcome.host, outcome.task) if public else (outcome._host, outcome._task)
        values = outcome.result if public else outcome._result
        ours = _action_of(task).startswith(_COLLECTION)
        ending = Ending(
            changed=ours and bool(values.get("changed")),
            failed=failed,
            planned=ours and bool(task.check_mode),
            operating=not failed and values.get("operation_url") is not None,
        )
        with self._lock:
            if self._state is not None:
                self._state.ended(host.get_name(), self._deed(task), ending)

    def _begin(self) -> None:
        self._state = FleetState(self._clusters, self._clock())
        self._printer = _Printer(float(self.get_option("interval")), self._tell_if_due(Rhythm(_PATIENCE)))

    def _tell_if_due(self, rhythm: Rhythm) -> t.Callable[[], None]:
        def tell() -> None:
            with self._lock:
                state, now = self._state, self._clock()
                line = state.line(now) if state is not None and rhythm.is_due(state.counts(now)) else None
            if line is not None:
                self._print(line)

        return tell

    def _end(self) -> None:
        """The play is over: what has not failed is done, and the last line says so."""
        if self._printer is not None:
            self._printer.stop()
            self._printer = None
        with self._lock:
            state, self._state = self._state, None
        if state is not None:
            self._print(state.over().line(self._clock()))

    def _print(self, line: str) -> None:
        self._display.display(f"fleet - {line}")


class _Printer:
    """Calls a function at an interval, from a thread that ends with the process."""

    def __init__(self, seconds: float, call: t.Callable[[], None]) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(seconds, call), daemon=True, name="fleet_progress")
        self._thread.start()

    def _run(self, seconds: float, call: t.Callable[[], None]) -> None:
        while not self._over.wait(seconds):
            call()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


def _action_of(task: t.Any) -> str:
    return str(getattr(task, "resolved_action", None) or task.action)


def _hosts_of(play: t.Any) -> t.Sequence[str]:
    found: t.Sequence[str] = play.get_variable_manager().get_vars(play=play).get("ansible_play_hosts_all", ())
    return found


def _last_task_of(play: t.Any) -> str | None:
    """What identifies the last task that stands in a play, which every cluster comes to that has not failed before."""
    entry: t.Any = next(reversed([*play.tasks, *play.post_tasks]), None)
    while isinstance(entry, Block):
        entry = next((section[-1] for section in (entry.always, entry.block) if section), None)
    return None if entry is None else str(entry._uuid)
