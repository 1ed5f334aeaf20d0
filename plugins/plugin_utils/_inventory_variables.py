# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's variables, as ansible-core hands them to an action: not templated yet."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._templates import OMIT, is_template

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._templates import Scope, Templates

#: Facts of the run that ansible-core makes itself. They are no templates, and of a large fleet they are long.
_OF_THE_RUN: t.Final = frozenset(
    {
        "ansible_play_batch",
        "ansible_play_hosts",
        "ansible_play_hosts_all",
        "ansible_run_tags",
        "ansible_skip_tags",
        "group_names",
        "groups",
        "inventory_hostname",
    }
)


@dataclasses.dataclass(frozen=True)
class Given:
    """The variables of a host. Those that are as this collection's ``wiring`` has them are evaluated as its own; the
    others, where they may be templates, by ``template``, which is ansible-core's. ``omitted`` is the text that stands
    for what is omitted before ansible-core 2.19."""

    values: Mapping[str, t.Any]
    wiring: Mapping[str, t.Any]
    templates: Templates
    template: Callable[[t.Any], t.Any]
    omitted: str | None = None

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def value(self, name: str, scope: Scope) -> t.Any:
        value = self.values[name]
        if name in _OF_THE_RUN:
            return value
        if name in self.wiring and value == self.wiring[name]:
            return self.templates.render(self.wiring[name], scope)
        if _is_data(value) and not is_template(value):
            return value
        rendered = self.template(value)
        return OMIT if self.omitted is not None and rendered == self.omitted else rendered


def _is_data(value: object) -> bool:
    """Whether a value is no type of ansible-core's own, such as encrypted text. Its tagged texts are texts."""
    if isinstance(value, dict):
        return all(map(_is_data, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(_is_data, value))
    return value is None or isinstance(value, (str, bool, int, float))
