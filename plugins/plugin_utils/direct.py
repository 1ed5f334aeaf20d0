# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's work done in the worker that would otherwise start a process for it.

Nothing is packed, unpacked, started and imported anew for each host: what a module imports was imported before the
workers were forked, with the action. The result is that of the module, and wherever a process is asked for there is
one: another connection or interpreter, ``become``, ``async``, ``environment``, ``delegate_to``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import traceback
import typing as t
from pathlib import Path

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.common.text.converters import jsonify
from ansible.module_utils.errors import UnsupportedError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash

from ansible_collections.crosscloud.aks_amp.plugins.module_utils.options import Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.runner import Context, ModuleDefinition, perform

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, t.Any]

#: The variable and the environment variable that turn it off.
VARIABLE: t.Final = "aks_amp_direct"
ENVIRONMENT: t.Final = "AKS_AMP_DIRECT"


class WorkerAction(ActionBase):  # type: ignore[misc]  # ansible-core is untyped
    """An action that may do the work of modules in the worker."""

    _supports_check_mode = True

    # Which way ----------------------------------------------------------------------------------------------------

    def _needs_process(self, variables: Mapping[str, t.Any]) -> bool:
        task = self._task
        asked_for = (task.async_val, task.delegate_to, self._play_context.become, self._environment())
        if any(asked_for) or self._connection.transport != "local":
            return True
        return not self._is_on(variables) or not self._is_own_interpreter(variables)

    def _environment(self) -> Json:
        found: Json = {}
        self._compute_environment_string(found)
        return found

    def _is_on(self, variables: Mapping[str, t.Any]) -> bool:
        given = self._templar.template(variables.get(VARIABLE, True))
        return boolean(given) and boolean(os.environ.get(ENVIRONMENT) or True)

    def _is_own_interpreter(self, variables: Mapping[str, t.Any]) -> bool:
        """Whether the module would be run by this very interpreter, with this very environment's libraries."""
        given = variables.get("ansible_python_interpreter")
        if given is None:  # Ansible would look for one
            return False
        interpreter = str(self._templar.template(given))
        return Path(interpreter).absolute() == Path(sys.executable).absolute()

    # In the worker ------------------------------------------------------------------------------------------------

    def _in_the_worker(self, module: str, definition: ModuleDefinition, given: Json) -> Json:
        """What a module returns for the arguments that it is given."""
        with _silence():
            return self._validated_and_performed(module, definition, given)

    def _validated_and_performed(self, module: str, definition: ModuleDefinition, given: Json) -> Json:
        arguments = definition.spec.module_arguments()
        validated = ArgumentSpecValidator(arguments.pop("argument_spec"), **arguments).validate(given)
        hidden: set[str] = set(validated._no_log_values)  # ansible-core offers no other way to them
        warnings = [str(entry["warning"]) for entry in _warnings(validated)]
        if validated.error_messages:
            values = {"failed": True, "msg": _refusal(module, validated)}
        else:
            values, more = self._performed(definition, Params(validated.validated_parameters))
            warnings += more
        values["invocation"] = {"module_args": validated.validated_parameters}
        if warnings:
            values["warnings"] = warnings
        return _presentable(values, hidden)

    def _performed(self, definition: ModuleDefinition, params: Params) -> tuple[Json, list[str]]:
        """The result's values and its warnings. What goes wrong unexpectedly fails the task, and nothing else."""
        try:
            ended = perform(definition, params, Context(check_mode=bool(self._task.check_mode)))
        except (Exception, SystemExit) as error:  # whatever it is, the other hosts' work goes on
            told = "".join(traceback.format_exception(error))
            summary = f"{type(error).__name__}: {error}"
            return {"failed": True, "msg": f"The module failed unexpectedly: {summary}", "exception": told}, []
        values = dict(ended.values)
        if ended.failed:
            values["failed"] = True
        return values, list(ended.warnings)


class DirectAction(WorkerAction):
    """The action of a module. ``definition`` is the module's."""

    definition: t.ClassVar[ModuleDefinition]

    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: Json | None = None) -> Json:
        variables = task_vars or {}
        result: Json = super().run(tmp, variables)
        if self._needs_process(variables):
            return self._in_a_process(result, variables)
        return {**result, **self._in_the_worker(self._task.action, self.definition, dict(self._task.args))}

    def _in_a_process(self, result: Json, variables: Json) -> Json:
        """As the action ``normal`` of ansible-core does it."""
        wrap_async = self._task.async_val and not self._connection.has_native_async
        merged: Json = merge_hash(result, self._execute_module(task_vars=variables, wrap_async=wrap_async))
        if not wrap_async:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return merged


def _refusal(module: str, validated: t.Any) -> str:
    """What AnsibleModule says of arguments that can't be."""
    message = str(validated.errors.msg)
    if isinstance(validated.errors[0], UnsupportedError):
        return f"Unsupported parameters for ({module}) module: {message}"
    return message


def _warnings(validated: t.Any) -> list[Json]:
    """Those of the validation, as for an option that is given by its name and an alias."""
    return list(getattr(validated, "_warnings", ()))


def _presentable(values: Json, hidden: set[str]) -> Json:
    """Plain data without secrets, as AnsibleModule prints it: values of hidden options are taken out of every text."""
    plain: Json = json.loads(jsonify(values))
    kept = {name: value for name, value in plain.items() if value is None or isinstance(value, bool)}
    return {**remove_values(plain, hidden), **kept}


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """SDKs log to the terminal where nobody has set up logging: a module's own process keeps that to itself."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
