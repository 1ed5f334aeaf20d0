# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a playbook as a user would and keeps what every task returned. Used by the demo and by the tests."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

# What the collection's plans say for a value that only a write will make known.
KNOWN_AFTER_APPLY = "<known after apply>"

ROOT = Path(__file__).resolve().parent.parent
# In a clone, ansible.cfg says where the collection is. An installed one has no such file, but stands in its place.
INSTALLED_PLACE = ("ansible_collections", "crosscloud", "aks_amp")

# Whatever a machine presets, a run on the sandbox must neither use it nor send it anywhere.
FOREIGN_PREFIXES = ("AWS_", "AZURE_", "ARM_", "K8S_AUTH_", "ANSIBLE_")
FOREIGN_NAMES = (
    "KUBECONFIG",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
)


@dataclasses.dataclass(frozen=True)
class TaskResult:
    """What one task returned for one host."""

    host: str
    role: str  # without the collection's name; empty outside roles
    action: str
    task: str
    status: str  # ok, failed, ignored, unreachable
    changed: bool
    check_mode: bool
    msg: str
    result: t.Mapping[str, t.Any]
    invocation: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    @property
    def changes(self) -> tuple[t.Mapping[str, str], ...]:
        """The changes that a module of the collection made or planned."""
        return tuple(self.result.get("changes") or ())


@dataclasses.dataclass(frozen=True)
class PlaybookRun:
    """A finished ``ansible-playbook``."""

    exit_code: int
    seconds: float
    output: str  # empty when it was shown instead of kept
    tasks: tuple[TaskResult, ...]

    def changed(self, host: str) -> int:
        """How many tasks changed something on a host, as the play recap counts them."""
        return sum(task.changed for task in self.tasks if task.host == host)

    def changes(self, host: str) -> tuple[tuple[str, str, str, str], ...]:
        """All changes of a host as (role, action, kind, name), in order."""
        return tuple(
            (task.role, change["action"], change["kind"], change["name"])
            for task in self.tasks
            if task.host == host and task.changed
            for change in task.changes
        )

    def agrees_with_plan(self, planned: PlaybookRun, host: str) -> bool:
        """Whether this run changed on a host exactly what a check run had planned, in the same order.

        An object whose name only a write can tell is planned under a placeholder.
        """
        return len(self.changes(host)) == len(planned.changes(host)) and all(
            done == plan or (done[:3] == plan[:3] and KNOWN_AFTER_APPLY in plan[3])
            for done, plan in zip(self.changes(host), planned.changes(host), strict=True)
        )

    def result(self, host: str, module: str) -> t.Mapping[str, t.Any]:
        """What the last task of a module returned for a host."""
        found = [task.result for task in self.tasks if task.host == host and task.action.endswith(f".{module}")]
        if not found:
            raise LookupError(f"no task of {module} ran for {host}")
        return found[-1]


def clean_environment() -> dict[str, str]:
    """The caller's environment without credentials, endpoints, proxies and trust stores."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(FOREIGN_PREFIXES) and name.upper() not in FOREIGN_NAMES
    }


def _own_place() -> dict[str, str]:
    """The setting by which Ansible finds the collection that this file is part of, where it is an installed one."""
    if ROOT.parts[-len(INSTALLED_PLACE) :] != INSTALLED_PLACE:
        return {}
    return {"ANSIBLE_COLLECTIONS_PATH": str(ROOT.parents[len(INSTALLED_PLACE) - 1])}


def run_playbook(
    playbook: str,
    inventory: Path,
    *arguments: str,
    show: bool = False,
    folder: Path = ROOT,
    environment: t.Mapping[str, str] | None = None,
) -> PlaybookRun:
    """Run ``ansible-playbook`` in ``folder``; ``show`` streams its output to the terminal instead of keeping it."""
    with tempfile.TemporaryDirectory(prefix="aks-amp-") as scratch:
        record = Path(scratch, "results.jsonl")
        record.touch()
        variables = {
            **clean_environment(),
            **_own_place(),
            "ANSIBLE_CALLBACKS_ENABLED": "recorder",
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "demo" / "callback_plugins"),
            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
            "AKS_AMP_RECORD": str(record),
            **(environment or {}),
        }
        command = [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "-i",
            str(inventory),
            playbook,
            *arguments,
        ]
        started = time.monotonic()
        finished = subprocess.run(  # noqa: S603  # the command is this project's own
            command,
            cwd=folder,
            env=variables,
            check=False,
            text=True,
            stdout=None if show else subprocess.PIPE,
            stderr=None if show else subprocess.STDOUT,
        )
        seconds = time.monotonic() - started
        tasks = tuple(_task_result(json.loads(line)) for line in record.read_text(encoding="utf-8").splitlines())
    return PlaybookRun(finished.returncode, seconds, finished.stdout or "", tasks)


def _task_result(entry: dict[str, t.Any]) -> TaskResult:
    return TaskResult(**{**entry, "role": str(entry["role"]).rpartition(".")[2]})
