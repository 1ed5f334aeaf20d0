# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates of this collection's own YAML, compiled once for all hosts.

ansible-core compiles a template each time that it is used, in each worker anew. What stands in this collection's roles
and playbooks is known before any worker is forked, so it is compiled then. Only that is: a value that comes from a user
goes through ansible-core's own templating, and what a cloud returned through none.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t
from collections.abc import Iterator, Mapping

import jinja2
import jinja2.nativetypes
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.filter import core as core_filters
from ansible.plugins.filter import mathstuff as set_filters
from ansible.plugins.lookup import inventory_hostnames
from ansible.plugins.test import core as core_tests

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Json = dict[str, t.Any]


class _Undefined(jinja2.ChainableUndefined, jinja2.StrictUndefined):
    """As in ansible-core: a part of what is not there is not there either, and any other use of it is an error."""


class _CodeGenerator(jinja2.nativetypes.NativeCodeGenerator):
    def _output_const_repr(self, group: Iterable[t.Any]) -> str:
        """A constant alone keeps its type, as other expressions do."""
        values = list(group)
        return repr(values[0] if len(values) == 1 else "".join(map(str, values)))


class _Environment(jinja2.Environment):
    """An expression alone keeps its type; whatever else is text. Nothing is guessed from how a text looks."""

    code_generator_class = _CodeGenerator


class _Omit:
    """The value of ``omit``: an option, or an entry of a container, that is left out."""

    def __repr__(self) -> str:
        return "omit"


OMIT: t.Final = _Omit()


def is_template(value: object) -> bool:
    """Whether a value is text, or has text in it, that may be a template."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value or "{#" in value
    if isinstance(value, Mapping):
        return any(is_template(entry) for entry in value.values())
    if isinstance(value, (list, tuple)):
        return any(is_template(entry) for entry in value)
    return False


class Templates:
    """Compiled templates by their text."""

    def __init__(self) -> None:
        # Values are data of modules, never markup: there is nothing to escape.
        self._environment = _Environment(trim_blocks=True, undefined=_Undefined, autoescape=False)
        filters = {**core_filters.FilterModule().filters(), **set_filters.FilterModule().filters()}
        for name in ("default", "d"):  # ansible-core's knows only what is undefined in its own templating
            filters[name] = self._environment.filters[name]
        filters = {**self._environment.filters, **filters}
        self._environment.filters.update({name: _listing(function) for name, function in filters.items()})
        self._environment.tests.update(core_tests.TestModule().tests())
        self._compiled: dict[str, jinja2.Template] = {}
        self.globals: t.Final[Json] = {
            **self._environment.globals,
            "omit": OMIT,
            "lookup": _lookup,
            "query": _inventory_query(),
        }

    def compile(self, value: object) -> None:
        """Compile all templates in a value. Raises jinja2.TemplateSyntaxError."""
        if isinstance(value, str):
            if is_template(value):
                self._template(value)
        elif isinstance(value, Mapping):
            for entry in value.values():
                self.compile(entry)
        elif isinstance(value, list):
            for entry in value:
                self.compile(entry)

    def compile_condition(self, condition: str) -> None:
        self._template(_as_template(condition))

    def render(self, value: object, scope: Scope) -> t.Any:
        """A value with its templates evaluated, which may be undefined; what is omitted is left out of containers."""
        if isinstance(value, str):
            return self._evaluate(self._template(value), scope) if is_template(value) else value
        if isinstance(value, Mapping):
            rendered = {str(self.require(name, scope)): self.require(entry, scope) for name, entry in value.items()}
            return {name: entry for name, entry in rendered.items() if entry is not OMIT}
        if isinstance(value, list):
            return [entry for entry in (self.require(one, scope) for one in value) if entry is not OMIT]
        return value

    def require(self, value: object, scope: Scope) -> t.Any:
        """The same, where it must be defined. Raises jinja2.UndefinedError, which names what is not."""
        rendered = self.render(value, scope)
        if isinstance(rendered, jinja2.Undefined):
            str(rendered)  # raises, and says what is missing
        return rendered

    def holds(self, condition: str, scope: Scope) -> bool:
        """Whether a condition, an expression without braces, is true. Raises jinja2.UndefinedError."""
        return bool(self.require(_as_template(condition), scope))

    def undefined(self, hint: str) -> jinja2.Undefined:
        return self._environment.undefined(hint=hint)

    def _template(self, text: str) -> jinja2.Template:
        found = self._compiled.get(text)
        if found is None:
            found = self._compiled[text] = self._environment.from_string(text)
        return found

    @staticmethod
    def _evaluate(template: jinja2.Template, scope: Scope) -> t.Any:
        """Raises jinja2.TemplateRuntimeError where the template can't deal with a variable's value."""
        context = template.new_context(t.cast("Json", scope), shared=True)
        try:
            parts = list(template.root_render_func(context))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise jinja2.TemplateRuntimeError(f"{type(error).__name__}: {error}") from error
        if len(parts) == 1:
            return parts[0]
        return "".join(str(part) for part in parts) if parts else None


def _as_template(condition: str) -> str:
    return f"{{{{ {condition} }}}}"


def _listing(function: Callable[..., t.Any]) -> Callable[..., t.Any]:
    """A filter whose result can be used more than once, as in ansible-core."""

    @functools.wraps(function)  # with its marks for Jinja
    def listing(*arguments: t.Any, **options: t.Any) -> t.Any:
        result = function(*arguments, **options)
        return list(result) if isinstance(result, Iterator) else result

    return listing


@jinja2.pass_context
def _lookup(context: jinja2.runtime.Context, plugin: str, name: str, **options: t.Any) -> t.Any:
    """A variable whose name is computed. Other plugins are not used in this collection's YAML."""
    if plugin != "ansible.builtin.vars":
        raise ValueError(f"lookup {plugin} is not known here")
    value = context.parent[name] if name in context.parent else context.environment.undefined(name=name)
    return options.get("default", value) if isinstance(value, jinja2.Undefined) else value


def _inventory_query() -> t.Callable[..., t.Any]:
    """The function query: the inventory's hosts that patterns name. Names of a fleet ask the same again and again."""
    asked: dict[tuple[t.Any, ...], tuple[t.Any, list[str]]] = {}

    @jinja2.pass_context
    def query(context: jinja2.runtime.Context, plugin: str, *patterns: t.Any) -> t.Any:
        if plugin != "ansible.builtin.inventory_hostnames":
            raise ValueError(f"query {plugin} is not known here")
        groups = context.parent["groups"]
        known, hosts = asked.get(patterns, (None, []))
        if known is not groups:
            lookup = inventory_hostnames.LookupModule(loader=DataLoader())
            hosts = lookup.run(list(patterns), variables={"groups": groups})
            asked[patterns] = (groups, hosts)
        return list(hosts)

    return query


class Layer(t.Protocol):
    """Some of the variables of a scope."""

    def __contains__(self, name: object) -> bool:
        """Whether it has a variable of that name."""

    def value(self, name: str, scope: Scope) -> t.Any:
        """The variable's value, evaluated where it is a template."""


@dataclasses.dataclass(frozen=True)
class Plain:
    """Variables whose values are data, whatever they look like, such as a module's results."""

    values: Mapping[str, t.Any]

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def value(self, name: str, scope: Scope) -> t.Any:  # noqa: ARG002  # the protocol's
        return self.values[name]


#: Above a host's variables, since before ansible-core 2.19 a host has a variable of that name.
OMITTING: t.Final = Plain({"omit": OMIT})


@dataclasses.dataclass(frozen=True)
class Own:
    """Variables whose values stand in this collection's own YAML."""

    values: Mapping[str, t.Any]
    templates: Templates

    def __contains__(self, name: object) -> bool:
        return name in self.values

    def value(self, name: str, scope: Scope) -> t.Any:
        return self.templates.render(self.values[name], scope)


@dataclasses.dataclass(frozen=True)
class Scope(Mapping[str, t.Any]):
    """The variables that a template sees, the innermost layer first. Values are evaluated when they are asked for."""

    templates: Templates
    layers: tuple[Layer, ...]

    def within(self, *inner: Layer) -> Scope:
        return Scope(self.templates, (*inner, *self.layers))

    def __contains__(self, name: object) -> bool:
        return any(name in layer for layer in self.layers)

    def __getitem__(self, name: str) -> t.Any:
        for layer in self.layers:
            if name in layer:
                try:
                    return layer.value(name, self)
                except jinja2.UndefinedError as error:  # so that a default may stand in for it
                    return self.templates.undefined(str(error))
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        raise TypeError("The names of a scope are not to be had: its outer layers are a user's.")

    def __len__(self) -> int:
        raise TypeError("The names of a scope are not to be had: its outer layers are a user's.")
