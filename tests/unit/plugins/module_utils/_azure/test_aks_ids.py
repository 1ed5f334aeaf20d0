# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters by resource ID and by tags."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import (
    ClusterRef,
    ClusterScope,
    parse_resource_id,
    select_by_tags,
)

PROVIDER = "providers/Microsoft.ContainerService/managedClusters"
SCOPE = ClusterScope("s")


@dataclasses.dataclass(frozen=True)
class Listed:
    id: str
    tags: dict[str, str]


def listed(name: str, **tags: str) -> Listed:
    return Listed(f"/subscriptions/s/resourceGroups/rg/{PROVIDER}/{name}", tags)


names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(names, names, names, st.sampled_from([str, str.upper, str.lower]))
def test_a_resource_id_is_read_whatever_its_case(subscription: str, group: str, name: str, spell: type[str]) -> None:
    text = spell(f"/subscriptions/{subscription}/resourceGroups/{group}/{PROVIDER}/{name}")
    ref = parse_resource_id(text, "resource_id")
    assert ref == ClusterRef(spell(subscription), spell(group), spell(name))


@pytest.mark.parametrize(
    "text",
    [
        "one",
        f"subscriptions/s/resourceGroups/rg/{PROVIDER}/one",
        f"/subscriptions/s/resourceGroups/rg/{PROVIDER}/",
        f"/subscriptions/s/resourceGroups/rg/{PROVIDER}/one/agentPools/system",
        "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/fleets/one",
        "/subscriptions/s/resourceGroups/rg/providers/MicrosoftXContainerService/managedClusters/one",
        f"/subscriptions/s/resourceGroups/rg/{PROVIDER}/one\n",
    ],
)
def test_what_names_no_cluster_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(errors.InvalidInput, match="not the resource ID of an AKS cluster") as caught:
        parse_resource_id(text, "resource_id")
    assert "managedClusters/<name>" in caught.value.fix


def test_the_one_cluster_that_carries_all_tags_is_found() -> None:
    clusters = [listed("one", Team="a", env="prod"), listed("two", team="a", env="test"), listed("three")]
    assert select_by_tags(clusters, {"TEAM": "a", "env": "prod"}, SCOPE) == ClusterRef("s", "rg", "one")


def test_values_of_tags_have_a_case() -> None:
    with pytest.raises(errors.NotFound):
        select_by_tags([listed("one", team="a")], {"team": "A"}, SCOPE)


def test_none_is_told_with_what_there_is() -> None:
    with pytest.raises(errors.NotFound) as caught:
        select_by_tags([listed("two"), listed("one")], {"team": "a", "env": "x"}, ClusterScope("s", "rg"))
    assert caught.value.message == (
        "No AKS cluster of resource group rg of subscription s carries the tags env=x, team=a. There are one (rg), "
        "two (rg)."
    )
    with pytest.raises(errors.NotFound, match="There are no clusters that this login may see"):
        select_by_tags([], {"a": "b"}, SCOPE)


def test_several_are_named_but_not_hundreds() -> None:
    clusters = [listed(f"c{number:02}", team="a") for number in range(13)]
    with pytest.raises(errors.Ambiguous) as caught:
        select_by_tags(clusters, {"team": "a"}, SCOPE)
    assert caught.value.message.startswith("13 AKS clusters of subscription s carry the tags team=a: c00 (rg), ")
    assert caught.value.message.endswith("c09 (rg) and 3 more.")
