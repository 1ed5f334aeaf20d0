# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report from what a play in check mode left behind for each host.

Each step's modules register their results under fixed names (``playbooks/vars/wiring.yml``). Where a step runs for
several service accounts or Prometheus, its results are in a list, whose name ends in an s, and the last one, which may
have failed, under the name of the single one. A host that failed says so in ``Failure``.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.difference import clean
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.meaning import drifts_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import (
    STEPS,
    ChainLink,
    Cluster,
    Report,
    Status,
    Step,
)

Json = dict[str, t.Any]

CHECK: t.Final = "federation_check"
#: The variables in which a step's modules leave their results.
RESULTS: t.Final[t.Mapping[str, tuple[str, ...]]] = {
    "aks_oidc_issuer": ("aks_oidc_issuer_result",),
    "iam_web_identity": (
        "iam_web_identity_workspace_result",
        "iam_web_identity_provider_result",
        "iam_web_identity_role_result",
        "iam_web_identity_resource_policy_result",
    ),
    "entra_federation": ("entra_federation_result",),
    "service_account": ("service_account_result",),
    "prometheus_remote_write": ("prometheus_remote_write_result",),
    CHECK: ("federation_check_result",),
}


#: What of a module's result the report is made from.
_REPORTED: t.Final = (
    "changed",
    "changes",
    "diff",
    "failed",
    "links",
    "msg",
    "refused_changes",
    "refused_diff",
    "skipped",
    "unreachable",
)


def reported(variables: t.Mapping[str, t.Any]) -> Json:
    """What of a host's results the report is made from, under their names."""
    found: Json = {}
    for name in (name for names in RESULTS.values() for name in names):
        if isinstance(variables.get(name), dict):
            found[name] = _reported(variables[name])
        if isinstance(variables.get(f"{name}s"), list):
            found[f"{name}s"] = [_reported(result) for result in variables[f"{name}s"]]
    return found


def _reported(result: Json) -> Json:
    return {name: result[name] for name in _REPORTED if name in result}


@dataclasses.dataclass(frozen=True)
class Failure:
    """Why a host's play ended early: the task's name and its message."""

    task: str
    message: str

    @property
    def note(self) -> str:
        return clean(f"{self.task}: {self.message}" if self.task else self.message)


@dataclasses.dataclass(frozen=True)
class Host:
    """What is known of one host: its variables, the steps that it was to run, and why it ended early, if it did."""

    name: str
    variables: t.Mapping[str, t.Any]
    selected: frozenset[str]
    failure: Failure | None = None


def report_of(hosts: t.Iterable[Host], *, now: str) -> Report:
    """The report of these hosts, by name."""
    clusters = sorted((_cluster(host) for host in hosts), key=lambda cluster: cluster.name)
    return Report(now, tuple(clusters))


def _cluster(host: Host) -> Cluster:
    results: dict[str, list[Json]] = {name: _results(host.variables, name) for name in STEPS if name in host.selected}
    stopped = _stopped_at(results, host.failure)
    steps: list[Step] = []
    chain: tuple[ChainLink, ...] = ()
    ended = ""
    for name in STEPS:
        if name not in results:
            steps.append(Step(name, Status.SKIPPED, "The step was not selected."))
            continue
        if ended:
            steps.append(Step(name, Status.UNKNOWN, ended))
            continue
        if name == stopped and host.failure is not None:
            step = Step(name, Status.FAILED, host.failure.note)
        else:
            step = _step(name, results[name], host.failure)
        if name == CHECK:
            chain = tuple(link for result in results[name] for link in _links(result))
        if step.status is Status.FAILED or any(map(_failed, results[name])):
            ended = f"Not reached, because the step {name} failed."
        steps.append(step)
    return Cluster(clean(host.name), tuple(steps), chain)


def _stopped_at(results: t.Mapping[str, list[Json]], failure: Failure | None) -> str | None:
    """The step that a failure is put down to which none of the results shows, such as that of a look-up: the one behind
    the last that has results. Where that was the last one, nothing is certain, and it is the first."""
    if failure is None or any(map(_failed, (one for found in results.values() for one in found))):
        return None
    names = list(results)
    reached = max((number for number, name in enumerate(names) if results[name]), default=-1)
    return names[(reached + 1) % len(names)] if names else None


def _failed(result: Json) -> bool:
    return bool(result.get("failed") or result.get("unreachable"))


def _results(variables: t.Mapping[str, t.Any], step: str) -> list[Json]:
    """The results of a step's modules, those of several one by one; skipped tasks have none."""
    found: list[Json] = []
    for name in RESULTS[step]:
        last, several = variables.get(name), variables.get(f"{name}s")
        each = [*several, last] if isinstance(several, list) and last not in several else several or [last]
        found += [result for result in each if isinstance(result, dict) and not result.get("skipped")]
    return found


def _step(name: str, results: list[Json], failure: Failure | None) -> Step:
    if not results:
        return Step(name, Status.SKIPPED, "The step is switched off for this cluster.")
    drifts = tuple(drift for result in results for drift in drifts_of(_with_refused(result)))
    failed = next(filter(_failed, results), None)
    if failed is not None:
        note = clean(failed.get("msg") or (failure.message if failure else "") or "The step failed without a message.")
        # What may not be repaired unasked has drifted all the same.
        status = Status.DRIFTED if drifts and failed.get("refused_changes") else Status.FAILED
        return Step(name, status, note, drifts)
    if name == CHECK:
        return _check(results)
    return Step(name, Status.DRIFTED if drifts else Status.IN_SYNC, "", drifts)


def _with_refused(result: Json) -> Json:
    """A result with the changes that were refused, as if they had been planned."""
    if not result.get("refused_changes"):
        return result
    return {**result, "changes": result["refused_changes"], "diff": result.get("refused_diff")}


def _check(results: list[Json]) -> Step:
    """In check mode nothing is written, so the links that need a write are not tried; that leaves nothing open."""
    links = [link for result in results for link in result.get("links") or ()]
    broken = [clean(link.get("summary", "")) for link in links if link.get("status") == "broken"]
    if broken:
        return Step(CHECK, Status.BROKEN, " ".join(broken))
    open_ends = [
        clean(link.get("summary", "")) for link in links if link.get("status") == "unknown" and link.get("tried", True)
    ]
    if open_ends:
        return Step(CHECK, Status.UNKNOWN, " ".join(open_ends))
    return Step(CHECK, Status.IN_SYNC)


def _links(result: Json) -> t.Iterator[ChainLink]:
    for link in result.get("links") or ():
        status = link.get("status", "unknown")
        yield ChainLink(
            name=clean(link.get("link", "")),
            status=status if status in ("ok", "broken") else "unknown",
            summary=clean(link.get("summary", "")),
            expected=clean(link.get("expected", "")),
            found=clean(link.get("found", "")),
            fix=clean(link.get("fix", "")),
        )
