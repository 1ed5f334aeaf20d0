# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure import aks_inventory
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_inventory import Filters, FleetCluster
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import InvalidInput

S1, S2 = "0b1f6471-1bf0-4dda-aec3-cb9272f09590", "5a0c9d52-6d4f-4a0e-8a57-2f0b6c1d9e02"


def cluster(name: str = "one", group: str = "rg", subscription: str = S1, **values: t.Any) -> FleetCluster:
    return FleetCluster(subscription, group, name, f"/subscriptions/{subscription}/{group}/{name}", **values)


def filters(**options: t.Any) -> Filters:
    none: dict[str, t.Any] = {
        "tags": {},
        "locations": [],
        "resource_groups": [],
        "names": [],
        "exclude_names": [],
        "include_stopped": True,
    }
    return Filters.from_options({**none, **options})


# Filters

ONE = cluster(
    "Prod-1",
    "RG-Payments",
    location="westeurope",
    tags={"Environment": "prod", "owner": ""},
    provisioning_state="Succeeded",
    power_state="Running",
)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tags": {"environment": "prod"}},
        {"tags": {"ENVIRONMENT": ["stage", "prod"]}},
        {"tags": {"owner": None}},
        {"tags": {"owner": ""}},
        {"tags": {"environment": "prod", "owner": None}},
        {"locations": ["West Europe"]},
        {"locations": ["eastus", "WESTEUROPE"]},
        {"resource_groups": ["rg-payments"]},
        {"names": ["prod-?"]},
        {"names": ["x", "PROD*"]},
        {"exclude_names": ["*-2"]},
        {"include_stopped": False},
    ],
)
def test_a_cluster_passes_filters_that_it_meets(options: dict[str, t.Any]) -> None:
    assert filters(**options).accepts(ONE)


@pytest.mark.parametrize(
    "options",
    [
        {"tags": {"environment": "Prod"}},  # values are compared with case
        {"tags": {"environment": "pro"}},
        {"tags": {"team": None}},
        {"tags": {"environment": "prod", "team": None}},
        {"tags": {"environment": []}},
        {"locations": ["eastus"]},
        {"resource_groups": ["rg"]},
        {"names": ["prod"]},
        {"exclude_names": ["PROD-*"]},
        {"names": ["prod-*"], "exclude_names": ["prod-1"]},
        {"locations": ["westeurope"], "resource_groups": ["other"]},
    ],
)
def test_a_cluster_that_fails_one_filter_is_left_out(options: dict[str, t.Any]) -> None:
    assert not filters(**options).accepts(ONE)


def test_stopped_clusters_are_hosts_unless_told_otherwise() -> None:
    stopped = cluster(power_state="Stopped")
    assert filters().accepts(stopped)
    assert not filters(include_stopped=False).accepts(stopped)


def test_clusters_that_are_being_deleted_are_never_hosts() -> None:
    assert not filters().accepts(cluster(provisioning_state="Deleting"))


# Options


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tags": ["environment"]}, r"tags: a dictionary is expected, not \['environment'\]\. Write each tag as"),
        ({"tags": {"prometheus": True}}, "tags: the value True of 'prometheus' is no text. Quote it"),
        ({"tags": {"version": 1.10}}, "tags: the value 1.1 of 'version' is no text"),
        ({"tags": {"cost-center": ["4711", 815]}}, "tags: the value 815 of 'cost-center' is no text"),
        ({"locations": "westeurope"}, "locations: a list is expected, not 'westeurope'. Write it as a YAML list"),
        ({"resource_groups": ["rg", " "]}, "resource_groups: an empty text is no text. Quote it, remove it"),
        ({"names": [1]}, "names: 1 is no text"),
        ({"exclude_names": {"a": 1}}, "exclude_names: a list is expected"),
    ],
)
def test_a_filter_that_cant_be_meant_is_refused(options: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        filters(**options)
    assert re.search(sentence, caught.value.sentence())


def test_subscription_ids_are_guids_and_count_once() -> None:
    assert aks_inventory.subscription_ids([S2, S1.upper(), f" {S1} "]) == (S2, S1)
    assert aks_inventory.subscription_ids(None) == ()
    assert aks_inventory.subscription_ids([]) == ()


@pytest.mark.parametrize("value", ["Production", f"/subscriptions/{S1}", f"{S1}0", f"{S1}\n/x"])
def test_a_subscription_must_be_given_by_its_id(value: str) -> None:
    with pytest.raises(InvalidInput, match="is no subscription ID"):
        aks_inventory.subscription_ids([value])


def test_an_empty_subscription_id_does_not_mean_all() -> None:
    with pytest.raises(InvalidInput, match="subscription_ids: an empty text is no text"):
        aks_inventory.subscription_ids([""])


def test_a_group_name_is_one_that_ansible_takes() -> None:
    assert aks_inventory.group_name("aks_fleet_2") == "aks_fleet_2"
    for bad in ("", "2aks", "aks-fleet", "aks\n", "{{ x }}"):
        with pytest.raises(InvalidInput, match="is no name of a group"):
            aks_inventory.group_name(bad)
    for reserved in ("all", "ungrouped"):
        with pytest.raises(InvalidInput, match="Ansible fills the group"):
            aks_inventory.group_name(reserved)


# Host names


def test_a_host_is_named_after_its_cluster() -> None:
    assert aks_inventory.host_names([cluster("a"), cluster("b")], qualified=False) == ["a", "b"]


def test_names_that_are_there_twice_get_the_resource_group_and_only_then_the_subscription() -> None:
    clusters = [
        cluster("a", "rg1"),
        cluster("a", "rg2"),
        cluster("b", "rg1"),
        cluster("b", "rg1", S2),
        cluster("b", "rg2", S2),
        cluster("c", "rg1"),
    ]
    assert aks_inventory.host_names(clusters, qualified=False) == [
        "a.rg1",
        "a.rg2",
        f"b.rg1.{S1}",
        f"b.rg1.{S2}",
        "b.rg2",
        "c",
    ]


def test_names_that_differ_by_case_only_count_as_the_same() -> None:
    clusters = [cluster("Prod", "rg1"), cluster("prod", "rg2")]
    assert aks_inventory.host_names(clusters, qualified=False) == ["Prod.rg1", "prod.rg2"]


def test_qualified_names_do_not_depend_on_other_clusters() -> None:
    assert aks_inventory.host_names([cluster("a")], qualified=True) == [f"a.rg.{S1}"]


# A group may hold dots, so that one cluster's name and group may look like another's name, group and subscription.
_CLUSTERS = st.lists(
    st.builds(
        cluster,
        st.sampled_from(["a", "A", "b"]),
        st.sampled_from(["g", "G.x", "h", f"g.{S1}"]),
        st.sampled_from([S1, S2]),
    ),
    max_size=9,
    unique_by=lambda each: each.sort_key,
)


@given(_CLUSTERS, st.booleans())
def test_host_names_are_unique_without_regard_to_case(clusters: list[FleetCluster], qualified: bool) -> None:
    names = aks_inventory.host_names(clusters, qualified=qualified)
    assert len(names) == len(clusters)
    assert len({name.casefold() for name in names}) == len(names)
    assert all(name.split(".")[0] == each.name for name, each in zip(names, clusters, strict=True))


@given(_CLUSTERS, st.randoms(use_true_random=False))
def test_host_names_do_not_depend_on_the_order(clusters: list[FleetCluster], random: t.Any) -> None:
    names = dict(zip((c.sort_key for c in clusters), aks_inventory.host_names(clusters, qualified=False), strict=True))
    shuffled = list(clusters)
    random.shuffle(shuffled)
    again = aks_inventory.host_names(shuffled, qualified=False)
    assert {c.sort_key: name for c, name in zip(shuffled, again, strict=True)} == names


# Variables


def test_the_variables_say_which_cluster_it_is_and_hold_nothing_secret() -> None:
    variables = ONE.variables()
    assert variables["aks_amp_subscription_id"] == S1
    assert variables["aks_amp_resource_group"] == "RG-Payments"
    assert variables["aks_amp_cluster_name"] == "Prod-1"
    assert variables["aks_tags"] == {"Environment": "prod", "owner": ""}
    assert not [name for name in variables if "secret" in name or "token" in name or "kubeconfig" in name]


# Cache

_TEXT = st.text(max_size=8)
_ANY_CLUSTER = st.builds(
    FleetCluster,
    *[_TEXT] * 4,
    tags=st.dictionaries(_TEXT, _TEXT, max_size=3),
    location=_TEXT,
    issuer_enabled=st.booleans(),
    entra_integrated=st.booleans(),
)


@given(st.lists(_ANY_CLUSTER, max_size=4))
def test_what_the_cache_keeps_comes_back_as_it_was(clusters: list[FleetCluster]) -> None:
    assert aks_inventory.from_cache(json.loads(json.dumps(aks_inventory.to_cache(clusters)))) == tuple(clusters)


@pytest.mark.parametrize(
    "change",
    [
        {"name": None},
        {"tags": []},
        {"tags": {"a": 1}},
        {"issuer_enabled": "yes"},
        {"of_a_later_version": 1},
    ],
)
def test_a_cache_of_another_shape_is_not_used(change: dict[str, t.Any]) -> None:
    (entry,) = aks_inventory.to_cache([ONE])
    assert aks_inventory.from_cache([{**entry, **change}]) is None


@pytest.mark.parametrize("data", [None, {}, "text", ["text"], [{}], 1])
def test_what_is_no_list_of_clusters_is_not_used(data: object) -> None:
    assert aks_inventory.from_cache(data) is None
