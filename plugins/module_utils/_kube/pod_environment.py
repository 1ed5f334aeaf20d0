# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that a container takes from whole ConfigMaps and Secrets (``envFrom``); pure, and names only.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#environment-variables
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    CONFIG_MAP,
    SECRET,
    ObjectReference,
)

_KINDS = {"configMapRef": CONFIG_MAP, "secretRef": SECRET}


@dataclasses.dataclass(frozen=True)
class Bundle:
    """One entry of ``envFrom``. ``prefix`` stands before each key."""

    reference: ObjectReference
    prefix: str = ""

    def names_in(self, found: t.Mapping[str, t.Any] | None) -> frozenset[str]:
        """The variables that an object sets to something; none when it is not there. Binary data is no variable."""
        data = (found or {}).get("data") or {}
        return frozenset(f"{self.prefix}{key}" for key, value in data.items() if value)


@dataclasses.dataclass(frozen=True)
class LoadedVariables:
    """What is known of a bundle: the variables' names; None when it could not be read, and what to do about that."""

    bundle: Bundle
    names: frozenset[str] | None
    advice: str = ""


def bundles_of(container: t.Mapping[str, t.Any], namespace: str | None) -> tuple[Bundle, ...]:
    """The ConfigMaps and Secrets whose keys become variables of a container."""
    return tuple(
        Bundle(kind.at(str(entry[field].get("name", "")), namespace), str(entry.get("prefix") or ""))
        for entry in container.get("envFrom") or ()
        for field, kind in _KINDS.items()
        if entry.get(field)
    )
