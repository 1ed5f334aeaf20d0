# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM policy documents compared by meaning, and their size. Pure.

IAM stores documents as they were written, and people write the same grant in many ways
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html). Equal in meaning are: one value and
a list of it; lists in another order or with repetitions; one statement and a list of it; repeated statements; a
statement and its split by principals, actions, resources or values of a condition; a statement beside one that says
the same with fewer conditions; action names, condition operators and condition keys in another case; booleans, numbers
and addresses in another spelling where their operators read them as such; an account ID and its root ARN; the
principal ``*`` and ``AWS: *``; a missing version and 2008-10-17. ``Sid`` and ``Id`` are labels. Everything else, the
values of text conditions above all, is compared exactly: documents that are called equal decide every request alike,
while two that do so in a way that is not listed here are called different.
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import math
import re
import typing as t

Document = t.Mapping[str, t.Any]
Statement = t.Mapping[str, t.Any]

#: IAM's reading of a document without a version.
DEFAULT_VERSION: t.Final = "2008-10-17"

#: Beyond this many alternatives the values of conditions are compared list by list.
_MAX_CONJUNCTIONS: t.Final = 256

_NUMBER = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]+)(\.(?P<fraction>[0-9]+))?")
_ROOT_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):root")
_LABELS = frozenset({"Sid", "Id"})
_PRINCIPALS = ("Principal", "NotPrincipal")
_ACTIONS = ("Action", "NotAction")
_RESOURCES = ("Resource", "NotResource")
_COMPARED = frozenset({*_PRINCIPALS, *_ACTIONS, *_RESOURCES, "Effect", "Condition"}) | _LABELS


def is_document(value: object) -> bool:
    """Whether a value has the form of a policy document, so that it may be handed to the functions below."""
    if not isinstance(value, dict):
        return False
    found = value.get("Statement", [])
    listed = [found] if isinstance(found, dict) else found
    return isinstance(listed, list) and all(map(_is_statement, listed))


def _is_statement(value: object) -> bool:
    if not isinstance(value, dict) or not all(isinstance(value.get(name, ""), str) for name in ("Effect", "Sid")):
        return False
    blocks = value.get("Condition") or {}
    listed = [value[name] for name in (*_ACTIONS, *_RESOURCES) if name in value]
    for name in _PRINCIPALS:
        principal = value.get(name, "*")
        listed += principal.values() if isinstance(principal, dict) else [principal]
    if not isinstance(blocks, dict) or not all(isinstance(block, dict) for block in blocks.values()):
        return False
    return all(map(_is_values, [*listed, *(item for block in blocks.values() for item in block.values())]))


def _is_values(value: object) -> bool:
    items = value if isinstance(value, list) else [value]
    return all(isinstance(item, (str, int, float)) for item in items)


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


def conditions(statement: Statement) -> t.Iterator[tuple[str, str, tuple[str, ...]]]:
    """A statement's conditions one by one: operator and key as written, and the values as text."""
    for operator, block in (statement.get("Condition") or {}).items():
        for key, listed in block.items():
            yield str(operator), str(key), values(listed)


def base_operator(operator: str) -> str:
    """An operator in lower case, without its qualifiers (``ForAnyValue:``, ``IfExists``)."""
    return operator.lower().removeprefix("forallvalues:").removeprefix("foranyvalue:").removesuffix("ifexists")


def equivalent(first: Document, second: Document) -> bool:
    """Whether two documents mean the same."""
    return normal_form(first) == normal_form(second)


def normal_form(document: Document) -> dict[str, t.Any]:
    """The document in the one form that all its equivalents share: a statement for each single grant, without labels,
    in a fixed order."""
    grants = [_statement(grant) for grant in _meaning(statements(document))]
    return {
        **{name: value for name, value in document.items() if name not in _LABELS},
        "Version": document.get("Version", DEFAULT_VERSION),
        "Statement": sorted(grants, key=lambda statement: json.dumps(statement, sort_keys=True)),
    }


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


_Condition: t.TypeAlias = "tuple[str, str, frozenset[str]]"  # operator, key, values
#: Effect, unknown elements, then principal, action and resource as (value, refused values); and the conditions.
_Grant: t.TypeAlias = "tuple[tuple[t.Any, ...], frozenset[_Condition]]"


def _meaning(group: t.Iterable[Statement]) -> frozenset[_Grant]:
    """The group's grants without those that another one contains: the same with fewer conditions."""
    by_subject: dict[tuple[t.Any, ...], set[frozenset[_Condition]]] = {}
    for statement in group:
        for subject, needed in _grants(statement):
            by_subject.setdefault(subject, set()).add(needed)
    return frozenset(
        (subject, needed)
        for subject, alternatives in by_subject.items()
        for needed in alternatives
        if not any(fewer < needed for fewer in alternatives)
    )


def _statement(grant: _Grant) -> dict[str, t.Any]:
    """A grant as a statement."""
    subject, needed = grant
    (effect, rest), (principal, action, resource) = subject
    condition: dict[str, dict[str, list[str]]] = {}
    for operator, key, listed in sorted((operator, key, sorted(listed)) for operator, key, listed in needed):
        # Two conditions on one key need two spellings of their operator, which IAM takes for two operators as well.
        spellings = (operator[:number].upper() + operator[number:] for number in itertools.count())
        spelling = next(name for name in spellings if key not in condition.get(name, {}))
        condition.setdefault(spelling, {})[key] = listed
    elements = {
        "Effect": effect,
        **_principal_elements(*principal),
        **_elements(_ACTIONS, *action),
        **_elements(_RESOURCES, *resource),
        **json.loads(rest),
    }
    return {**elements, "Condition": condition} if condition else elements


def _elements(names: tuple[str, str], value: str | None, refused: frozenset[str] | None) -> dict[str, t.Any]:
    positive, negated = names
    return {
        **({} if value is None else {positive: [value]}),
        **({} if refused is None else {negated: sorted(refused)}),
    }


def _principal_elements(
    value: tuple[str, str] | None, refused: frozenset[tuple[str, str]] | None
) -> dict[str, dict[str, list[str]]]:
    listed: dict[str, dict[str, list[str]]] = {} if value is None else {"Principal": {value[0]: [value[1]]}}
    if refused is not None:
        listed["NotPrincipal"] = {}
        for kind, name in sorted(refused):
            listed["NotPrincipal"].setdefault(kind, []).append(name)
    return listed


def _grants(statement: Statement) -> t.Iterator[_Grant]:
    """A statement as single grants: it applies when any principal, any action and any resource of it matches, so it
    means the same as one statement for each combination. Negated elements don't split."""
    common = (statement.get("Effect"), _rest(statement, _COMPARED))
    axes = (
        _alternatives(statement, _PRINCIPALS, principals),
        _alternatives(statement, _ACTIONS, lambda element: frozenset(value.lower() for value in values(element))),
        _alternatives(statement, _RESOURCES, lambda element: frozenset(values(element))),
    )
    for needed in _conjunctions(statement):
        for combination in itertools.product(*axes):
            yield ((common, combination), needed)


def _alternatives(
    statement: Statement, names: tuple[str, str], normal: t.Callable[[object], frozenset[t.Hashable]]
) -> list[t.Hashable]:
    positive, negated = names
    refused = normal(statement[negated]) if negated in statement else None
    if positive not in statement:
        return [(None, refused)]
    return [(value, refused) for value in normal(statement[positive])]


def _conjunctions(statement: Statement) -> t.Iterator[frozenset[_Condition]]:
    """The conditions as alternatives of which one must hold: where any value of a condition may fit, it means the same
    as one condition for each value."""
    found = frozenset(
        (_operator(operator), key.lower(), _condition_values(operator, listed))
        for operator, key, listed in conditions(statement)
    )
    axes = [
        [(operator, key, frozenset({value})) for value in listed]
        if listed and _fits_any_value(operator)
        else [(operator, key, listed)]
        for operator, key, listed in found
    ]
    if math.prod(map(len, axes)) > _MAX_CONJUNCTIONS:
        axes = [[condition] for condition in found]
    return (frozenset(combination) for combination in itertools.product(*axes))


def _operator(name: str) -> str:
    """An operator's name; the two for ARNs are one (reference_policies_elements_condition_operators.html)."""
    name = name.lower()
    return name.replace("arnequals", "arnlike").replace("arnnotequals", "arnnotlike")


def _fits_any_value(operator: str) -> bool:
    """Whether an operator holds as soon as one of its values fits."""
    return not operator.startswith("forallvalues:") and "not" not in base_operator(operator)


def _condition_values(operator: str, found: t.Iterable[str]) -> frozenset[str]:
    """The values as their operator reads them: not all of it is text."""
    base = base_operator(operator)
    if base in ("bool", "null") or base.endswith("ignorecase"):
        return frozenset(value.lower() for value in found)
    if base.startswith("numeric"):
        return frozenset(map(_number, found))
    if base in ("ipaddress", "notipaddress"):
        return frozenset(map(_network, found))
    return frozenset(found)


def _number(value: str) -> str:
    """A number without needless zeros and signs."""
    match = _NUMBER.fullmatch(value)
    if not match:
        return value
    whole, fraction = match["whole"].lstrip("0") or "0", (match["fraction"] or "").rstrip("0")
    text = f"{whole}.{fraction}" if fraction else whole
    return f"-{text}" if match["sign"] == "-" and text != "0" else text


def _network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        return value


def _rest(element: t.Mapping[str, t.Any], without: frozenset[str]) -> t.Hashable:
    """Elements that this module knows nothing of: any difference in them counts."""
    return json.dumps({name: value for name, value in element.items() if name not in without}, sort_keys=True)


def _account(principal: str) -> str:
    match = _ROOT_ARN.fullmatch(principal)
    return match[1] if match else principal


def _text(value: object) -> str:
    return json.dumps(value) if isinstance(value, (bool, int, float)) else str(value)
