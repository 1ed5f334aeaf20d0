# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken of a kubeconfig for one context is what all of it says of that context, or nothing is taken."""

from __future__ import annotations

import textwrap
import typing as t

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube_excerpt import SECTIONS, excerpt
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text import yaml_text

Json = dict[str, t.Any]

#: As 'kubectl config set-context' and 'az aks get-credentials' write it; names that begin alike, and one twice.
ORDINARY: t.Final = """\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: LS0tLS1CRUdJTg==
    server: https://one.example:443
  name: one
- cluster:
    server: https://one-more.example:443
  name: one-more
- cluster:
    server: https://second.example:443
  name: one
contexts:
- context:
    cluster: one-more
    user: clusterUser_one-more
  name: one-more
- context:
    cluster: one
    user: clusterUser_one
  name: one
current-context: one-more
kind: Config
preferences: {}
users:
- name: clusterUser_one
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      args:
      - get-token
      - --server-id
      - 6dae42f8-4368-4678-94ff-3960e28e3630
      command: kubelogin
      env: null
      installHint: |2

        kubelogin is not installed: see https://aka.ms/aks/kubelogin
        name: clusterUser_one-more
      provideClusterInfo: false
- name: clusterUser_one-more
  user:
    token: unit-test-token
"""


def needed(config: Json, context: str) -> Json | None:
    """What a context needs of a configuration: its entries, and all that is not in a list."""

    def first(section: str, name: object) -> Json | None:
        return next((entry for entry in config.get(section) or [] if entry["name"] == name), None)

    found = first("contexts", context)
    if found is None:
        return None
    names = found["context"]
    entries = (found, first("clusters", names.get("cluster")), first("users", names.get("user")))
    others = {key: value for key, value in config.items() if key not in SECTIONS}
    return {**others, **dict(zip(SECTIONS, entries, strict=True))}


def of_the_excerpt(text: str, context: str) -> Json | None:
    part = excerpt(text, context)
    return None if part is None else needed(yaml_text.load(part), context)


@pytest.mark.parametrize("context", ["one", "one-more"])
def test_an_ordinary_file_is_cut_down_to_the_context(context: str) -> None:
    assert of_the_excerpt(ORDINARY, context) == needed(yaml_text.load(ORDINARY), context)
    part = excerpt(ORDINARY, context)
    assert part is not None
    assert {len(entries) for name, entries in yaml_text.load(part).items() if name in SECTIONS} == {1}


def test_what_is_said_in_a_hint_is_no_name() -> None:
    part = of_the_excerpt(ORDINARY, "one-more")
    assert part is not None
    assert part["users"]["user"] == {"token": "unit-test-token"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kind: Config", 'kind: "Config\n  of two lines"'),
        ("kind: Config", "kind: 'Config\n  of two lines'"),
        ("kind: Config", 'kind: "\\x43onfig"'),
        ("preferences: {}", "preferences: {\n}"),
        ("preferences: {}", "preferences: [\n  a]"),
        ("kind: Config", "kind: Config\nkind: Config"),
        ("kind: Config", "---\nkind: Config"),
        ("kind: Config", "? kind\n: Config"),
        ("kind: Config", "kind:\tConfig"),
        ("kind: Config\n", "kind: Config\r\n"),
        ("contexts:\n", "contexts: # of the fleet\n"),
        ("contexts:\n", "contexts: &all\n"),
        ("    cluster: one\n", "    cluster: unknown\n"),
        ("    cluster: one\n", "    cluster: 1\n"),
        ("    cluster: one\n", "    cluster: *one\n"),
        ("    user: clusterUser_one\n", "    user: two words\n"),
        ("- context:\n    cluster: one\n", "- context: one\n  unused:\n    cluster: one\n"),
        ("clusters:\n", "clusters:\n# those of the fleet\n- cluster: {}\n  name: x\n clusters: {}\n"),
    ],
)
def test_what_is_out_of_the_ordinary_is_not_cut(old: str, new: str) -> None:
    assert old in ORDINARY
    assert excerpt(ORDINARY.replace(old, new), "one") is None


@pytest.mark.parametrize("context", ["", "two", "one ", "One"])
def test_a_context_that_is_not_there_is_not_cut(context: str) -> None:
    assert excerpt(ORDINARY, context) is None


NAMES = st.sampled_from(["a", "ab", "a-b", "b", "name", "1", "true", "null", "a b", "-", "é", "'a'", "x: y", "#c"])
VALUES = st.recursive(
    NAMES | st.none() | st.booleans() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def entries(key: str, value: st.SearchStrategy[t.Any]) -> st.SearchStrategy[list[Json]]:
    return st.lists(st.fixed_dictionaries({"name": NAMES, key: value}), max_size=4)


CONFIGS = st.fixed_dictionaries(
    {
        "contexts": entries("context", st.fixed_dictionaries({"cluster": NAMES}, optional={"user": NAMES})),
        "clusters": entries("cluster", st.dictionaries(NAMES, VALUES, max_size=3)),
        "users": entries("user", st.dictionaries(NAMES, VALUES, max_size=3)),
    },
    optional={"kind": VALUES, "preferences": VALUES},
)


@given(
    CONFIGS,
    NAMES,
    st.fixed_dictionaries(
        {},
        optional={
            "default_flow_style": st.sampled_from([None, True, False]),
            "default_style": st.sampled_from([None, "'", '"', "|", ">"]),
            "indent": st.sampled_from([2, 3, 4]),
            "width": st.sampled_from([10, 80, 1000]),
            "allow_unicode": st.booleans(),
            "sort_keys": st.booleans(),
        },
    ),
)
def test_in_whatever_style_it_is_written_the_cut_says_the_same(config: Json, context: str, style: Json) -> None:
    text = yaml.safe_dump(config, **style)
    part = of_the_excerpt(text, context)
    assert part is None or part == needed(config, context)


def test_lists_that_are_set_in_are_cut_too() -> None:
    lines = ORDINARY.split("\n")
    inside = [line[:1] in {"-", " "} for line in lines]
    text = "\n".join(
        textwrap.indent(line, "  ") if within else line for line, within in zip(lines, inside, strict=True)
    )
    part = of_the_excerpt(text, "one")
    assert part is not None
    assert part == needed(yaml_text.load(ORDINARY), "one")
