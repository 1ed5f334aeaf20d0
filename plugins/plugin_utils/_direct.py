# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module's work done in the worker that would otherwise start a process for it.

Nothing is packed, unpacked, started and imported anew for each host: what a module imports was imported before the
workers were forked, with the action. The result is that of the module, and wherever a process is asked for there is
one: another connection or interpreter, ``become``, ``async``, ``environment``, kept module files.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import grp
import json
import logging
import os
import pwd
import stat
import sys
import traceback
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible import constants as C  # noqa: N812  # as all of ansible-core calls it
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.errors import UnsupportedError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, ModuleDefinition, perform
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.foreign_text import all_plain, plain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.url_secrets import passwords_of_urls

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, t.Any]

#: The variable and the environment variable that turn it off.
VARIABLE: t.Final = "aks_amp_direct"
ENVIRONMENT: t.Final = "AKS_AMP_DIRECT"

#: What ends one task and nothing else. A task's ``timeout`` and an interrupt from the keyboard are Ansible's own.
_BUGS: t.Final = (Exception, SystemExit, asyncio.CancelledError)


class WorkerAction(ActionBase):  # type: ignore[misc]  # ansible-core is untyped
    """An action that does the work of modules in the worker, where that may be."""

    _supports_check_mode = True

    # Which way ----------------------------------------------------------------------------------------------------

    def _needs_process(self, variables: Mapping[str, t.Any]) -> bool:
        asked_for = (self._task.async_val, self._connection.become, self._environment(), C.DEFAULT_KEEP_REMOTE_FILES)
        if any(asked_for) or self._connection.transport != "local":
            return True
        return not self._is_on(variables) or not self._is_own_interpreter(variables)

    def _environment(self) -> Json:
        found: Json = {}
        self._compute_environment_string(found)
        return found

    def _is_on(self, variables: Mapping[str, t.Any]) -> bool:
        given = (self._templar.template(variables.get(VARIABLE)), os.environ.get(ENVIRONMENT))
        return all(value in (None, "") or boolean(value) for value in given)

    def _is_own_interpreter(self, variables: Mapping[str, t.Any]) -> bool:
        """Whether the module would be run by this very interpreter, with this very environment's libraries.

        It would not where Ansible is left to look for one.
        """
        delegate = self._task.delegate_to
        of_the_host = variables.get("ansible_delegated_vars", {}).get(delegate, {}) if delegate else variables
        configured = C.config.get_config_value("INTERPRETER_PYTHON", variables=of_the_host)
        given = Path(str(self._templar.template(configured)).strip()).absolute()
        own = Path(sys.executable).absolute()
        # A virtual environment has its interpreter under several names; the folder tells it from its base.
        return given == own or (given.parent == own.parent and given.resolve() == own.resolve())

    def _tells_arguments(self) -> bool:
        """Whether a result holds the arguments: before ansible-core 2.21 always, since then where it is asked for."""
        if not hasattr(C, "INJECT_INVOCATION"):
            return True
        variables = self._templar.available_variables
        return bool(C.config.get_config_value("INJECT_INVOCATION", variables=variables, templar=self._templar))

    # In the worker ------------------------------------------------------------------------------------------------

    def _in_the_worker(self, module: str, definition: ModuleDefinition, given: Mapping[str, t.Any]) -> Json:
        """What a module returns for the arguments that it is given."""
        self._display.vvv(f"{module} runs in the worker", host=self._play_context.remote_addr)
        with contextlib.chdir(self._loader.get_basedir()), _kept_quiet():  # where a module's process runs, too
            return self._validated_and_performed(module, definition, given)

    def _validated_and_performed(self, module: str, definition: ModuleDefinition, given: Mapping[str, t.Any]) -> Json:
        arguments = definition.spec.module_arguments()
        validated = ArgumentSpecValidator(arguments.pop("argument_spec"), **arguments).validate(_plain(given))
        hidden: set[str] = set(validated._no_log_values)  # ansible-core offers no other way to them
        hidden |= passwords_of_urls(validated.validated_parameters)
        warnings = [
            f"Both option {entry['option']} and its alias {entry['alias']} are set." for entry in validated._warnings
        ]
        if validated.error_messages:
            values: Json = {"failed": True, "msg": _refusal(module, validated)}
        else:
            values, more = self._performed(definition, Params(validated.validated_parameters))
            warnings += more
        values |= _of_file(values)
        if self._tells_arguments():
            values["invocation"] = {"module_args": all_plain(validated.validated_parameters)}
        told = {"warnings": warnings, "deprecations": validated._deprecations}
        return _without(hidden, {**values, **{name: entries for name, entries in told.items() if entries}})

    def _performed(self, definition: ModuleDefinition, params: Params) -> tuple[Json, list[str]]:
        """The result's values and its warnings. What goes wrong unexpectedly fails the task, and nothing else."""
        try:
            ended = perform(definition, params, Context(check_mode=bool(self._task.check_mode)))
        except _BUGS as error:
            told = plain("".join(traceback.format_exception(error)))
            summary = plain(f"{type(error).__name__}: {error}")
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
        return {**result, **self._in_the_worker(self._task.action, self.definition, self._task.args)}

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


def _of_file(values: Mapping[str, t.Any]) -> Json:
    """What AnsibleModule adds to the result of a module that returns a file, but for SELinux' context."""
    path = Path(values.get("path") or values.get("dest") or "")
    if path == Path() or not path.exists():
        return {}
    status = path.lstat()
    return {
        "uid": status.st_uid,
        "gid": status.st_gid,
        "owner": _name_or_number(lambda: pwd.getpwuid(status.st_uid).pw_name, status.st_uid),
        "group": _name_or_number(lambda: grp.getgrgid(status.st_gid).gr_name, status.st_gid),
        "mode": f"0{stat.S_IMODE(status.st_mode):03o}",
        "size": status.st_size,
        "state": _kind_of(path),
    }


def _name_or_number(name: t.Callable[[], str], number: int) -> str:
    try:
        return name()
    except KeyError:  # an account of a container that has no entry for it
        return str(number)


def _kind_of(path: Path) -> str:
    if path.is_symlink():
        return "link"
    if path.is_dir():
        return "directory"
    return "hard" if path.stat().st_nlink > 1 else "file"


def _plain(values: Mapping[str, t.Any]) -> Json:
    """What a process would be given and gives back: JSON, without the tags, vaults and lazy values of a controller."""
    plain: Json = json.loads(json.dumps(dict(values), default=_as_json))
    return plain


def _as_json(value: object) -> object:
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return list(value)
    return str(value)


def _without(hidden: set[str], values: Json) -> Json:
    """As AnsibleModule prints it: values of hidden options are taken out of every text."""
    plain = _plain(values)
    kept = {name: value for name, value in plain.items() if value is None or isinstance(value, bool)}
    return {**remove_values(plain, hidden), **kept}


@contextlib.contextmanager
def _kept_quiet() -> Iterator[None]:
    """What SDKs print, warn of and log reaches neither the terminal nor Ansible's log, as with a process.

    Their log records may name credentials. A handler that a module adds for itself still gets them.
    """
    root = logging.getLogger()
    level, handlers = root.level, root.handlers
    with contextlib.ExitStack() as stack:
        stack.callback(root.setLevel, level)
        root.setLevel(logging.WARNING)
        stack.callback(setattr, root, "handlers", handlers)
        root.handlers = [logging.NullHandler()]
        nowhere = stack.enter_context(Path(os.devnull).open("w", encoding="utf-8"))
        stack.enter_context(contextlib.redirect_stdout(nowhere))
        stack.enter_context(contextlib.redirect_stderr(nowhere))
        for descriptor in (1, 2):  # programs that an SDK starts print there
            stack.enter_context(_sent_to(nowhere.fileno(), descriptor))
        yield


@contextlib.contextmanager
def _sent_to(target: int, descriptor: int) -> Iterator[None]:
    kept = os.dup(descriptor)
    try:
        os.dup2(target, descriptor)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
