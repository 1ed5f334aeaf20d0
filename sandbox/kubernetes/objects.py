# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server itself writes into objects: names, identities, times and versions."""

from __future__ import annotations

import datetime as dt
import secrets
import typing as t
import uuid

from sandbox.kubernetes import managed_fields
from sandbox.kubernetes.kinds import Resource
from sandbox.kubernetes.managed_fields import Manager
from sandbox.kubernetes.store import Store
from sandbox.world import Json

# Kubernetes leaves out vowels and what looks like them, so that no word comes about.
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_BOOKKEEPING = frozenset({"resourceVersion", "managedFields", "generation"})


def now() -> str:
    """The time of day in the API's form: RFC 3339, UTC, whole seconds."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def new_uid() -> str:
    return str(uuid.uuid4())


def random_suffix(length: int = 5) -> str:
    return "".join(secrets.choice(_SUFFIX_ALPHABET) for _unused in range(length))


def namespace_of(obj: Json) -> str:
    namespace: str = obj["metadata"].get("namespace", "")
    return namespace


def same_content(one: Json, other: Json) -> bool:
    """Whether two states of an object differ in nothing but the server's bookkeeping."""
    return _without_bookkeeping(one) == _without_bookkeeping(other)


def _without_bookkeeping(obj: Json) -> Json:
    metadata = {name: value for name, value in obj["metadata"].items() if name not in _BOOKKEEPING}
    return obj | {"metadata": metadata}


def begin(resource: Resource, obj: Json) -> None:
    """Give a new object its identity, in place."""
    metadata = obj["metadata"]
    for name in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "managedFields", "generation"):
        metadata.pop(name, None)
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = f"{metadata['generateName'][:58]}{random_suffix()}"
    metadata["uid"] = new_uid()
    metadata["creationTimestamp"] = now()
    if resource.generation:
        metadata["generation"] = 1


def raised_generation(resource: Resource, new: Json, old: Json) -> int:
    """The generation after an update: one more when what the user asks for has changed."""
    before: int = old["metadata"].get("generation", 1)
    changed = any(new.get(part) != old.get(part) for part in ("spec", "webhooks"))
    if resource.plural == "deployments":
        changed = changed or new["metadata"].get("annotations") != old["metadata"].get("annotations")
    return before + 1 if changed else before


def record_manager(resource: Resource, old: Json, new: Json, manager: Manager) -> None:
    """Bring ``managedFields`` of the new state up to date, in place. ``old`` is empty for a new object."""
    entries = managed_fields.track(resource.model, old, new, manager, now())
    new["metadata"].pop("managedFields", None)
    if entries:
        new["metadata"]["managedFields"] = entries


class SystemWriter:
    """Writes of the cluster's own controllers, which nothing refuses."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, resource: Resource, obj: Json, manager: str = "kube-controller-manager") -> Json:
        begin(resource, obj)
        record_manager(resource, {}, obj, Manager(manager))
        return self._store.put(resource, obj)

    def update(
        self, resource: Resource, old: Json, changes: t.Mapping[str, t.Any], manager: str = "kube-controller-manager"
    ) -> Json:
        """Put top-level parts of an object in place of the stored ones, unless they are equal."""
        new = old | dict(changes)
        if same_content(new, old):
            return old
        new["metadata"] = dict(new["metadata"])
        if resource.generation and "spec" in changes:
            new["metadata"]["generation"] = raised_generation(resource, new, old)
        record_manager(resource, old, new, Manager(manager, "status" if "status" in changes else ""))
        return self._store.put(resource, new)

    def remove(self, resource: Resource, obj: Json) -> None:
        self._store.remove(resource, obj)
