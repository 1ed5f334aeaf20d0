# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PUT makes of a cluster's body, as pure functions."""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.arm import body
from tests.unit.sandbox.azure_support import cluster_body

if t.TYPE_CHECKING:
    from sandbox.world import Json

_ISSUER = "https://issuer/"
Path: t.TypeAlias = tuple[str, ...]


def _paths(tree: body.Tree, above: Path = ()) -> list[Path]:
    found: list[Path] = []
    for name, below in tree.items():
        found += [(*above, name)] if below is None else _paths(below, (*above, name))
    return found


_DERIVED = ("properties", "oidcIssuerProfile", "issuerURL")  # its value follows from the issuer's flag
_READ_ONLY = [path for path in _paths(body.READ_ONLY) if path != _DERIVED]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("path", _READ_ONLY, ids=".".join)
@pytest.mark.parametrize("sent", ["theirs", None])
def test_a_read_only_property_keeps_its_value(path: Path, sent: str | None) -> None:
    new = body.after_put(_at(path, "ours"), _at(path, sent), _ISSUER)
    assert _value(new, path) == "ours"


@pytest.mark.parametrize("path", [*_READ_ONLY, _DERIVED], ids=".".join)
def test_a_read_only_property_that_the_cluster_lacks_is_dropped(path: Path) -> None:
    new = body.after_put(_at(path, None), _at(path, "theirs"), _ISSUER)
    assert _value(new, path) is None


@given(_JSON)
def test_a_body_put_back_as_it_was_read_is_unchanged(extra: t.Any) -> None:
    current = cluster_body()
    current["futureThing"] = extra
    current["properties"]["futureThing"] = extra
    current["properties"]["networkProfile"]["futureThing"] = extra
    assert body.after_put(current, copy.deepcopy(current), _ISSUER) == current


@given(_JSON)
def test_neither_side_of_a_put_is_changed_in_place(extra: t.Any) -> None:
    current, sent = cluster_body(), cluster_body()
    sent["properties"].update(oidcIssuerProfile={"enabled": True}, futureThing=extra)
    before = copy.deepcopy((current, sent))
    body.after_put(current, sent, _ISSUER)
    assert (current, sent) == before


@pytest.mark.parametrize("sent", [{}, None, {"enabled": None}])
def test_an_issuer_profile_without_the_flag_keeps_it(sent: Json | None) -> None:
    current = cluster_body()
    current["properties"]["oidcIssuerProfile"] = {"enabled": True, "issuerURL": _ISSUER}
    new = copy.deepcopy(current)
    new["properties"]["oidcIssuerProfile"] = sent
    assert body.after_put(current, new, _ISSUER) == current


def test_a_new_agent_pool_inherits_nothing() -> None:
    current, sent = cluster_body(), cluster_body()
    sent["properties"]["agentPoolProfiles"] = [{"name": "new", "count": 1}]
    new = body.after_put(current, sent, _ISSUER)
    assert new["properties"]["agentPoolProfiles"] == [{"name": "new", "count": 1}]


@pytest.mark.parametrize(("one", "other", "same"), [("West Europe", "westeurope", True), ("eastus", "eastus2", False)])
def test_locations_are_compared_as_arm_does(one: str, other: str, same: bool) -> None:
    assert body.same_location(one, other) is same


def _at(path: Path, value: str | None) -> Json:
    """A body with a value at a path, or with what lies above it only."""
    *above, last = path
    node: t.Any = {} if value is None else {last: value}
    for name in reversed(above):
        node = [{**node, "name": "member"}] if name == "[]" else {"member" if name == "*" else name: node}
    node.setdefault("properties", {})
    return t.cast("Json", node)


def _value(node: t.Any, path: Path) -> t.Any:
    for name in path:
        node = node[0] if name == "[]" else node.get("member" if name == "*" else name)
        if node is None:
            return None
    return node
