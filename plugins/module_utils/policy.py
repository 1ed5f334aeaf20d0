# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM policy documents compared by meaning, and their size. Pure.

IAM stores documents as they were written, and people write the same grant in many ways
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html). Equal in meaning are: one value and
a list of it; lists in another order or with repetitions; one statement and a list of it; repeated statements; a
statement and its split by principals, actions or resources; action names, condition operators and condition keys in
another case; booleans, numbers and their text; an account ID and its root ARN; the principal ``*`` and ``AWS: *``; a
missing version and 2008-10-17. ``Sid`` and ``Id`` are labels. Everything else, condition values above all, is compared
exactly.
"""

from __future__ import annotations

import itertools
import json
import re
import typing as t

Document = t.Mapping[str, t.Any]
Statement = t.Mapping[str, t.Any]

#: IAM's reading of a document without a version.
DEFAULT_VERSION: t.Final = "2008-10-17"

_ROOT_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):root")
_LABELS = frozenset({"Sid", "Id"})
_PRINCIPALS = ("Principal", "NotPrincipal")
_ACTIONS = ("Action", "NotAction")
_RESOURCES = ("Resource", "NotResource")
_COMPARED = frozenset({*_PRINCIPALS, *_ACTIONS, *_RESOURCES, "Effect", "Condition"}) | _LABELS


def statements(document: Document) -> tuple[Statement, ...]:
    """A document's statements; a single one may stand there without a list."""
    found = document.get("Statement", ())
    return (found,) if isinstance(found, t.Mapping) else tuple(found)


def values(element: object) -> tuple[str, ...]:
    """An element's values as text; a single one may stand there without a list."""
    found = element if isinstance(element, (list, tuple)) else (element,)
    return tuple(_text(value) for value in found)


def principals(element: object) -> frozenset[tuple[str, str]]:
    """A principal element as (type, value) pairs, for example ``("Federated", <ARN>)``."""
    if not isinstance(element, t.Mapping):
        return frozenset(("AWS", _account(value)) for value in values(element))
    return frozenset((str(kind), _account(value)) for kind, listed in element.items() for value in values(listed))


def equivalent(first: Document, second: Document) -> bool:
    """Whether two documents mean the same."""
    return (
        first.get("Version", DEFAULT_VERSION) == second.get("Version", DEFAULT_VERSION)
        and _rest(first, _LABELS | {"Version", "Statement"}) == _rest(second, _LABELS | {"Version", "Statement"})
        and equivalent_statements(statements(first), statements(second))
    )


def equivalent_statements(first: t.Iterable[Statement], second: t.Iterable[Statement]) -> bool:
    """Whether two groups of statements, each taken as a whole, mean the same."""
    return _meaning(first) == _meaning(second)


def compact(document: Document) -> str:
    """The document as short JSON, the form in which it is sent."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def size(document: Document) -> int:
    """The document's size as IAM counts it against its quotas: characters without white space
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""
    return sum(not character.isspace() for character in compact(document))


def _meaning(group: t.Iterable[Statement]) -> frozenset[t.Hashable]:
    return frozenset(grant for statement in group for grant in _grants(statement))


def _grants(statement: Statement) -> t.Iterator[t.Hashable]:
    """A statement as single grants: it applies when any principal, any action and any resource of it matches, so it
    means the same as one statement for each combination. Negated elements don't split, nor do conditions."""
    common = (statement.get("Effect"), _conditions(statement), _rest(statement, _COMPARED))
    axes = (
        _alternatives(statement, _PRINCIPALS, principals),
        _alternatives(statement, _ACTIONS, lambda element: frozenset(value.lower() for value in values(element))),
        _alternatives(statement, _RESOURCES, lambda element: frozenset(values(element))),
    )
    for combination in itertools.product(*axes):
        yield (common, combination)


def _alternatives(
    statement: Statement, names: tuple[str, str], normal: t.Callable[[object], frozenset[t.Hashable]]
) -> list[t.Hashable]:
    positive, negated = names
    refused = normal(statement[negated]) if negated in statement else None
    if positive not in statement:
        return [(None, refused)]
    return [(value, refused) for value in normal(statement[positive])]


def _conditions(statement: Statement) -> t.Hashable:
    return frozenset(
        (str(operator).lower(), str(key).lower(), frozenset(values(listed)))
        for operator, block in (statement.get("Condition") or {}).items()
        for key, listed in block.items()
    )


def _rest(element: t.Mapping[str, t.Any], without: frozenset[str]) -> t.Hashable:
    """Elements that this module knows nothing of: any difference in them counts."""
    return json.dumps({name: value for name, value in element.items() if name not in without}, sort_keys=True)


def _account(principal: str) -> str:
    match = _ROOT_ARN.fullmatch(principal)
    return match[1] if match else principal


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, (bool, int, float)) else str(value)
