# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback makes of events. Tasks, hosts and results are as ansible-core gives them, as far as it looks."""

from __future__ import annotations

import dataclasses
import time
import types
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.callback.fleet_progress import CallbackModule

OURS = "crosscloud.aks_amp."
#: So long that only the last line of a play comes.
NEVER = 3600.0


@dataclasses.dataclass(frozen=True)
class Host:
    name: str

    def get_name(self) -> str:
        return self.name


def task(action: str = f"{OURS}federation_plan", uuid: str = "last", **given: t.Any) -> types.SimpleNamespace:
    fields = {"run_once": False, "check_mode": True, "_role": None, **given}
    return types.SimpleNamespace(action=action, _uuid=uuid, **fields)


class Configured(CallbackModule):
    """With an interval that no configuration file gives."""

    def __init__(self, interval: float, **given: t.Any) -> None:
        super().__init__(**given)
        self.interval = interval

    def get_option(self, k: str, hostvars: t.Any = None) -> float:  # noqa: ARG002  # the base class's names
        assert k == "interval"
        return self.interval


class Played:
    """A callback, its clock and what it has printed."""

    def __init__(self, interval: float = NEVER) -> None:
        self.now = 0.0
        self.lines: list[str] = []
        display = types.SimpleNamespace(display=self.lines.append, verbosity=0)
        self.callback = Configured(interval, display=display, clock=lambda: self.now)

    def play(self, *hosts: str, last: types.SimpleNamespace) -> None:
        variables = {"ansible_play_hosts_all": list(hosts)}
        manager = types.SimpleNamespace(get_vars=lambda play: variables)  # noqa: ARG005  # the manager's interface
        self.callback.v2_playbook_on_play_start(
            types.SimpleNamespace(get_variable_manager=lambda: manager, tasks=[last], post_tasks=[])
        )

    def start(self, host: str, of: types.SimpleNamespace) -> None:
        self.callback.v2_runner_on_start(Host(host), of)

    def end(
        self, host: str, of: types.SimpleNamespace, how: str = "ok", *, public: bool = True, **values: t.Any
    ) -> None:
        fields = {"host": Host(host), "task": of, "result": values}
        named = fields if public else {f"_{name}": value for name, value in fields.items()}
        getattr(self.callback, f"v2_runner_on_{how}")(types.SimpleNamespace(**named))

    def wait_for(self, line: str) -> None:
        deadline = time.monotonic() + 10.0
        while line not in self.lines and time.monotonic() < deadline:
            time.sleep(0.001)
        assert line in self.lines

    def over(self) -> list[str]:
        self.callback.v2_playbook_on_stats(None)
        return self.lines


@pytest.mark.parametrize("public", [True, False], ids=["2.19", "before"])
def test_a_play_of_one_task(public: bool) -> None:
    played, plan = Played(), task()
    played.play("a", "b", "c", last=plan)
    for host in "abc":
        played.start(host, plan)
    played.end("a", plan, public=public, changed=True)
    played.end("b", plan, public=public)
    played.end("c", plan, "failed", public=public)
    played.now = 80.0
    assert played.over() == ["fleet - 3 of 3 clusters done, 1 drifted, 1 failed; 1m20s"]


def test_an_ignored_failure_is_none_and_an_unreachable_host_is_one() -> None:
    played, first, last = Played(), task(uuid="first"), task()
    played.play("a", "b", last=last)
    played.start("a", first)
    outcome = types.SimpleNamespace(host=Host("a"), task=first, result={"failed": True})
    played.callback.v2_runner_on_failed(outcome, ignore_errors=True)
    played.end("b", first, "unreachable")
    assert played.over() == ["fleet - 2 of 2 clusters done, 1 failed; 0s"]


@pytest.mark.parametrize(
    ("hosts", "of"),
    [
        (("a",), task()),
        (("a", "b"), task(run_once=True)),
        (("a", "b"), task("ansible.builtin.set_fact")),
    ],
    ids=["one host", "once for all", "not ours"],
)
def test_what_is_no_run_over_clusters_is_passed_over(hosts: tuple[str, ...], of: types.SimpleNamespace) -> None:
    played = Played()
    played.play(*hosts, last=of)
    for host in hosts:
        played.start(host, of)
        played.end(host, of, changed=True)
    assert played.over() == []


def test_changes_by_tasks_of_others_do_not_count() -> None:
    played, plan = Played(), task()
    played.play("a", "b", last=plan)
    played.start("a", plan)
    played.end("a", task("ansible.builtin.copy", "other", check_mode=False), changed=True)
    assert played.over() == ["fleet - 2 of 2 clusters done; 0s"]


def test_each_play_over_clusters_has_its_last_line() -> None:
    played, plan = Played(), task()
    for hosts in (("a", "b"), ("a", "b", "c")):
        played.play(*hosts, last=plan)
        for host in hosts:
            played.start(host, plan)
            played.end(host, plan, "skipped")
    assert [line.partition(";")[0] for line in played.over()] == [
        "fleet - 2 of 2 clusters done",
        "fleet - 3 of 3 clusters done",
    ]


def test_lines_come_while_tasks_run() -> None:
    role = types.SimpleNamespace(get_name=lambda: f"{OURS}aks_oidc_issuer")
    played, enable, last = Played(interval=0.001), task(f"{OURS}aks_oidc_issuer", "enable", _role=role), task()
    played.play("a", "b", last=last)
    for host in "ab":
        played.start(host, enable)
    played.now = 7.0
    played.wait_for("fleet - 0 of 2 clusters done, 2 waiting on AKS; at step aks_oidc_issuer; 7s")
    played.end("a", enable, operation_url="https://management.azure.com/operations/1")
    played.end("b", enable, operation_url=None)
    played.wait_for("fleet - 0 of 2 clusters done, 1 waiting on AKS; at step aks_oidc_issuer; 7s")
    played.end("b", last)
    played.wait_for("fleet - 1 of 2 clusters done, 1 waiting on AKS; at step aks_oidc_issuer; 7s")
    assert played.over()[-1] == "fleet - 2 of 2 clusters done; 7s"
