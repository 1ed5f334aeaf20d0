# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This collection's own task files as data: the part of Ansible's language that they use, and no other.

What they use besides is refused when it is read, never passed over; a test reads them all.
"""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import yaml

Json = dict[str, t.Any]

COLLECTION: t.Final = "crosscloud.aks_amp"
_BUILTIN: t.Final = "ansible.builtin"
#: Keywords without effect here: which tasks a user selects, the tasks' conditions say as well.
_WITHOUT_EFFECT: t.Final = frozenset({"tags"})
_KEYWORDS: t.Final = frozenset(
    {"name", "when", "vars", "loop", "loop_control", "register", "check_mode", "changed_when", "diff"}
)
#: What a block has whose failure does not end the play at once.
_RESCUED: t.Final = frozenset({"when", "block", "rescue"})
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NotUnderstood(Exception):
    """A task file uses what this module does not know."""


@dataclasses.dataclass(frozen=True)
class Call:
    """Run a module of this collection. A look-up changes nothing, whatever it finds, and shows no difference."""

    module: str
    arguments: Json
    register: str | None
    is_lookup: bool


@dataclasses.dataclass(frozen=True)
class IncludeRole:
    """Run tasks of a role of this collection, named without it; both names may be templates."""

    role: str
    tasks_from: str


@dataclasses.dataclass(frozen=True)
class IncludeTasks:
    """Run the tasks of a file in the same folder."""

    path: Path


@dataclasses.dataclass(frozen=True)
class Require:
    """Fail unless all conditions hold."""

    conditions: tuple[str, ...]
    message: str


@dataclasses.dataclass(frozen=True)
class Keep:
    """Set facts; their names may be templates, too."""

    facts: Json


@dataclasses.dataclass(frozen=True)
class Block:
    """Do tasks. What Ansible would do after one failed is not read: a plan ends there and tells what failed."""

    tasks: tuple[Task, ...]


Deed = Block | Call | IncludeRole | IncludeTasks | Require | Keep


@dataclasses.dataclass(frozen=True)
class Task:
    """One task. Its conditions do not depend on the loop's variable."""

    name: str
    deed: Deed
    conditions: tuple[str, ...] = ()
    variables: Json = dataclasses.field(default_factory=dict)
    loop: t.Any = None
    loop_variable: str = "item"


def read_yaml(path: Path) -> t.Any:
    """A file of this collection. Raises OSError and yaml.YAMLError."""
    return yaml.load(path.read_text(encoding="utf-8"), _LOADER)  # noqa: S506  # a safe loader, in C where there is one


def read_tasks(path: Path) -> tuple[Task, ...]:
    """The tasks of a file. Raises NotUnderstood."""
    return tuple(_task(entry, path) for entry in read_yaml(path) or ())


def _task(entry: Json, path: Path) -> Task:
    if entry.keys() == _RESCUED | {"name"}:
        tasks = tuple(_task(inner, path) for inner in entry["block"])
        return Task(str(entry["name"]), Block(tasks), conditions=(str(entry["when"]),))
    actions = [name for name in entry if "." in name]
    unknown = entry.keys() - _KEYWORDS - _WITHOUT_EFFECT - set(actions)
    control = entry.get("loop_control", {})
    if len(actions) != 1 or unknown or control.keys() - {"loop_var", "label"}:
        raise NotUnderstood(f"{path}: task {entry.get('name')!r} has {', '.join(sorted({*actions, *unknown}))}")
    when = entry.get("when", ())
    return Task(
        name=str(entry["name"]),
        deed=_deed(actions[0], entry, path),
        conditions=tuple(map(str, when)) if isinstance(when, (list, tuple)) else (str(when),),
        variables=entry.get("vars", {}),
        loop=entry.get("loop"),
        loop_variable=control.get("loop_var", "item"),
    )


def _deed(action: str, entry: Json, path: Path) -> Deed:
    given: Json = {name: value for name, value in (entry[action] or {}).items() if name not in {"apply", "quiet"}}
    namespace, _dot, name = action.rpartition(".")
    if namespace == COLLECTION:
        is_lookup = entry.get("changed_when") is False and entry.get("diff") is False
        return Call(name, given, entry.get("register"), is_lookup)
    if namespace == _BUILTIN:
        match name, given:
            case "include_role", {"name": role, **rest} if not rest.keys() - {"tasks_from"}:
                return IncludeRole(role.removeprefix(f"{COLLECTION}."), rest.get("tasks_from", "main"))
            case "include_tasks", {"file": file, **rest} if not rest:
                return IncludeTasks(path.parent / file)
            case "assert", {"that": that, "fail_msg": message, **rest} if not rest:
                return Require(tuple(map(str, that)) if isinstance(that, list) else (str(that),), message)
            case "set_fact", _:
                return Keep(given)
    raise NotUnderstood(f"{path}: {entry.get('name')!r} runs {action} with {', '.join(sorted(given))}")


@dataclasses.dataclass(frozen=True)
class Role:
    """A role's defaults, its tasks by entry point, and what each entry point's arguments are."""

    name: str
    defaults: Json
    tasks: t.Mapping[str, tuple[Task, ...]]
    argument_specs: t.Mapping[str, Json]


def read_role(folder: Path) -> Role:
    """A role. Only entry points that this module understands are there; an unknown one is missing."""
    tasks: dict[str, tuple[Task, ...]] = {}
    for path in sorted((folder / "tasks").glob("*.yml")):
        if path.stem not in {"absent", "lookup_absent", "render_absent"}:  # a teardown plans nothing
            tasks[path.stem] = read_tasks(path)
    specs = read_yaml(folder / "meta" / "argument_specs.yml")["argument_specs"]
    return Role(folder.name, read_yaml(folder / "defaults" / "main.yml") or {}, tasks, specs)
