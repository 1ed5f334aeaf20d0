# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each part of access/ is for: the documents of a login, and the runs of modules that it is to be enough for.

The runs are those that a playbook makes, brought to where they use what the documents give.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import (
    EXPECTED,
    failure_values,
    result_values,
)
from tests.access.documents import VALUES, Document, given, load
from tests.faults.modules import Case, Estate

if t.TYPE_CHECKING:
    from collections.abc import Mapping


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
    """One run. ``then`` is what happens between its preparations and the run; ``fails`` says that it is to fail for
    another reason than a right, which it tells by what the rights allow."""

    case: Case
    check_mode: bool = False
    fails: bool = False
    then: t.Callable[[Estate], None] = lambda _estate: None

    @property
    def name(self) -> str:
        return f"{self.case.name}{' in check mode' if self.check_mode else ''}"


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
    """``values`` replace further words of the documents; ``everywhere`` binds Roles by ClusterRoles."""

    name: str
    paths: tuple[str, ...]
    trials: tuple[Trial, ...]
    values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    everywhere: bool = False
    #: Of which documents each right is taken away; the others only belong to the login.
    judged: tuple[str, ...] = ()

    def documents(self, estate: Estate) -> tuple[Document, ...]:
        values = {**VALUES, "WORKSPACE_ID": estate.workspace_id, **self.values}
        return tuple(load(path, values, everywhere=self.everywhere) for path in self.paths)

    def unfilled(self) -> tuple[Document, ...]:
        """The documents with their placeholders, which have the same rights."""
        return tuple(load(path, {}, everywhere=self.everywhere) for path in self.paths)

    def is_judged(self, document: Document) -> bool:
        return document.path in (self.judged or self.paths)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """``text`` is all that the run says, ``granted`` the rights that it has used, as the sandbox names them."""

    failed: bool
    text: str
    granted: frozenset[str]


def run(estate: Estate, trial: Trial, documents: t.Callable[[Estate], t.Iterable[Document]]) -> Outcome:
    """The trial with exactly these documents. Everything before it is done by somebody who may do all."""
    trial.case.start(estate)
    estate.sandbox.directory.add_owner()
    trial.then(estate)
    estate.sandbox.set_rights(given(documents(estate)))
    granted = estate.sandbox.world.granted
    granted.clear()
    failed = False
    try:
        result = trial.case.run(estate, check_mode=trial.check_mode)
        values = {**result_values(result), "warnings": result.warnings}
    except EXPECTED as error:
        failed, values = True, failure_values(error)
    return Outcome(failed, json.dumps(values, default=str, ensure_ascii=False), frozenset(granted))
