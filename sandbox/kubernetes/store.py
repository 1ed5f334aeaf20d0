# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of one cluster and the version that every write raises."""

from __future__ import annotations

import collections

from sandbox.kubernetes.kinds import STORED, Resource
from sandbox.world import Json

_KEPT_SNAPSHOTS = 64


class Store:
    """Objects by resource, namespace and name.

    Stored objects are values: nobody changes one in place, a write puts another in its place. So a snapshot of a list
    is cheap, and later pages of a list show the cluster as it was at the first.
    """

    def __init__(self) -> None:
        self.version = 1
        self._objects: dict[Resource, dict[tuple[str, str], Json]] = {resource: {} for resource in STORED}
        self._snapshots: collections.OrderedDict[int, list[Json]] = collections.OrderedDict()

    def clear(self) -> None:
        """Forget all objects. The version goes on, so that versions that clients remember stay stale."""
        self._objects = {resource: {} for resource in STORED}
        self._snapshots.clear()

    def find(self, resource: Resource, namespace: str, name: str) -> Json | None:
        """The stored object, which must not be changed in place."""
        return self._objects[resource].get((namespace, name))

    def put(self, resource: Resource, obj: Json) -> Json:
        """Store an object under the next version and give it as it is stored."""
        self.version += 1
        stored = obj | {"metadata": obj["metadata"] | {"resourceVersion": str(self.version)}}
        self._objects[resource][_key(obj)] = stored
        return stored

    def remove(self, resource: Resource, obj: Json) -> None:
        self.version += 1
        del self._objects[resource][_key(obj)]

    def select(self, resource: Resource, namespace: str = "") -> list[Json]:
        """All objects, or those of one namespace, in the order of namespace and name."""
        objects = self._objects[resource]
        return [objects[key] for key in sorted(objects) if not namespace or key[0] == namespace]

    def content(self, namespace: str) -> list[tuple[Resource, Json]]:
        """All objects in a namespace."""
        return [
            (resource, obj) for resource in STORED if resource.namespaced for obj in self.select(resource, namespace)
        ]

    def keep_snapshot(self, objects: list[Json]) -> int:
        """Keep a list for its later pages; the number it is found by is the current version."""
        self._snapshots[self.version] = objects
        while len(self._snapshots) > _KEPT_SNAPSHOTS:
            self._snapshots.popitem(last=False)
        return self.version

    def snapshot(self, version: int) -> list[Json] | None:
        return self._snapshots.get(version)


def _key(obj: Json) -> tuple[str, str]:
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
