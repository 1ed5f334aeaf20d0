# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether identity policies allow one action on one resource, as far as documents alone tell. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import dataclasses
import enum
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import policy


class Answer(enum.Enum):
    """What the documents say. ``CONDITIONAL`` is what only a real request decides."""

    ALLOWED = "allowed"
    DENIED = "explicitly denied"
    CONDITIONAL = "allowed under conditions"
    NOT_ALLOWED = "not allowed"


@dataclasses.dataclass(frozen=True)
class NamedDocument:
    """A policy and what people call it: "inline policy X", "managed policy <ARN>"."""

    name: str
    document: policy.Document


@dataclasses.dataclass(frozen=True)
class Decision:
    """The answer, the document that gives it if one does, and the resources on which the action is allowed instead."""

    answer: Answer
    by: str = ""
    elsewhere: tuple[str, ...] = ()


def decide(documents: t.Sequence[NamedDocument], action: str, resource: str) -> Decision:
    """Ask all documents together: an unconditional Deny wins, then an Allow."""
    covering = [
        (document.name, statement)
        for document in documents
        for statement in policy.statements(document.document)
        if _names_action(statement, action) and _names_resource(statement, resource)
    ]
    denied = [item for item in covering if _effect(item[1]) == "deny"]
    for name, statement in denied:
        if not statement.get("Condition"):
            return Decision(Answer.DENIED, name)
    allowed = [item for item in covering if _effect(item[1]) == "allow"]
    for name, statement in allowed:
        if not statement.get("Condition"):
            return Decision(Answer.CONDITIONAL, denied[0][0]) if denied else Decision(Answer.ALLOWED, name)
    if allowed:
        return Decision(Answer.CONDITIONAL, allowed[0][0])
    elsewhere = dict.fromkeys(
        text
        for document in documents
        for statement in policy.statements(document.document)
        if _effect(statement) == "allow" and _names_action(statement, action)
        for text in policy.values(statement.get("Resource", ()))
    )
    return Decision(Answer.NOT_ALLOWED, elsewhere=tuple(elsewhere))


def _effect(statement: policy.Statement) -> str:
    return str(statement.get("Effect", "")).lower()


def _names_action(statement: policy.Statement, action: str) -> bool:
    """Names of actions are compared without case."""
    if "NotAction" in statement:
        return not any(fits(pattern.lower(), action.lower()) for pattern in policy.values(statement["NotAction"]))
    return any(fits(pattern.lower(), action.lower()) for pattern in policy.values(statement.get("Action", ())))


def _names_resource(statement: policy.Statement, resource: str) -> bool:
    if "NotResource" in statement:
        return not any(fits(pattern, resource) for pattern in policy.values(statement["NotResource"]))
    return any(fits(pattern, resource) for pattern in policy.values(statement.get("Resource", ())))


def fits(pattern: str, text: str) -> bool:
    """IAM's wildcards: ``*`` for any characters, ``?`` for one."""
    expression = "".join({"*": ".*", "?": "."}.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None
