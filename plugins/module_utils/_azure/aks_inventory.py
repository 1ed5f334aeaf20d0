# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AKS clusters as inventory hosts (pure): which of them, under which name, with which variables."""

from __future__ import annotations

import collections
import dataclasses
import fnmatch
import re
import typing as t
from collections.abc import Mapping, Sequence

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import InvalidInput

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_GROUP_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

#: Groups that Ansible itself fills; variables of the clusters would reach every host.
_RESERVED_GROUPS = frozenset({"all", "ungrouped"})

_STOPPED = "stopped"
_DELETING = "deleting"


@dataclasses.dataclass(frozen=True)
class FleetCluster:
    """A cluster as a list of Azure Resource Manager shows it; empty strings stand for what the answer lacks.

    ``issuer_url`` is as ARM shows it. Nothing in it is secret.
    """

    subscription_id: str
    resource_group: str
    name: str
    resource_id: str
    location: str = ""
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    kubernetes_version: str = ""
    provisioning_state: str = ""
    power_state: str = ""
    node_resource_group: str = ""
    issuer_enabled: bool = False
    issuer_url: str = ""
    workload_identity_enabled: bool = False
    private_cluster: bool = False
    local_accounts_disabled: bool = False
    entra_integrated: bool = False

    def variables(self) -> dict[str, object]:
        """The host's variables: which cluster it is, for the roles, and facts for groups and conditions."""
        return {
            "aks_amp_subscription_id": self.subscription_id,
            "aks_amp_resource_group": self.resource_group,
            "aks_amp_cluster_name": self.name,
            "aks_resource_id": self.resource_id,
            "aks_location": self.location,
            "aks_tags": dict(self.tags),
            "aks_kubernetes_version": self.kubernetes_version,
            "aks_provisioning_state": self.provisioning_state,
            "aks_power_state": self.power_state,
            "aks_node_resource_group": self.node_resource_group,
            "aks_oidc_issuer_enabled": self.issuer_enabled,
            "aks_oidc_issuer_url": self.issuer_url,
            "aks_workload_identity_enabled": self.workload_identity_enabled,
            "aks_private_cluster": self.private_cluster,
            "aks_local_accounts_disabled": self.local_accounts_disabled,
            "aks_entra_integrated": self.entra_integrated,
        }

    @property
    def sort_key(self) -> tuple[str, str, str]:
        """Names of Azure resources are case-insensitive."""
        return (self.name.casefold(), self.resource_group.casefold(), self.subscription_id.casefold())


# What the inventory's cache keeps


def to_cache(clusters: Sequence[FleetCluster]) -> list[dict[str, t.Any]]:
    """The clusters as JSON data."""
    return [{**dataclasses.asdict(cluster), "tags": dict(cluster.tags)} for cluster in clusters]


def from_cache(data: object) -> tuple[FleetCluster, ...] | None:
    """The clusters of ``to_cache``; None for anything else, such as what another version of the collection kept."""
    if not isinstance(data, Sequence) or isinstance(data, str):
        return None
    clusters = []
    for entry in data:
        if not isinstance(entry, Mapping) or not _is_cluster(entry):
            return None
        clusters.append(FleetCluster(**{str(name): value for name, value in entry.items()}))
    return tuple(clusters)


def _is_cluster(entry: Mapping[object, object]) -> bool:
    types = {field.name: bool if field.type == "bool" else str for field in dataclasses.fields(FleetCluster)}
    tags = entry.get("tags")
    return (
        entry.keys() == types.keys()
        and isinstance(tags, Mapping)
        and all(isinstance(value, str) for value in tags.values())
        and all(isinstance(value, types[str(name)]) for name, value in entry.items() if name != "tags")
    )


# Options


def subscription_ids(values: object) -> tuple[str, ...]:
    """The option ``subscription_ids`` in lower case, each once. Raises InvalidInput for what is no subscription ID."""
    found: dict[str, None] = {}
    for value in texts("subscription_ids", values):
        if not _GUID.fullmatch(value):
            raise InvalidInput(
                f"subscription_ids: '{value}' is no subscription ID.",
                fix="Give the ID (a GUID), not the name: az account list shows both.",
            )
        found[value.lower()] = None
    return tuple(found)


def group_name(value: str) -> str:
    """The option ``group``. Raises InvalidInput for a name that Ansible would not take, or takes for all hosts."""
    if not _GROUP_NAME.fullmatch(value):
        raise InvalidInput(
            f"group: '{value}' is no name of a group.", fix="Use letters, digits and underscores, no digit first."
        )
    if value in _RESERVED_GROUPS:
        raise InvalidInput(f"group: Ansible fills the group '{value}' itself.", fix="Name another group, or none.")
    return value


def texts(option: str, values: object) -> tuple[str, ...]:
    """An option that is a list of texts. Raises InvalidInput for another type, and for an empty text."""
    if values is None:
        return ()
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise InvalidInput(f"{option}: a list is expected, not {_shown(values)}.", fix="Write it as a YAML list.")
    for value in values:
        if not isinstance(value, str) or not value.strip():
            raise InvalidInput(
                f"{option}: {_shown(value)} is no text.", fix="Quote it, remove it, or correct the template it is from."
            )
    return tuple(value.strip() for value in values)


def _shown(value: object) -> str:
    return "an empty text" if isinstance(value, str) and not value.strip() else repr(value)


# Filters


@dataclasses.dataclass(frozen=True)
class TagWish:
    """A tag that a cluster must have; ``values`` are the accepted ones, None accepts any."""

    name: str
    values: frozenset[str] | None

    def accepts(self, tags: Mapping[str, str]) -> bool:
        # Azure compares the names of tags without case, and their values with it.
        value = {name.casefold(): value for name, value in tags.items()}.get(self.name.casefold())
        return value is not None and (self.values is None or value in self.values)


@dataclasses.dataclass(frozen=True)
class Filters:
    """Which clusters become hosts: those that pass all filters that are set."""

    tags: tuple[TagWish, ...] = ()
    locations: frozenset[str] = frozenset()
    resource_groups: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    exclude_names: tuple[str, ...] = ()
    include_stopped: bool = True

    @classmethod
    def from_options(cls, options: Mapping[str, t.Any]) -> Filters:
        """Raises InvalidInput for values that can't be meant."""
        return cls(
            tags=_tag_wishes(options["tags"]),
            locations=frozenset(_location(value) for value in texts("locations", options["locations"])),
            resource_groups=frozenset(
                value.casefold() for value in texts("resource_groups", options["resource_groups"])
            ),
            names=texts("names", options["names"]),
            exclude_names=texts("exclude_names", options["exclude_names"]),
            include_stopped=bool(options["include_stopped"]),
        )

    def accepts(self, cluster: FleetCluster) -> bool:
        if cluster.provisioning_state.casefold() == _DELETING:
            return False
        return (
            (self.include_stopped or cluster.power_state.casefold() != _STOPPED)
            and (not self.locations or _location(cluster.location) in self.locations)
            and (not self.resource_groups or cluster.resource_group.casefold() in self.resource_groups)
            and (not self.names or _matches(cluster.name, self.names))
            and not _matches(cluster.name, self.exclude_names)
            and all(wish.accepts(cluster.tags) for wish in self.tags)
        )


def _tag_wishes(values: object) -> tuple[TagWish, ...]:
    if values is None:
        return ()
    if not isinstance(values, Mapping):
        raise InvalidInput(
            f"tags: a dictionary is expected, not {_shown(values)}.", fix="Write each tag as 'name: value'."
        )
    return tuple(TagWish(str(name), _tag_values(str(name), value)) for name, value in values.items())


def _tag_values(name: str, value: object) -> frozenset[str] | None:
    if value is None:
        return None
    accepted = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    for one in accepted:
        # YAML reads an unquoted true, 1.10 or 0815 as something else than the text that the tag holds.
        if not isinstance(one, str):
            raise InvalidInput(f"tags: the value {one!r} of '{name}' is no text.", fix="Quote it, as tags are texts.")
    return frozenset(accepted)


def _location(value: str) -> str:
    """``West Europe`` and ``westeurope`` are the same place."""
    return value.replace(" ", "").casefold()


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name.casefold(), pattern.casefold()) for pattern in patterns)


# Host names


def host_names(clusters: Sequence[FleetCluster], *, qualified: bool) -> list[str]:
    """A host name for each cluster, in their order, unique also without regard to case.

    It is the cluster's name; where more than one has it, the resource group is added to each of these, and where that
    isn't enough the subscription: ``name.group.subscription``. ``qualified`` gives every cluster the longest form,
    which no other cluster's coming or going changes.
    """
    lengths = [3 if qualified else 1] * len(clusters)
    while True:
        names = [_host_name(cluster, length) for cluster, length in zip(clusters, lengths, strict=True)]
        count = collections.Counter(name.casefold() for name in names)
        twice = [number for number, name in enumerate(names) if count[name.casefold()] > 1 and lengths[number] < 3]
        if not twice:
            return names
        for number in twice:
            lengths[number] += 1


def _host_name(cluster: FleetCluster, length: int) -> str:
    return ".".join((cluster.name, cluster.resource_group, cluster.subscription_id)[:length])
