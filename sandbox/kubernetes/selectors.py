# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label and field selectors: those of list requests and those of workloads.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors and
https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/
"""

from __future__ import annotations

import re
import typing as t

from sandbox.kubernetes import errors, kinds
from sandbox.kubernetes.kinds import Resource
from sandbox.kubernetes.metadata_rules import label_value_problems, qualified_name_problems
from sandbox.world import Json

Labels = t.Mapping[str, str]
Predicate = t.Callable[[Labels], bool]

_SET = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)")
_EQUAL = re.compile(r"(?P<key>[^\s=!<>]+)\s*(?P<operator>==|=|!=|>|<)\s*(?P<values>[^\s=!<>]*)")
_COMMA_OUTSIDE = re.compile(r",(?![^(]*\))")

# Which fields can be selected by, beside metadata.name and metadata.namespace, and their paths.
_FIELDS: dict[Resource, dict[str, tuple[str, ...]]] = {
    kinds.PODS: {
        "status.phase": ("status", "phase"),
        "status.podIP": ("status", "podIP"),
        "spec.nodeName": ("spec", "nodeName"),
        "spec.serviceAccountName": ("spec", "serviceAccountName"),
        "spec.restartPolicy": ("spec", "restartPolicy"),
        "spec.schedulerName": ("spec", "schedulerName"),
    },
    kinds.NAMESPACES: {"status.phase": ("status", "phase")},
    kinds.SECRETS: {"type": ("type",)},
    kinds.EVENTS: {
        "involvedObject.kind": ("involvedObject", "kind"),
        "involvedObject.namespace": ("involvedObject", "namespace"),
        "involvedObject.name": ("involvedObject", "name"),
        "involvedObject.uid": ("involvedObject", "uid"),
        "reason": ("reason",),
        "type": ("type",),
    },
}
_COMMON = {"metadata.name": ("metadata", "name"), "metadata.namespace": ("metadata", "namespace")}


def matches_selector(selector: Json, labels: Labels) -> bool:
    """Whether all that a workload's ``selector`` asks for (matchLabels, matchExpressions) holds for these labels."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    return all(_holds(expression, labels) for expression in selector.get("matchExpressions", []))


def _holds(expression: Json, labels: Labels) -> bool:
    key, values = expression.get("key", ""), expression.get("values", [])
    match expression.get("operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def label_predicate(text: str) -> Predicate:
    """The meaning of a request's ``labelSelector``.

    :raises ApiError: 400, it cannot be parsed.
    """
    requirements = [_requirement(part.strip(), text) for part in _COMMA_OUTSIDE.split(text)] if text.strip() else []
    return lambda labels: all(requirement(labels) for requirement in requirements)


def _requirement(part: str, whole: str) -> Predicate:
    match = _SET.fullmatch(part) or _EQUAL.fullmatch(part)
    if match is None:
        key, negated = part.removeprefix("!").strip(), part.startswith("!")
        _check_key(key, whole)
        return lambda labels: (key in labels) is not negated
    key, operator = match["key"], match["operator"]
    values = [value.strip() for value in match["values"].split(",")]
    _check_key(key, whole)
    for value in values:
        problems = label_value_problems(value)
        if problems:
            raise errors.bad_request(
                f'unable to parse requirement: values[0][{key}]: Invalid value: "{value}": {problems[0]}'
            )
    return _comparison(key, operator, values)


def _comparison(key: str, operator: str, values: list[str]) -> Predicate:
    if operator in ("in", "=", "=="):
        return lambda labels: labels.get(key) in values
    if operator in ("notin", "!="):
        return lambda labels: labels.get(key) not in values
    try:
        limit = int(values[0])
    except ValueError as error:
        raise errors.bad_request(
            "unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer"
        ) from error
    return lambda labels: _number_holds(labels.get(key, ""), operator, limit)


def _number_holds(text: str, operator: str, limit: int) -> bool:
    if not re.fullmatch(r"-?[0-9]+", text):
        return False
    return int(text) > limit if operator == ">" else int(text) < limit


def _check_key(key: str, whole: str) -> None:
    problems = qualified_name_problems(key)
    if problems:
        raise errors.bad_request(f'unable to parse requirement: <nil>: Invalid value: "{key or whole}": {problems[0]}')


def field_predicate(resource: Resource, text: str) -> t.Callable[[Json], bool]:
    """The meaning of a request's ``fieldSelector``.

    :raises ApiError: 400, it cannot be parsed or names a field that cannot be selected by.
    """
    terms = [_term(resource, part, text) for part in text.split(",")] if text else []
    return lambda obj: all(term(obj) for term in terms)


def _term(resource: Resource, part: str, whole: str) -> t.Callable[[Json], bool]:
    match = re.fullmatch(r"([^=!]+)(!=|==|=)(.*)", part)
    if match is None:
        raise errors.bad_request(f'invalid selector: {part!r}; can\'t understand "{part}"')
    name, operator, wanted = match.groups()
    path = (_COMMON | _FIELDS.get(resource, {})).get(name)
    if path is None:
        found = f'"{resource.api_version}, Resource={resource.plural}"'
        raise errors.bad_request(
            f'Unable to find {found} that match label selector "", field selector "{whole}": '
            f"field label not supported: {name}"
        )
    return lambda obj: (_at(obj, path) == wanted) is (operator != "!=")


def _at(obj: Json, path: tuple[str, ...]) -> str:
    value: t.Any = obj
    for name in path:
        value = value.get(name, {}) if isinstance(value, dict) else {}
    return value if isinstance(value, str) else ""
