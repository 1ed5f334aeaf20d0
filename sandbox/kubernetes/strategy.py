# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server itself sets or keeps when an object of a kind is created or changed.

Source: the ``strategy.go`` files of ``pkg/registry`` in Kubernetes.
"""

from __future__ import annotations

import hashlib
import typing as t

from sandbox.kubernetes import kinds
from sandbox.kubernetes.kinds import Resource
from sandbox.world import Json

_JOB_LABELS = ("batch.kubernetes.io/controller-uid", "controller-uid")
_JOB_NAMES = ("batch.kubernetes.io/job-name", "job-name")
_INITIAL_STATUS: dict[Resource, Json] = {
    kinds.NAMESPACES: {"phase": "Active"},
    kinds.SERVICES: {"loadBalancer": {}},
    kinds.REPLICA_SETS: {"replicas": 0},
    kinds.STATEFUL_SETS: {"replicas": 0, "availableReplicas": 0},
    kinds.DAEMON_SETS: {
        "currentNumberScheduled": 0,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 0,
        "numberReady": 0,
    },
    kinds.DEPLOYMENTS: {},
    kinds.JOBS: {},
    kinds.PODS: {"phase": "Pending"},
}
_ALLOCATED = ("clusterIP", "clusterIPs")
_TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"


def prepare_create(resource: Resource, obj: Json) -> None:
    """Before defaults and validation: a status is the server's own, whatever the request says."""
    if resource in _INITIAL_STATUS:
        obj["status"] = dict(_INITIAL_STATUS[resource])
    prepare = _CREATORS.get(resource)
    if prepare is not None:
        prepare(obj)


def prepare_update(resource: Resource, new: Json, old: Json) -> None:
    """Before defaults and validation: keep what a client cannot set by this request."""
    if resource in _INITIAL_STATUS:
        new["status"] = old.get("status", {})
    if resource == kinds.CUSTOM_RESOURCE_DEFINITIONS:
        _definition(new)
    if resource == kinds.NAMESPACES:
        new["spec"] = old["spec"]
    if resource == kinds.SERVICES:
        for name in _ALLOCATED:
            if name in old["spec"]:
                new.setdefault("spec", {}).setdefault(name, old["spec"][name])


def count_templates(resource: Resource, new: Json, old: Json) -> None:
    """A daemon set counts its templates in an annotation, which is what became of a field of older versions.

    Source: ``pkg/registry/apps/daemonset/strategy.go`` and ``pkg/apis/apps/v1/conversion.go``.
    """
    if resource != kinds.DAEMON_SETS:
        return
    number = int(old["metadata"].get("annotations", {}).get(_TEMPLATE_GENERATION, "1"))
    number += new["spec"].get("template") != old["spec"].get("template")
    new["metadata"].setdefault("annotations", {})[_TEMPLATE_GENERATION] = str(number)


def _daemon_set(obj: Json) -> None:
    obj["metadata"].setdefault("annotations", {})[_TEMPLATE_GENERATION] = "1"


def _service(obj: Json) -> None:
    """Give a service an address of the cluster's range."""
    spec = obj.setdefault("spec", {})
    if spec.get("type") != "ExternalName" and "clusterIP" not in spec:
        digest = hashlib.sha256(obj["metadata"]["uid"].encode()).digest()
        spec["clusterIP"] = f"10.0.{digest[0]}.{digest[1] % 250 + 2}"
    if "clusterIP" in spec:
        spec["clusterIPs"] = [spec["clusterIP"]]


def _job(obj: Json) -> None:
    """Without ``manualSelector`` a job selects its pods by its own uid."""
    spec = obj.setdefault("spec", {})
    if spec.get("manualSelector"):
        return
    uid = obj["metadata"]["uid"]
    labels = spec.setdefault("template", {}).setdefault("metadata", {}).setdefault("labels", {})
    labels |= dict.fromkeys(_JOB_LABELS, uid) | dict.fromkeys(_JOB_NAMES, obj["metadata"].get("name", ""))
    spec["selector"] = {"matchLabels": {_JOB_LABELS[0]: uid}}


def _definition(obj: Json) -> None:
    """Names are accepted and served at once; a real server needs a moment."""
    spec = obj.get("spec", {})
    obj["status"] = {
        "conditions": [{"type": name, "status": "True"} for name in ("NamesAccepted", "Established")],
        "acceptedNames": spec.get("names", {}),
        "storedVersions": [version.get("name", "") for version in spec.get("versions", []) if version.get("storage")],
    }


_CREATORS: dict[Resource, t.Callable[[Json], None]] = {
    kinds.SERVICES: _service,
    kinds.JOBS: _job,
    kinds.DAEMON_SETS: _daemon_set,
    kinds.CUSTOM_RESOURCE_DEFINITIONS: _definition,
}
