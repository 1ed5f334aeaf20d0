# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module ``fleet_workspaces_info``: the variables of all hosts are known to the controller only."""

from __future__ import annotations

import collections
import json
import typing as t
from pathlib import Path

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import amp_workspace
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils import _task_files as task_files
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._direct import WorkerAction
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._templates import (
    OMITTING,
    Own,
    Plain,
    Scope,
    Templates,
    is_template,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, t.Any]

ARGUMENT_SPEC: t.Final[Json] = {"hosts": {"type": "list", "elements": "str"}}

_MODULE: t.Final = f"{task_files.COLLECTION}.amp_workspace_info"
#: How many hosts must ask alike. A single one asks for itself.
_SEVERAL: t.Final = 2


class Asking:
    """What the role iam_web_identity would ask the module for, on a host: read from its own files."""

    def __init__(self, folder: Path) -> None:
        role = task_files.read_role(folder)
        deeds = [task.deed for task in role.tasks["lookup"] if task.loop is None]
        calls = [deed for deed in deeds if isinstance(deed, task_files.Call)]
        (self._call,) = (call for call in calls if call.module == _MODULE.rpartition(".")[2])
        self._defaults = role.defaults
        self._templates = Templates()
        self._templates.compile([self._call.arguments, self._defaults])

    def arguments(self, values: Mapping[str, t.Any]) -> Json:
        """Of a host with these variables, which ansible-core's ``hostvars`` templates. Raises what their templates
        raise."""
        own, given = Own(self._defaults, self._templates), self._call.arguments
        scope = Scope(self._templates, (OMITTING, Plain(values), own, Plain(self._templates.globals)))
        found: Json = self._templates.require({name: given[name] for name in given if name != "known"}, scope)
        return found


# Before the workers are forked.
_ASKING: t.Final = Asking(Path(__file__).resolve().parent.parent.parent / "roles" / "iam_web_identity")


class ActionModule(WorkerAction):
    """Reads in check mode as well."""

    def run(self, tmp: str | None = None, task_vars: Json | None = None) -> Json:
        variables = task_vars or {}
        result: Json = super().run(tmp, variables)
        _unused, given = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        hosts = variables["ansible_play_hosts"] if given["hosts"] is None else given["hosts"]
        unknown = [host for host in hosts if host not in variables["hostvars"]]
        if unknown:
            return {**result, "failed": True, "msg": f"The inventory has no hosts {', '.join(unknown)}."}
        alike = _alike(_asked(hosts, variables["hostvars"]))
        found = [self._found(arguments, variables) for arguments in alike]
        return {**result, "changed": False, "known": [one for one in found if one is not None]}

    def _found(self, arguments: Json, variables: Json) -> Json | None:
        if self._needs_process(variables):
            told: Json = self._execute_module(module_name=_MODULE, module_args=arguments, task_vars=variables)
        else:
            told = self._in_the_worker(_MODULE, amp_workspace.DEFINITION, arguments)
        return None if told.get("failed") else {name: told[name] for name in ("settings", "workspace")}


def _asked(hosts: t.Sequence[str], hostvars: Mapping[str, Mapping[str, t.Any]]) -> Iterator[Json]:
    """What each host would ask."""
    for host in hosts:
        try:
            arguments = _ASKING.arguments(hostvars[host])
        except Exception:  # noqa: S112  # a host's template may raise anything; its own task says what is wrong
            continue
        if not is_template(arguments):  # before ansible-core 2.19 what is undefined stays as it stands
            yield arguments


def _alike(asked: t.Iterable[Json]) -> list[Json]:
    """What several hosts ask, each once."""
    texts = collections.Counter(json.dumps(arguments, sort_keys=True, default=str) for arguments in asked)
    return [json.loads(text) for text, hosts in texts.items() if hosts >= _SEVERAL]
