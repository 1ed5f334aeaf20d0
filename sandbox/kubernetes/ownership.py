# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the controllers of workloads share: owners, the pods they make, and the events of those they cannot make."""

from __future__ import annotations

import hashlib
import json

from sandbox.kubernetes import kinds
from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.kinds import Resource
from sandbox.kubernetes.objects import SystemWriter, namespace_of, now, random_suffix
from sandbox.kubernetes.pods import Pods, is_ready
from sandbox.kubernetes.store import Store
from sandbox.world import Json

REVISION_HASH = "controller-revision-hash"
_SAFE_DIGITS = "bcdf456789ghjklm"  # sixteen characters that form no words


def template_hash(template: Json) -> str:
    """A short name for a pod template; equal templates have equal names."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()
    return "".join(_SAFE_DIGITS[int(digit, 16)] for digit in digest[:10])


def owned_by(owner: Json, obj: Json) -> bool:
    """Whether ``owner`` is the controller of ``obj``."""
    references = obj["metadata"].get("ownerReferences", [])
    return any(r["uid"] == owner["metadata"]["uid"] and r.get("controller") for r in references)


def owner_reference(resource: Resource, owner: Json) -> Json:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


class Workshop:
    """The tools of a workload's controller."""

    def __init__(self, store: Store, writer: SystemWriter, pods: Pods) -> None:
        self.store = store
        self.writer = writer
        self.pods = pods

    def owned(self, resource: Resource, owner: Json) -> list[Json]:
        """The objects of a resource that ``owner`` controls."""
        return [obj for obj in self.store.select(resource, namespace_of(owner)) if owned_by(owner, obj)]

    def owned_pods(self, owner: Json) -> list[Json]:
        return self.owned(kinds.PODS, owner)

    def ready_pods(self, owner: Json) -> list[Json]:
        return [pod for pod in self.owned_pods(owner) if is_ready(pod)]

    def fill(self, resource: Resource, owner: Json, missing: int) -> str | None:
        """Make missing pods under random names. Gives the message of the refusal that stopped it, if any."""
        for _unused in range(missing):
            failure = self.make_pod(resource, owner, owner["spec"]["template"], {})
            if failure is not None:
                return failure
        return None

    def make_pod(self, resource: Resource, owner: Json, template: Json, metadata: Json) -> str | None:
        """Make one pod; without a name in ``metadata`` it gets a random one. Gives the message of a refusal."""
        named = metadata if "name" in metadata else metadata | {"generateName": f"{owner['metadata']['name']}-"}
        try:
            self.pods.create(
                namespace_of(owner), template, named | {"ownerReferences": [owner_reference(resource, owner)]}
            )
        except ApiError as refusal:
            self._report(resource, owner, f"Error creating: {refusal.message}")
            return refusal.message
        return None

    def _report(self, resource: Resource, owner: Json, message: str) -> None:
        """An event of a refusal, once for each text."""
        namespace, about = namespace_of(owner), owner["metadata"]
        for event in self.store.select(kinds.EVENTS, namespace):
            if event["involvedObject"].get("uid") == about["uid"] and event.get("message") == message:
                return
        moment = now()
        component = f"{resource.singular}-controller"
        self.writer.create(
            kinds.EVENTS,
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"{about['name']}.{random_suffix(16)}", "namespace": namespace},
                "involvedObject": {
                    "apiVersion": resource.api_version,
                    "kind": resource.kind,
                    "name": about["name"],
                    "namespace": namespace,
                    "uid": about["uid"],
                },
                "reason": "FailedCreate",
                "message": message,
                "type": "Warning",
                "count": 1,
                "firstTimestamp": moment,
                "lastTimestamp": moment,
                "source": {"component": component},
                "reportingComponent": component,
            },
        )


def without_zeros(status: Json) -> Json:
    """A status as Go's encoder writes it where all fields have ``omitempty``."""
    return {name: value for name, value in status.items() if value not in (0, [])}
