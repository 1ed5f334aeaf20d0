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

from sandbox.arm.body import without_secrets

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.world import AksCluster, Json, World

# Ends of an operation that lost a race: the cluster itself is well.
_MESSAGES = {
    "OperationPreempted": "Operation execution has been preempted by a more recent operation.",
    "OriginalEtagNotExpect": "The eTag is not the one that was expected.",
}

TERMINAL_STATES = frozenset({"Succeeded", "Failed", "Canceled"})


@dataclasses.dataclass
class Operation:
    """A change of a cluster that takes its time."""

    cluster: AksCluster
    ends_at: float  # on the monotonic clock
    finish: Callable[[], None]  # what the end brings about, when it ends well
    undone: Json  # the cluster's body again, when it does not
    error: str  # the code with which it fails, else empty
    key: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))  # names it in its URL
    name: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))  # another one, as the service does it
    started: dt.datetime = dataclasses.field(default_factory=lambda: dt.datetime.now(dt.UTC))
    ended: dt.datetime | None = None

    def body(self) -> Json:
        body: Json = {
            "name": self.name,
            "status": "InProgress" if not self.ended else "Failed" if self.error else "Succeeded",
            "startTime": _timestamp(self.started),
        }
        if self.ended:
            body["endTime"] = _timestamp(self.ended)
        if self.ended and self.error:
            body["error"] = {"code": self.error, "message": _MESSAGES.get(self.error, "The operation failed.")}
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
                self._end(operation)

    def start(self, cluster: AksCluster, state: str, *, before: Json, finish: Callable[[], None]) -> Operation:
        """Put the cluster into a state that is not terminal, for ``settings.aks_operation_seconds``.

        ``before`` is its body to which it returns when the operation fails.
        """
        settings = self._world.settings
        operation = Operation(
            cluster,
            time.monotonic() + settings.aks_operation_seconds,
            finish,
            undone=copy.deepcopy(before),
            error=settings.aks_operation_error,
        )
        settings.aks_operation_error = ""
        self._operations[operation.key] = operation
        self._enter(cluster, state)
        return operation

    def find(self, key: str) -> Operation | None:
        return self._operations.get(key)

    def etag(self, cluster: AksCluster) -> str:
        return str(self._version(cluster))

    def view(self, cluster: AksCluster) -> Json:
        """The cluster's body as ARM answers it, with eTags unless ``settings.aks_etags`` is off."""
        body = without_secrets(cluster.body)
        if self._world.settings.aks_etags:
            body["eTag"] = self.etag(cluster)
            for pool in body["properties"].get("agentPoolProfiles", []):
                pool["eTag"] = str(uuid.uuid5(self._version(cluster), pool["name"]))
        return body

    def _end(self, operation: Operation) -> None:
        operation.ended = dt.datetime.now(dt.UTC)
        cluster = operation.cluster
        if not operation.error:
            operation.finish()
            self._enter(cluster, "Succeeded")
            return
        cluster.body = operation.undone
        self._enter(cluster, "Succeeded" if operation.error in _MESSAGES else "Failed")

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
