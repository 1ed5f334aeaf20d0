# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of one cluster, done one after the other in one task.

A task of its own for each of some thirty tasks costs ansible-core ten times what the modules do. Here the same task
files are walked through, with the same variables, conditions, argument specifications and results.
"""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import jinja2
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils import _task_files as task_files
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._task_files import (
    Block,
    Call,
    IncludeRole,
    IncludeTasks,
    Keep,
    Require,
    Role,
    Task,
)
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._templates import (
    OMIT,
    OMITTING,
    Own,
    Plain,
    Scope,
    Templates,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._templates import Layer

Json = dict[str, t.Any]
#: Runs a module, by its name and arguments, and returns its result as a task has it.
Perform = t.Callable[[str, Json], Json]

_FOLDER: t.Final = Path(__file__).resolve().parent.parent.parent


class Failed(Exception):
    """A task failed. ``result`` is its module's, where one ran."""

    def __init__(self, task: str, message: str, result: Json | None = None) -> None:
        super().__init__(message)
        self.task = task
        self.message = message
        self.result: Json = {} if result is None else result


class Book:
    """All that this collection's YAML says of the steps, read and compiled once."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        """Raises NotUnderstood."""
        self.templates = Templates()
        self.wiring: t.Final[Json] = {
            **task_files.read_yaml(folder / "playbooks" / "vars" / "wiring.yml"),
            **task_files.read_yaml(folder / "playbooks" / "vars" / "selected_steps.yml"),
        }
        self.steps: t.Final = folder / "playbooks" / "tasks" / "federation.yml"
        self._files: dict[Path, tuple[Task, ...]] = {}
        self._roles = {
            path.name: task_files.read_role(path) for path in sorted((folder / "roles").iterdir()) if path.is_dir()
        }
        self.templates.compile(self.wiring)
        self._compile(self.tasks(self.steps))
        for role in self._roles.values():
            self.templates.compile(role.defaults)
            for tasks in role.tasks.values():
                self._compile(tasks)

    def tasks(self, path: Path) -> tuple[Task, ...]:
        if path not in self._files:
            self._files[path] = task_files.read_tasks(path)
        return self._files[path]

    def role(self, name: str) -> Role:
        return self._roles[name]

    def _compile(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            for value in (task.variables, task.loop, *_values(task.deed)):
                self.templates.compile(value)
            for condition in (*task.conditions, *(task.deed.conditions if isinstance(task.deed, Require) else ())):
                self.templates.compile_condition(condition)
            if isinstance(task.deed, IncludeTasks):
                self._compile(self.tasks(task.deed.path))
            elif isinstance(task.deed, Block):
                self._compile(task.deed.tasks)


def _values(deed: task_files.Deed) -> Iterator[object]:
    if isinstance(deed, Call):
        yield deed.arguments
    elif isinstance(deed, Keep):
        yield deed.facts
    elif isinstance(deed, Require):
        yield deed.message


@dataclasses.dataclass
class Walk:
    """One cluster's way through the steps.

    ``results`` are what its tasks registered, by their names, for later tasks and for the report; ``all_results`` are
    those of all modules.
    """

    book: Book
    given: Layer
    extra: Layer
    perform: Perform
    learned: Callable[[Mapping[str, t.Any]], None]
    results: Json = dataclasses.field(default_factory=dict)
    all_results: list[Json] = dataclasses.field(default_factory=list)

    def value(self, name: str) -> t.Any:
        """A variable, as a task outside of roles sees it. Raises jinja2.UndefinedError."""
        return self.book.templates.require(f"{{{{ {name} }}}}", self._scope((), ()))

    def steps(self) -> None:
        """Do all steps. Raises Failed at the first that fails."""
        self._tasks(self.book.tasks(self.book.steps), (), ())

    def _tasks(self, tasks: Sequence[Task], inner: tuple[Layer, ...], outer: tuple[Layer, ...]) -> None:
        for task in tasks:
            try:
                self._task(task, inner, outer)
            except jinja2.UndefinedError as error:
                raise Failed(task.name, f"The task includes an option with an undefined variable: {error}.") from error
            except jinja2.TemplateRuntimeError as error:
                raise Failed(task.name, f"A template of the task can't be evaluated: {error}.") from error

    def _task(self, task: Task, inner: tuple[Layer, ...], outer: tuple[Layer, ...]) -> None:
        """``inner`` are variables of the tasks that included this one, ``outer`` the defaults of its role."""
        own = Own(task.variables, self.book.templates)
        scope = self._scope((own, *inner), outer)
        if not all(self.book.templates.holds(condition, scope) for condition in task.conditions):
            self._register(task, {"changed": False, "skipped": True})
            return
        if task.loop is None:
            self._deed(task, scope, (own, *inner), outer)
            return
        items = [Plain({task.loop_variable: item}) for item in self.book.templates.require(task.loop, scope)]
        each = [self._deed(task, scope.within(item), (item, own, *inner), outer) for item in items]
        if isinstance(task.deed, Call):
            entries = [{**result, **item.values} for result, item in zip(each, items, strict=True)]
            self._register(task, {"changed": any(one.get("changed") for one in each), "results": entries})

    def _scope(self, inner: tuple[Layer, ...], outer: tuple[Layer, ...]) -> Scope:
        templates = self.book.templates
        given = (Plain(self.results), OMITTING, self.given, Own(self.book.wiring, templates))
        known = (*given, *outer, Plain(templates.globals))
        return Scope(self.book.templates, (self.extra, *inner, *known))

    def _deed(self, task: Task, scope: Scope, inner: tuple[Layer, ...], outer: tuple[Layer, ...]) -> Json:
        deed, templates = task.deed, self.book.templates
        if isinstance(deed, Call):
            return self._call(task, deed, templates.render(deed.arguments, scope))
        if isinstance(deed, IncludeTasks):
            self._tasks(self.book.tasks(deed.path), inner, outer)
        elif isinstance(deed, Block):
            self._tasks(deed.tasks, inner, outer)
        elif isinstance(deed, IncludeRole):
            role = self.book.role(str(templates.require(deed.role, scope)))
            self._role(role, str(templates.require(deed.tasks_from, scope)), inner)
        elif isinstance(deed, Keep):
            self._learn(templates.render(deed.facts, scope))
        elif not all(templates.holds(condition, scope) for condition in deed.conditions):
            raise Failed(task.name, str(templates.require(deed.message, scope)))
        return {}

    def _role(self, role: Role, entry_point: str, inner: tuple[Layer, ...]) -> None:
        defaults = (Own(role.defaults, self.book.templates),)
        self._check_arguments(role, entry_point, self._scope(inner, defaults))
        self._tasks(role.tasks[entry_point], inner, defaults)

    def _check_arguments(self, role: Role, entry_point: str, scope: Scope) -> None:
        """As ansible-core does it before a role's first task."""
        described = role.argument_specs.get(entry_point)
        if described is None:
            return
        options: Json = described.get("options", {})
        given = {name: scope[name] for name in options if name in scope}
        known = {
            name: value
            for name, value in given.items()
            if value is not OMIT and not isinstance(value, jinja2.Undefined)
        }
        found = ArgumentSpecValidator(options).validate(known)
        if found.error_messages:
            told = f"Validating arguments against arg spec '{entry_point}' - {described['short_description']}"
            message = remove_values("\n".join(map(str, found.error_messages)), found._no_log_values)
            raise Failed(told, f"Validation of arguments failed:\n{message}")

    def _call(self, task: Task, call: Call, arguments: Json) -> Json:
        result = self.perform(call.module, arguments)
        if call.is_lookup:
            result = {**result, "changed": False}
        self.all_results.append(result)
        if task.loop is None or result.get("failed"):
            self._register(task, result)
        if result.get("failed"):
            raise Failed(task.name, str(result.get("msg", "")), result)
        return result

    def _register(self, task: Task, result: Json) -> None:
        if isinstance(task.deed, Call) and task.deed.register:
            self._learn({task.deed.register: result})

    def _learn(self, facts: Json) -> None:
        self.results.update(facts)
        self.learned(facts)
