# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module ``drift_report``: it needs the variables of all hosts, which only the controller has."""

from __future__ import annotations

import datetime as dt
import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift import collect, files, history
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import (
    STEPS,
    NotAReport,
    Report,
    Status,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.render_text import sentence
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.foreign_text import plain

Json = dict[str, t.Any]

#: What a cluster's play leaves for the report: the result of federation_plan, or these facts beside the roles' results.
PLAN_FACT: t.Final = "aks_amp_drift_plan"
STEPS_FACT: t.Final = "aks_amp_drift_steps"
FAILURE_FACT: t.Final = "aks_amp_drift_failure"

ARGUMENT_SPEC: t.Final[Json] = {
    "dest": {"type": "str"},
    "formats": {
        "type": "list",
        "elements": "str",
        "choices": sorted(files.FORMATS),
        "default": ["json", "markdown", "html"],
    },
    "previous": {"type": "str"},
    "compare": {"type": "bool", "default": True},
    "merge": {"type": "list", "elements": "str"},
    "expect": {"type": "list", "elements": "str"},
    "judge": {"type": "dict"},
    "fail_on_drift": {"type": "bool", "default": True},
    "fail_on_unknown": {"type": "bool", "default": True},
}


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core is untyped
    """Makes the report in check mode too: it changes nothing but its own files."""

    _supports_check_mode = True
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: Json | None = None) -> Json:
        result: Json = super().run(tmp, task_vars)
        _unused, arguments = self.validate_argument_spec(
            argument_spec=ARGUMENT_SPEC,
            mutually_exclusive=[["judge", other] for other in ("dest", "previous", "merge", "expect")],
        )
        if arguments["judge"] is not None:
            return {**result, "changed": False, **_judged(arguments)}
        try:
            report = self._report(arguments, task_vars or {})
            written = files.write_report(report, arguments["dest"], arguments["formats"]) if arguments["dest"] else {}
        except (errors.AksAmpError, NotAReport) as error:
            message = plain(error.sentence() if isinstance(error, errors.AksAmpError) else str(error))
            return {**result, "failed": True, "msg": message}
        facts = _facts(report, written)
        return {**result, "changed": False, **facts, **_verdict(facts["clusters"], arguments)}

    def _report(self, arguments: Json, task_vars: Json) -> Report:
        if arguments["merge"] is not None:
            merged = history.merge([self._part(path) for path in arguments["merge"]])
            return history.complete(merged, arguments["expect"] or ())
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        report = collect.report_of(_hosts(task_vars), now=now)
        if not report.clusters:
            raise errors.InvalidInput(
                f"No host has the fact {STEPS_FACT}, so there is nothing to report.",
                fix="Run the playbook crosscloud.aks_amp.drift, whose plays leave it for each cluster.",
            )
        previous = None
        if arguments["compare"]:
            own = files.own_file(arguments["dest"]) if arguments["dest"] else None
            path = arguments["previous"] or own
            previous = files.earlier_report(path) if path else None
            if previous is None and arguments["previous"]:
                raise errors.NotFound(f"There is no report {path}.", fix="Correct 'previous'.")
        return history.first(report) if previous is None else history.compare(report, previous)

    def _part(self, path: str) -> Report:
        part = files.earlier_report(path)
        if part is None:
            raise errors.NotFound(f"There is no report {path}.", fix="Correct 'merge'.")
        return part


def _hosts(task_vars: Json) -> t.Iterator[collect.Host]:
    """The hosts on which a cluster's play ran. ``raw_get`` gives what a play left there without templating it."""
    hostvars = task_vars["hostvars"]
    for name in hostvars:
        variables = hostvars.raw_get(name)
        plan, steps, failure = (variables.get(fact) for fact in (PLAN_FACT, STEPS_FACT, FAILURE_FACT))
        if isinstance(plan, dict):
            variables, steps = plan.get("steps", {}), plan.get("selected", STEPS)
            failure = plan.get("failure") or failure
        elif steps is None and failure is not None:  # it failed before it was looked at
            steps = STEPS
        if isinstance(steps, list | tuple):
            selected = frozenset(map(str, steps)) & frozenset(STEPS)
            yield collect.Host(name, variables, selected, _failure(failure))


def _failure(told: object) -> collect.Failure | None:
    if not isinstance(told, dict):
        return None
    return collect.Failure(str(told.get("task", "")), str(told.get("message", "")))


def _facts(report: Report, written: t.Mapping[str, str]) -> Json:
    values = report.to_json()
    clusters = {cluster.name: cluster.status.value for cluster in report.clusters}
    number = len(clusters)
    parts = [f"{number} {'cluster' if number == 1 else 'clusters'}: {sentence(report)}"]
    for title, names in (("Drifted or broken", _wrong(clusters)), ("Not told", _untold(clusters))):
        if names:
            parts.append(f"{title}: {', '.join(names)}.")
    return {"files": dict(written), "summary": values["summary"], "clusters": clusters, "msg": " ".join(parts)}


def _wrong(clusters: t.Mapping[str, str]) -> list[str]:
    return [name for name, status in clusters.items() if Status(status) in {Status.DRIFTED, Status.BROKEN}]


def _untold(clusters: t.Mapping[str, str]) -> list[str]:
    return [name for name, status in clusters.items() if Status(status) in {Status.FAILED, Status.UNKNOWN}]


def _verdict(clusters: t.Mapping[str, str], arguments: Json) -> Json:
    """Failed for drift or a broken link; unreachable for what could not be told, which Ansible ends with 4."""
    if arguments["fail_on_drift"] and _wrong(clusters):
        return {"failed": True}
    if arguments["fail_on_unknown"] and _untold(clusters):
        return {"unreachable": True}
    return {}


def _judged(arguments: Json) -> Json:
    """The verdict on what an earlier run of this action returned."""
    facts = {name: arguments["judge"].get(name) for name in ("files", "summary", "clusters", "msg")}
    try:
        verdict = _verdict(facts["clusters"], arguments)
    except (AttributeError, ValueError):  # no dictionary, or one with other values
        message = "'judge' is no result of crosscloud.aks_amp.drift_report. Give what it returned."
        return {"failed": True, "msg": message}
    return {**facts, **verdict}
