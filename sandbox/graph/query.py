# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OData query options as Graph takes them for directory objects
(https://learn.microsoft.com/graph/aad-advanced-queries, https://learn.microsoft.com/graph/query-parameters).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
import urllib.parse

from sandbox.graph import errors, schema

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.graph.schema import EntityType
    from sandbox.world import Json

_LARGEST_PAGE = 999
_TEXT = r"'(?P<value>(?:[^']|'')*)'"  # a quote inside is doubled
_CLAUSES = {
    "eq": re.compile(rf"(?P<property>\w+)\s+eq\s+{_TEXT}"),
    "startswith": re.compile(rf"(?i:startswith)\(\s*(?P<property>\w+)\s*,\s*{_TEXT}\s*\)"),
    "any": re.compile(rf"(?P<property>\w+)/any\(\s*(?P<it>\w+)\s*:\s*(?P=it)\s+eq\s+{_TEXT}\s*\)"),
}
_AND = re.compile(r"\s+and\s+")


@dataclasses.dataclass(frozen=True)
class Clause:
    """One condition of a ``$filter``."""

    operator: str  # eq, startswith or any
    property: str
    value: str

    def holds(self, entity: Json) -> bool:
        """The directory compares text without regard to case; credentials it compares exactly."""
        actual = entity.get(self.property)
        match self.operator:
            case "any":
                return self.value.casefold() in (str(member).casefold() for member in actual or [])
            case "startswith":
                return isinstance(actual, str) and actual.casefold().startswith(self.value.casefold())
            case _:
                return isinstance(actual, str) and self._equals(actual)

    def _equals(self, actual: str) -> bool:
        exact = self.property in ("name", "subject")
        return actual == self.value if exact else actual.casefold() == self.value.casefold()


@dataclasses.dataclass(frozen=True)
class Query:
    """The query of one request."""

    filter: tuple[Clause, ...]
    select: tuple[str, ...]  # empty: all
    expand: bool  # the federated identity credentials of an application
    count: bool
    top: int
    skip: int

    def matching(self, entities: list[Json]) -> list[Json]:
        return [entity for entity in entities if all(clause.holds(entity) for clause in self.filter)]

    def selected(self, entity: Json) -> Json:
        """The entity with the selected properties, annotations aside."""
        if not self.select:
            return entity
        kept = {name: entity.get(name) for name in self.select}
        return {**kept, **{name: value for name, value in entity.items() if name.startswith("federatedIdentity")}}

    @property
    def context(self) -> str:
        """What ``@odata.context`` says of the selection."""
        return f"({','.join(self.select)})" if self.select else ""


def parse(
    entity_type: EntityType, options: Mapping[str, str], *, eventual: bool, page_size: int, single: bool = False
) -> Query:
    """The options of a request. ``eventual``: it has ``ConsistencyLevel: eventual``. ``single``: it reads one object.

    Raises GraphError 400 for an option that Graph, or for such a request Graph, does not take.
    """
    known = {"$select", "$expand"} if single else {"$select", "$expand", "$filter", "$top", "$count", "$skiptoken"}
    for name in options:
        if name.startswith("$") and name not in known:
            raise _refused_option(name)
    count = options.get("$count", "false").lower() == "true"
    if count and not eventual:
        raise errors.bad_request("$count is not currently supported.")
    return Query(
        filter=parse_filter(entity_type, options["$filter"]) if "$filter" in options else (),
        select=_select(entity_type, options.get("$select", "")),
        expand=_expand(entity_type, options.get("$expand", "")),
        count=count,
        top=_top(options.get("$top"), page_size),
        skip=_skip(options.get("$skiptoken")),
    )


def parse_filter(entity_type: EntityType, text: str) -> tuple[Clause, ...]:
    """The clauses of a ``$filter``, joined by ``and``. Raises GraphError 400 for anything else."""
    clauses = []
    position = 0
    text = text.strip()
    while True:
        clause, position = _clause(entity_type, text, position)
        clauses.append(clause)
        if position == len(text):
            break
        joint = _AND.match(text, position)
        if joint is None:
            raise _syntax_error(text, position)
        position = joint.end()
    if entity_type is schema.CREDENTIAL and len(clauses) > 1:
        raise errors.unsupported_query("The specified filter to the reference property query is currently unsupported.")
    return tuple(clauses)


def next_link(url: str, options: Mapping[str, str], skip: int) -> str:
    """The address of the next page."""
    query = urllib.parse.urlencode({**options, "$skiptoken": str(skip)}, safe="$", quote_via=urllib.parse.quote)
    return f"{url}?{query}"


def _clause(entity_type: EntityType, text: str, position: int) -> tuple[Clause, int]:
    for operator, pattern in _CLAUSES.items():
        match = pattern.match(text, position)
        if match is not None:
            _require_filterable(entity_type, match["property"], operator)
            return Clause(operator, match["property"], match["value"].replace("''", "'")), match.end()
    raise _syntax_error(text, position)


def _require_filterable(entity_type: EntityType, name: str, operator: str) -> None:
    if name not in entity_type.properties:
        raise errors.GraphError(400, "BadRequest", f"Invalid filter clause: {_no_such_property(entity_type, name)}")
    if operator not in entity_type.filters.get(name, ()):
        raise errors.unsupported_query(
            f"Unsupported or invalid query filter clause specified for property '{name}' of resource "
            f"'{entity_type.resource}'."
        )


def _syntax_error(text: str, position: int) -> errors.GraphError:
    message = f"Invalid filter clause: Syntax error at position {position} in '{text}'."
    return errors.GraphError(400, "BadRequest", message)


def _no_such_property(entity_type: EntityType, name: str) -> str:
    return f"Could not find a property named '{name}' on type 'microsoft.graph.{entity_type.name}'."


def _refused_option(name: str) -> errors.GraphError:
    match name:
        case "$orderby":
            return errors.unsupported_query("Sorting not supported for current query.")
        case "$skip":
            return errors.bad_request("'$skip' is not supported by the service.")
        case _:
            return errors.unsupported_query(f"The query option '{name}' is not supported for this request.")


def _select(entity_type: EntityType, text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        if name not in entity_type.properties:
            message = f"Parsing OData Select and Expand failed: {_no_such_property(entity_type, name)}"
            raise errors.GraphError(400, "BadRequest", message)
    return names


def _expand(entity_type: EntityType, text: str) -> bool:
    if not text:
        return False
    if entity_type is schema.APPLICATION and text == schema.CREDENTIAL.collection:
        return True
    message = f"Parsing OData Select and Expand failed: {_no_such_property(entity_type, text)}"
    raise errors.GraphError(400, "BadRequest", message)


def _top(text: str | None, page_size: int) -> int:
    if text is None:
        return page_size
    if not text.isdecimal() or not 1 <= int(text) <= _LARGEST_PAGE:
        raise errors.unsupported_query(
            f"Invalid page size specified: '{text}'. Must be between 1 and {_LARGEST_PAGE} inclusive."
        )
    return int(text)


def _skip(text: str | None) -> int:
    if text is None:
        return 0
    if not text.isdecimal():
        raise errors.GraphError(400, "Directory_ExpiredPageToken", "The specified page token value has expired.")
    return int(text)
