# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates of the collection's own YAML: the same values as ansible-core makes of them, from the same variables."""

from __future__ import annotations

import typing as t

import jinja2
import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._inventory_variables import Given
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._templates import (
    OMIT,
    OMITTING,
    Own,
    Plain,
    Scope,
    Templates,
    is_template,
)

try:
    from ansible.template import trust_as_template

    GUESSES = False
except ImportError:  # before 2.19 all text is, and what looks like a list becomes one
    GUESSES = True

    def trust_as_template(value: str) -> str:
        return value


if t.TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, t.Any]

VARIABLES: Json = {
    "accounts": [{"namespace": "monitoring", "service_account": "prometheus-sa"}, {"namespace": "obs"}],
    "audience": "sts.amazonaws.com",
    "empty": "",
    "flag": "yes",
    "nothing": None,
    "number": 3600,
    "result": {"arn": "arn:aws:iam::123456789012:role/r", "workspace": {"account_id": "123456789012"}},
    "settings": {"subscription_id": "", "name": "prod", "ca_bundle": None},
    "steps": ["aks_oidc_issuer", "iam_web_identity"],
    "tags": ["all"],
}

#: The ways in which this collection's roles and playbooks write templates.
EXPRESSIONS = [
    "plain text",
    "{{ audience }}",
    "{{ number }}",
    "{{ missing | default('') }}",
    "{{ missing.part | default(audience) }}",
    "{{ missing.part.of_it | default(missing | default([])) }}",
    "{{ empty | default(number, true) }}",
    "{{ nothing | default('x', true) }}",
    "{{ 'a' if audience else missing }}",
    "{{ flag | bool and not empty }}",
    "{{ result.arn.split('/') | last }}",
    "{{ result.arn.split(':')[3] }}",
    "prefix-{{ result.arn }}-{{ number }}",
    "{{ settings | dict2items | rejectattr('value', 'in', ['', none]) | items2dict }}",
    "{{ settings | combine({'access': 'admin'}) }}",
    "{{ steps | difference(tags) | length }}",
    "{{ steps | intersect(['aks_oidc_issuer']) }}",
    "{{ ['a', 'b', 'a'] | unique }}",
    "{{ [result.arn] + accounts | map(attribute='namespace') | list }}",
    "{{ accounts | selectattr('service_account', 'defined') | list }}",
    "{{ accounts | map('dict2items') | flatten | map(attribute='key') }}",
    "{{ steps | select('search', 'iam_') | list }}",
    "{{ dict(steps | zip(steps)) | dict2items(key_name='arn', value_name='id') }}",
    "{{ audience | hash('sha256') }}",
    "{{ ('long' * 40)[:103] ~ '-' ~ number }}",
    "{{ settings.name in ['', none] }}",
    "{{ 'x' ~ ('-' ~ settings.name if steps | length > 1 else '') }}",
    (
        "{%- set found = [] -%}\n{%- for one in accounts -%}\n"
        "{%- set _ = found.append(one | combine({'n': number})) -%}\n{%- endfor -%}\n{{ found }}"
    ),
    "{{ true }}",
    "{{ [{'a': 1}, {'a': 2}] }}",
    "{{ {} }}",
    "{{ 1 }}{{ 2 }}",
    "{{ '1' }}",
    pytest.param("{{ '[1]' ~ '' }}", marks=pytest.mark.skipif(GUESSES, reason="ansible-core before 2.19 makes a list")),
]


def scope(variables: Mapping[str, t.Any], templates: Templates | None = None) -> Scope:
    known = templates or Templates()
    return Scope(known, (Plain(variables), Plain(known.globals)))


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_a_template_is_what_ansible_core_makes_of_it(text: str) -> None:
    ours = Templates().require(text, scope(VARIABLES))
    theirs = Templar(DataLoader(), VARIABLES).template(trust_as_template(text))
    if isinstance(theirs, str) and not isinstance(ours, str):  # before 2.19 some values become text
        theirs = type(ours)(theirs)
    assert ours == theirs


TEMPLATES = Templates()


def test_a_variable_may_have_a_computed_name() -> None:
    found = scope(VARIABLES, TEMPLATES)
    assert TEMPLATES.require("{{ lookup('ansible.builtin.vars', 'num' ~ 'ber', default=[]) }}", found) == 3600
    assert TEMPLATES.require("{{ lookup('ansible.builtin.vars', 'none', default=[]) + [1] }}", found) == [1]
    with pytest.raises(jinja2.UndefinedError, match="'none' is undefined"):
        TEMPLATES.require("{{ lookup('ansible.builtin.vars', 'none') }}", found)
    with pytest.raises(jinja2.TemplateRuntimeError, match="env"):
        TEMPLATES.require("{{ lookup('env', 'HOME') }}", found)


@pytest.mark.parametrize("patterns", ["'aks,other'", "'all:!two'", "'aks:!two', 'other'"])
def test_patterns_name_hosts_of_the_inventory(patterns: str) -> None:
    groups = {"all": ["one", "two", "three"], "ungrouped": [], "aks": ["one", "two"], "other": ["three"]}
    text = f"{{{{ query('ansible.builtin.inventory_hostnames', {patterns}) }}}}"
    found = TEMPLATES.require(text, scope({"groups": groups}, TEMPLATES))
    assert sorted(found) == (["one", "three"] if "!two" in patterns else ["one", "three", "two"])
    with pytest.raises(jinja2.TemplateRuntimeError, match="fileglob"):
        TEMPLATES.require("{{ query('ansible.builtin.fileglob', '*') }}", scope(VARIABLES, TEMPLATES))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(value=VALUES)
def test_data_comes_through_unchanged_whatever_it_looks_like(value: object) -> None:
    assert TEMPLATES.require("{{ x }}", scope({"x": value}, TEMPLATES)) == value


@given(text=st.text(alphabet="{}%#ab '|", max_size=20))
def test_what_a_cloud_returned_is_never_a_template(text: str) -> None:
    assert TEMPLATES.require("{{ r.a }}", scope({"r": {"a": text}}, TEMPLATES)) == text


def test_what_is_omitted_is_left_out() -> None:
    given_options = {
        "a": "{{ omit }}",
        "b": ["{{ missing | default(omit) }}", 1],
        "c": "{{ '' | default(omit, true) }}",
    }
    assert Templates().require(given_options, scope({})) == {"b": [1]}
    assert repr(OMIT) == "omit"


def test_what_is_undefined_is_named() -> None:
    templates = Templates()
    own = Own({"inner": "{{ missing + 1 }}"}, templates)
    with pytest.raises(jinja2.UndefinedError, match="'missing' is undefined"):
        templates.require("{{ inner }}", scope({}, templates).within(own))
    assert templates.require("{{ inner | default(7) }}", scope({}, templates).within(own)) == 7


def test_the_innermost_layer_wins() -> None:
    templates = Templates()
    found = scope({"x": "outer", "y": "{{ x }}"}, templates).within(Own({"x": "inner", "z": "{{ x }}"}, templates))
    assert templates.require("{{ x }} {{ z }} {{ y }}", found) == "inner inner {{ x }}"


def test_names_of_a_scope_are_not_to_be_had() -> None:
    with pytest.raises(TypeError):
        list(scope({}))
    with pytest.raises(TypeError):
        len(scope({}))


class _Encrypted:
    def __str__(self) -> str:
        return "secret"


def test_a_users_values_go_through_ansible_cores_templating_and_data_does_not() -> None:
    seen: list[object] = []

    def template(value: object) -> object:
        seen.append(value)
        return "templated"

    templates = Templates()
    values: Json = {
        "plain": "text",
        "nested": {"a": [1, "b"]},
        "templated": "{{ lookup('env', 'HOME') }}",
        "inside": {"a": ["{{ b }}"]},
        "encrypted": _Encrypted(),
        "groups": {"aks": ["{{ not_a_template }}"]},
        "wired": "{{ plain }}",
        "rewired": "{{ something_else }}",
    }
    wiring = {"wired": "{{ plain }}", "rewired": "{{ plain }}"}
    variables = Given(values, wiring, templates, template)
    found = Scope(templates, (variables, Plain(templates.globals)))
    for name in ("plain", "nested", "groups"):
        assert found[name] == values[name]
    assert found["wired"] == "text"
    assert seen == []
    for name in ("templated", "inside", "encrypted", "rewired"):
        assert found[name] == "templated"
    assert seen == [values[name] for name in ("templated", "inside", "encrypted", "rewired")]


def test_templates_are_told_by_their_marks() -> None:
    assert all(map(is_template, ("{{ a }}", "{% if %}", "{# c #}", {"a": ["{{ b }}"]})))
    assert not any(map(is_template, ("a", 1, None, {"a": "b"}, [])))


def test_what_a_user_omits_is_omitted() -> None:
    templates = Templates()
    placeholder = "__omit_place_holder__1"
    values = {"omit": placeholder, "plain": "text", "omitted": "{{ missing | default(omit) }}"}
    variables = Given(values, {}, templates, lambda _value: placeholder, placeholder)
    found = Scope(templates, (OMITTING, variables, Plain(templates.globals)))
    options = {"a": "{{ omitted | default(omit, true) }}", "b": "{{ plain | default(omit, true) }}", "c": "{{ omit }}"}
    assert templates.require(options, found) == {"b": "text"}
