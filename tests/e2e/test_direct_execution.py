# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that run in the worker return what they return from a process of their own."""

from __future__ import annotations

import json
import re
import typing as t

import pytest

if t.TYPE_CHECKING:
    from demo.runs import PlaybookRun
    from tests.e2e.conftest import Estate

Json = dict[str, t.Any]

IN_A_PROCESS = ("-e", "aks_amp_direct=false")

#: What differs from run to run, or from sandbox to sandbox after a reset.
_VOLATILE = (
    re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)"),
    re.compile(r"\b[0-9a-f]{32,64}\b"),
    re.compile(r"\b1[789]\d{8}(?:\d{3})?(?:\.\d+)?\b"),  # seconds or milliseconds of these years
    re.compile(r"/tmp/[^\s\"':]+"),
)
#: How a task is told of, which is the callback's and not the module's.
_IGNORED = {"_ansible_no_log", "_ansible_parsed", "_ansible_delegated_vars", "ansible_facts", "exception", "stdout"}


def told(run: PlaybookRun) -> list[tuple[str, str, str, Json]]:
    """What each task of a module of ours came to."""
    return [
        (task.host, task.task, task.status, _stable(task.result))
        for task in run.tasks
        if task.action.startswith("crosscloud.aks_amp.")
    ]


def _stable(result: t.Mapping[str, t.Any]) -> Json:
    text = json.dumps({name: value for name, value in result.items() if name not in _IGNORED}, sort_keys=True)
    for pattern in _VOLATILE:
        text = pattern.sub("~", text)
    found: Json = json.loads(text)
    return found


@pytest.mark.parametrize(
    ("playbook", "arguments"),
    [
        ("federate", ("--check", "--diff", "--limit", "fresh,halfdone")),
        ("federate", ("--limit", "fresh")),
        ("verify", ("--limit", "halfdone", "-e", "aks_amp_check_wait_timeout=0")),
        ("teardown", ("--limit", "finished")),
    ],
    ids=["check", "federate", "verify", "teardown"],
)
def test_results_are_the_same_either_way(estate: Estate, playbook: str, arguments: tuple[str, ...]) -> None:
    directly = estate.play(playbook, *arguments)
    estate.sandbox.reset()
    in_a_process = estate.play(playbook, *arguments, *IN_A_PROCESS)
    assert directly.exit_code == in_a_process.exit_code, directly.output[-3000:]
    assert told(directly) == told(in_a_process)
    assert told(directly)
