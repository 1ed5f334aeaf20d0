# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-running operations and eTags of managed clusters.

Both eTags, the cluster's and each agent pool's, change when an operation on the cluster starts and when it ends
(https://learn.microsoft.com/azure/aks/use-etags).
"""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import time
import typing as t
import uuid

if t.TYPE_CHECKING:
    from sandbox.world import AksCluster, Json, World

TERMINAL_STATES = frozenset({"Succeeded", "Failed", "Canceled"})


@dataclasses.dataclass
class Operation:
    """A change of a cluster that takes its time."""

    cluster: AksCluster
    ends_at: float  # on the monotonic clock
    key: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))  # names it in its URL
    name: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))  # another one, as the service does it
    started: dt.datetime = dataclasses.field(default_factory=lambda: dt.datetime.now(dt.UTC))
    ended: dt.datetime | None = None

    def body(self) -> Json:
        body = {
            "name": self.name,
            "status": "Succeeded" if self.ended else "InProgress",
            "startTime": _timestamp(self.started),
        }
        if self.ended:
            body["endTime"] = _timestamp(self.ended)
        return body


class Operations:
    """The operations and eTags of a world's clusters. Its caller holds the world's lock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._operations: dict[str, Operation] = {}
        self._versions: dict[str, uuid.UUID] = {}

    def settle(self) -> None:
        """End the operations whose time is up. Nothing else ends them, so each request begins with this."""
        for operation in self._operations.values():
            if operation.ended is None and operation.ends_at <= time.monotonic():
                operation.ended = dt.datetime.now(dt.UTC)
                self._enter(operation.cluster, "Succeeded")

    def start(self, cluster: AksCluster, state: str) -> Operation:
        """Put the cluster into a state that is not terminal, for ``settings.aks_operation_seconds``."""
        operation = Operation(cluster, time.monotonic() + self._world.settings.aks_operation_seconds)
        self._operations[operation.key] = operation
        self._enter(cluster, state)
        return operation

    def find(self, key: str) -> Operation | None:
        return self._operations.get(key)

    def etag(self, cluster: AksCluster) -> str:
        return str(self._version(cluster))

    def view(self, cluster: AksCluster) -> Json:
        """The cluster's body as ARM answers it, with eTags unless ``settings.aks_etags`` is off."""
        body = copy.deepcopy(cluster.body)
        if self._world.settings.aks_etags:
            body["eTag"] = self.etag(cluster)
            for pool in body["properties"].get("agentPoolProfiles", []):
                pool["eTag"] = str(uuid.uuid5(self._version(cluster), pool["name"]))
        return body

    def _enter(self, cluster: AksCluster, state: str) -> None:
        properties = cluster.body["properties"]
        properties["provisioningState"] = state
        for pool in properties.get("agentPoolProfiles", []):
            pool["provisioningState"] = state
        self._versions[_key(cluster)] = uuid.uuid4()

    def _version(self, cluster: AksCluster) -> uuid.UUID:
        return self._versions.setdefault(_key(cluster), uuid.uuid4())


def _key(cluster: AksCluster) -> str:
    return f"{cluster.subscription}/{cluster.resource_group}/{cluster.name}".lower()


def _timestamp(moment: dt.datetime) -> str:
    """Seven fractional digits, as .NET writes them."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
