# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments of examples that are not run, held against the documentation by ansible-core's own validator."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tests.docs.pages import GUIDES, ROOT

Json = dict[str, t.Any]

COLLECTION: t.Final = "crosscloud.aks_amp."
#: Pages that list variables.
_PAGES: t.Final = ("variables", "credentials", "drift_reports", "fleet_and_awx")
_OF_A_SPEC: t.Final = ("type", "elements", "choices", "required", "default", "aliases")
#: A value for an option whose own comes from a template, by the option's type.
_SAMPLES: t.Final[Json] = {"bool": True, "int": 1, "float": 1.0, "list": [], "dict": {}}


@functools.cache
def module_specs() -> dict[str, Json]:
    """The argument spec of each module, as its documentation has it."""
    names = [f"{COLLECTION}{path.stem}" for path in sorted((ROOT / "plugins" / "modules").glob("*.py"))]
    command = (str(Path(sys.executable).parent / "ansible-doc"), "--json", "--type", "module", *names)
    shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S603  # our own
    found = json.loads(shown.stdout)
    return {name: _spec(found[name]["doc"].get("options", {})) for name in names}


def _spec(options: Json) -> Json:
    """An argument spec as modules have it."""
    spec: Json = {}
    for name, option in options.items():
        spec[name] = {key: option[key] for key in _OF_A_SPEC if key in option and option[key] is not None}
        if "suboptions" in option or "options" in option:
            spec[name]["options"] = _spec(option.get("suboptions") or option["options"])
    return spec


@functools.cache
def variable_specs() -> dict[str, Json]:
    """The argument spec of each ``aks_amp_*`` variable that a role's variable takes its value from."""
    found: dict[str, Json] = {}
    for path in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml")):
        role = path.parents[1].name
        specs = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]
        for options in (spec["options"] for spec in specs.values()):
            for name, spec in _spec(options).items():
                found.setdefault(f"aks_amp_{name.removeprefix(f'{role}_')}", {**spec, "required": False})
    return found


@functools.cache
def documented_variables() -> str:
    """The text of the pages that list variables."""
    return "".join((GUIDES / f"{page}.rst").read_text(encoding="utf-8") for page in _PAGES)


def variable_errors(variables: Json) -> list[str]:
    """What is wrong with variables of an inventory."""
    unknown = [f"{name} is documented nowhere" for name in variables if f"``{name}``" not in documented_variables()]
    known = {name: value for name, value in variables.items() if name in variable_specs()}
    return unknown + _errors({name: variable_specs()[name] for name in known}, known)


def inventory_errors(groups: Json) -> list[str]:
    """What is wrong with the variables of groups and hosts. Those of Ansible itself are not looked at."""
    found: list[str] = []
    for group in groups.values():
        for variables in (group.get("vars"), *(group.get("hosts") or {}).values()):
            ours = {name: value for name, value in (variables or {}).items() if name.startswith("aks_amp_")}
            found += variable_errors(ours)
        found += inventory_errors({name: child or {} for name, child in (group.get("children") or {}).items()})
    return found


def task_errors(tasks: list[Json]) -> list[str]:
    """What is wrong with the arguments of tasks that call the collection's modules, blocks and plays included."""
    found: list[str] = []
    for task in tasks:
        for part in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks"):
            found += task_errors(task.get(part, []))
        for action in (key for key in task if key.startswith(COLLECTION)):
            if action not in module_specs():
                found.append(f"there is no module {action}")
            else:
                found += _errors(module_specs()[action], task[action] or {})
    return found


def _errors(spec: Json, arguments: Json) -> list[str]:
    told = {name: _told(spec.get(name, {}), value) for name, value in arguments.items()}
    return list(ArgumentSpecValidator(spec).validate(told).error_messages)


def _told(spec: Json, value: t.Any) -> t.Any:
    """A value, or one of the right type where a template would give it."""
    if isinstance(value, str) and "{{" in value:
        return spec.get("choices", [_SAMPLES.get(spec.get("type", "str"), value)])[0]
    return value
