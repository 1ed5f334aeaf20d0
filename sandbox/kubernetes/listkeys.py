# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the API merges its lists: by which keys, and which lists are replaced as a whole.

Source: the ``patchMergeKey`` and ``listMapKey`` marks of the Go types in k8s.io/api and k8s.io/apimachinery.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class ListKeys:
    """``patch`` is a strategic merge patch's key, ``apply`` are those that identify an item in ``managedFields``.

    No key at all is a list of plain values that is merged as a set.
    """

    patch: str = ""
    apply: tuple[str, ...] = ()

    @property
    def is_set(self) -> bool:
        return not self.patch and not self.apply


def _by(key: str) -> ListKeys:
    return ListKeys(key, (key,))


_PORTS = ListKeys("containerPort", ("containerPort", "protocol"))

# All other lists are atomic: a patch replaces them.
_KEYS: dict[tuple[str, str], ListKeys] = {
    ("V1ObjectMeta", "ownerReferences"): _by("uid"),
    ("V1ObjectMeta", "finalizers"): ListKeys(),
    ("V1ServiceAccount", "secrets"): _by("name"),
    ("V1PodSpec", "containers"): _by("name"),
    ("V1PodSpec", "initContainers"): _by("name"),
    ("V1PodSpec", "ephemeralContainers"): _by("name"),
    ("V1PodSpec", "volumes"): _by("name"),
    ("V1PodSpec", "imagePullSecrets"): _by("name"),
    ("V1PodSpec", "hostAliases"): _by("ip"),
    ("V1PodSpec", "resourceClaims"): _by("name"),
    ("V1PodSpec", "topologySpreadConstraints"): ListKeys("topologyKey", ("topologyKey", "whenUnsatisfiable")),
    ("V1Container", "ports"): _PORTS,
    ("V1Container", "env"): _by("name"),
    ("V1Container", "volumeMounts"): _by("mountPath"),
    ("V1Container", "volumeDevices"): _by("devicePath"),
    ("V1ServiceSpec", "ports"): ListKeys("port", ("port", "protocol")),
    ("V1MutatingWebhookConfiguration", "webhooks"): _by("name"),
    ("V1PodStatus", "podIPs"): _by("ip"),
    ("V1PodStatus", "hostIPs"): _by("ip"),
    ("V1PodStatus", "conditions"): _by("type"),
    ("V1NamespaceStatus", "conditions"): _by("type"),
    ("V1DeploymentStatus", "conditions"): _by("type"),
    ("V1StatefulSetStatus", "conditions"): _by("type"),
    ("V1DaemonSetStatus", "conditions"): _by("type"),
    ("V1ReplicaSetStatus", "conditions"): _by("type"),
    ("V1JobStatus", "conditions"): _by("type"),
}

# Structs that count as one value in ``managedFields``.
ATOMIC_STRUCTS = frozenset(
    {
        "V1LabelSelector",
        "V1ObjectReference",
        "V1LocalObjectReference",
        "V1ObjectFieldSelector",
        "V1ResourceFieldSelector",
    }
)


def list_keys(model: str, field: str) -> ListKeys | None:
    """The keys of a list, or None when it is atomic."""
    return _KEYS.get((model, field))
