# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents of access/ are enough for the runs that they are for, and each right in them is needed.

What a run without a right says is all that somebody has who gave too little, so it names the right: as a failure, or as
a warning or finding where the run can go on without.
"""

from __future__ import annotations

import functools
import typing as t

import pytest

from tests.access.documents import FOLDER, Document, Right, rights_of, without
from tests.access.parts import PARTS
from tests.access.trials import Outcome, Part, Trial, run

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.modules import Estate

_PARTS = {"ids": lambda part: part.name}


@functools.cache
def exactly(estate: Estate, part: Part, trial: Trial) -> Outcome:
    return run(estate, trial, part.documents)


def _lacking(part: Part, right: Right) -> t.Callable[[Estate], Iterator[Document]]:
    def documents(estate: Estate) -> Iterator[Document]:
        for document in part.documents(estate):
            yield without(document, right) if document.path == right.path else document

    return documents


def _cases() -> Iterator[t.Any]:
    """Each right with the part in which its document is judged."""
    for part in PARTS:
        for document in part.unfilled():
            if part.is_judged(document):
                for right in rights_of(document):
                    yield pytest.param(part, right, id=f"{part.name}-{right}")


@pytest.mark.parametrize("part", PARTS, **_PARTS)
def test_these_rights_are_enough(estate: Estate, part: Part) -> None:
    for trial in part.trials:
        outcome = exactly(estate, part, trial)
        assert outcome.failed is trial.fails, (trial.name, outcome.text)
        missing = [str(right) for right in _all_rights(part, estate) if right.words in outcome.text]
        assert not missing, (trial.name, outcome.text)


def _all_rights(part: Part, estate: Estate) -> Iterator[Right]:
    """The rights of a cluster's API server are named by sentences that nothing else uses."""
    for document in part.documents(estate):
        if document.cloud == "kubernetes":
            yield from rights_of(document)


@pytest.mark.parametrize(("part", "right"), tuple(_cases()))
def test_without_one_right_the_refusal_names_it(estate: Estate, part: Part, right: Right) -> None:
    said = []
    for trial in part.trials:
        full = exactly(estate, part, trial)
        if right.granted not in full.granted:
            continue
        outcome = run(estate, trial, _lacking(part, right))
        if right.words in outcome.text and right.words not in full.text:
            return
        said.append((trial.name, outcome.text[:800]))
    pytest.fail(f"no run needs {right}: {said}")


def test_every_document_is_judged() -> None:
    judged = {document.path for part in PARTS for document in part.unfilled() if part.is_judged(document)}
    there = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.suffix in (".json", ".yml")}
    assert judged == there
