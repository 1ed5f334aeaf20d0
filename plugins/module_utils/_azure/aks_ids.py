# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which AKS cluster: by place and name, by resource ID, by tags. Pure; Azure compares all of these without case,
except for the values of tags.

https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors

_FORM = (
    "/subscriptions/<subscription>/resourceGroups/<group>/providers/Microsoft.ContainerService/managedClusters/<name>"
)
_RESOURCE_ID = re.compile(
    r"/subscriptions/(?P<subscription_id>[^/\s]+)/resourceGroups/(?P<resource_group>[^/\s]+)"
    r"/providers/Microsoft\.ContainerService/managedClusters/(?P<name>[^/\s]+)/?",
    re.IGNORECASE,
)
#: How many clusters an error names.
_NAMED = 10


@dataclasses.dataclass(frozen=True)
class ClusterRef:
    """Which cluster. Resource group and name are case-insensitive."""

    subscription_id: str
    resource_group: str
    name: str

    def __str__(self) -> str:
        return f"AKS cluster {self.name} in resource group {self.resource_group}"


@dataclasses.dataclass(frozen=True)
class ClusterScope:
    """Where clusters are listed: a subscription, or one resource group of it."""

    subscription_id: str
    resource_group: str | None = None

    def __str__(self) -> str:
        subscription = f"subscription {self.subscription_id}"
        return f"resource group {self.resource_group} of {subscription}" if self.resource_group else subscription


class Tagged(t.Protocol):
    """A listed cluster, as far as it is chosen by it: its resource ID and its tags."""

    @property
    def id(self) -> str:
        """Its resource ID."""

    @property
    def tags(self) -> t.Mapping[str, str]:
        """Its tags."""


def parse_resource_id(text: str, option: str) -> ClusterRef:
    """The cluster that a resource ID names. Raises InvalidInput, naming the option, when it is no cluster's."""
    match = _RESOURCE_ID.fullmatch(text)
    if match is None:
        raise errors.InvalidInput(
            f"{option} is '{text}', which is not the resource ID of an AKS cluster.",
            fix=f"Give it in the form {_FORM} ('az aks show --query id').",
        )
    return ClusterRef(**match.groupdict())


def select_by_tags(clusters: t.Iterable[Tagged], tags: t.Mapping[str, str], scope: ClusterScope) -> ClusterRef:
    """The one cluster that carries all of these tags.

    Raises NotFound when none does, naming what is there, and Ambiguous when several do, naming them.
    """
    everything = list(clusters)
    fitting = [cluster for cluster in everything if _carries(cluster.tags, tags)]
    if len(fitting) == 1:
        return parse_resource_id(fitting[0].id, "id")
    wanted = ", ".join(f"{name}={value}" for name, value in sorted(tags.items()))
    if fitting:
        raise errors.Ambiguous(
            f"{len(fitting)} AKS clusters of {scope} carry the tags {wanted}: {_names(fitting)}.",
            fix="Give tags that exactly one of them carries, or name the cluster by resource_id.",
        )
    there = f"There are {_names(everything)}." if everything else "There are no clusters that this login may see."
    raise errors.NotFound(f"No AKS cluster of {scope} carries the tags {wanted}. {there}", fix="Correct tags.")


def _carries(tags: t.Mapping[str, str], wanted: t.Mapping[str, str]) -> bool:
    """Names of tags are case-insensitive, values are not."""
    lower = {name.lower(): value for name, value in tags.items()}
    return all(lower.get(name.lower()) == value for name, value in wanted.items())


def _names(clusters: t.Sequence[Tagged]) -> str:
    refs = [parse_resource_id(cluster.id, "id") for cluster in clusters]
    names = sorted(f"{ref.name} ({ref.resource_group})" for ref in refs)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
