# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where a module starts and ends: parameters in, exactly one result or failure out."""

from __future__ import annotations

import contextlib
import dataclasses
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _plan as plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.sharing import sharing
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import FederationError
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import ArgumentSpec, Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.foreign_text import all_plain, plain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.url_secrets import passwords_of_urls

CurrentT = t.TypeVar("CurrentT")
OperationT = t.TypeVar("OperationT")


@dataclasses.dataclass(frozen=True)
class Pace:
    """A resource's own budget for lost races: every ``delay`` seconds, until none of ``seconds_left()`` are left."""

    delay: float
    seconds_left: t.Callable[[], float]


@dataclasses.dataclass(frozen=True)
class Context:
    """What a resource may know about the run. ``sleep`` takes seconds; tests pass their own clock."""

    check_mode: bool
    sleep: t.Callable[[float], None] = time.sleep
    monotonic: t.Callable[[], float] = time.monotonic

    def converge(
        self, resource: plan.Resource[OperationT, CurrentT], pace: Pace | None = None
    ) -> plan.Outcome[CurrentT]:
        """Read, plan and apply, with lost races planned anew: some times, or as long as ``pace`` allows."""
        retry = plan.Retry(
            is_conflict=lambda error: isinstance(error, errors.Conflict),
            delay_of=lambda error: error.retry_after if isinstance(error, errors.Conflict) else None,
            is_uncertain=lambda error: isinstance(error, errors.Interrupted),
            sleep=self.sleep,
        )
        if pace is not None:
            retry = dataclasses.replace(retry, delay=pace.delay, seconds_left=pace.seconds_left)
        return plan.converge(resource, check_mode=self.check_mode, retry=retry)


@dataclasses.dataclass(frozen=True)
class Result:
    """What a module returns. ``facts`` are its documented return values beside the common ones."""

    facts: t.Mapping[str, object]
    changes: tuple[plan.Change[t.Any], ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, outcome: plan.Outcome[t.Any], facts: t.Mapping[str, object]) -> Result:
        return cls(facts, outcome.changes, outcome.warnings)


@dataclasses.dataclass(frozen=True)
class ModuleDefinition:
    """A module: its options and what it does. ``run`` does all the work and knows nothing of AnsibleModule.

    ``release`` gives back what an SDK would keep until its process ends, however ``run`` ended.
    """

    spec: ArgumentSpec
    run: t.Callable[[Params, Context], Result]
    release: t.Callable[[], None] = lambda: None


def result_values(result: Result) -> dict[str, object]:
    """A result as Ansible takes it."""
    return {
        **result.facts,
        "changed": bool(result.changes),
        "changes": [change.report() for change in result.changes],
        "diff": [change.diff() for change in result.changes],
    }


def failure_values(error: Exception) -> dict[str, object]:
    """A failure as Ansible takes it: one sentence, and what had been done before it."""
    if isinstance(error, plan.ApplyFailed):
        return _partial_failure_values(error)
    if isinstance(error, errors.CloudError):
        return {
            "msg": error.sentence(),
            "error": {
                "service": error.service,
                "action": error.action,
                "code": error.code,
                "status": error.status,
                "message": error.detail,
                "request_id": error.request_id,
            },
        }
    if isinstance(error, (errors.CheckFailed, errors.Refused)):
        return {**error.facts, "msg": error.sentence()}
    if isinstance(error, errors.AksAmpError):
        return {"msg": error.sentence()}
    return {"msg": str(error)}


def _partial_failure_values(failed: plan.ApplyFailed) -> dict[str, object]:
    cause = failed.__cause__
    values = failure_values(cause) if isinstance(cause, EXPECTED) else {"msg": f"{type(cause).__name__}: {cause}"}
    accepted = isinstance(cause, errors.AksAmpError) and cause.accepted
    made = (*failed.done, failed.failed) if accepted else failed.done
    done = "; ".join(change.summary.rstrip(".") for change in failed.done)
    uncertain = not accepted and (failed.uncertain or isinstance(cause, errors.Unreachable))
    state = ["" if accepted else "Nothing was changed."]
    if uncertain:
        state = ["It is not known whether the change was made."]
    if done:
        state = [*state[: int(uncertain)], f"Already done in this run: {done}."]
    if (done or uncertain) and not (isinstance(cause, errors.AksAmpError) and cause.repeats):
        state.append("A rerun continues from there.")
    return {
        **values,
        "msg": " ".join((str(values["msg"]), *state)).strip(),
        "changed": bool(made),
        "changes": [change.report() for change in made],
        "diff": [change.diff() for change in made],
    }


#: Errors that are part of normal life; any other exception is a bug and keeps its traceback.
EXPECTED = (errors.AksAmpError, plan.ApplyFailed, FederationError)


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a module ended: its return values, whether they are those of a failure, and its warnings.

    Much of both are texts of clouds and clusters, which Ansible shows as they are: here they become plain.
    """

    values: t.Mapping[str, object]
    failed: bool = False
    warnings: tuple[str, ...] = ()


def perform(definition: ModuleDefinition, params: Params, context: Context) -> Ended:
    """Do a module's work. Raises only what is a bug."""
    try:
        with sharing(), contextlib.ExitStack() as ending:
            ending.callback(definition.release)
            result = definition.run(params, context)
    except EXPECTED as error:
        return Ended(all_plain(failure_values(error)), failed=True)
    return Ended(all_plain(result_values(result)), warnings=tuple(map(plain, result.warnings)))


def run_module(definition: ModuleDefinition) -> t.NoReturn:
    """Run a module from AnsibleModule's parameters to its exit."""
    module = AnsibleModule(supports_check_mode=True, **definition.spec.module_arguments())
    module.no_log_values.update(passwords_of_urls(module.params))
    ended = perform(definition, Params(module.params), Context(check_mode=module.check_mode))
    for warning in ended.warnings:
        module.warn(warning)
    values = {**ended.values, "invocation": {"module_args": all_plain(module.params)}}
    if ended.failed:
        module.fail_json(**values)
    module.exit_json(**values)
    raise AssertionError("exit_json does not return")
