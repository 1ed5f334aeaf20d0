# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which a Prometheus runs and has its configuration, for tests: manifests made of the estate's own ones."""

from __future__ import annotations

import base64
import copy
import dataclasses
import gzip
import typing as t

from sandbox import manifests

Json = dict[str, t.Any]

API_SERVER_DEFAULTS = ("revisionHistoryLimit", "selector", "template")


def packed(text: str) -> str:
    """As the operator stores it: gzip in base64, with a time of its own in it."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=1)).decode()


@dataclasses.dataclass(frozen=True)
class Target:
    """One way: the workload's kind, the kind of the object with the configuration, and whether it is packed."""

    kind: str
    source: str
    form: str = "text"  # or binary, packed

    def __str__(self) -> str:
        return f"{self.kind}-{self.source}-{self.form}"

    @property
    def options(self) -> Json:
        """The module's options that say so."""
        named = "config_secret" if self.source == "Secret" else "configmap"
        return {"workload_kind": self.kind, "workload_name": manifests.WORKLOAD, named: manifests.CONFIG_MAP}

    def config(self, text: str) -> Json:
        """The object with a configuration, and with another key."""
        found = manifests.config_map(text)
        if self.source == "ConfigMap" and self.form == "text":
            return found
        del found["data"][manifests.CONFIG_KEY]
        plain = base64.b64encode(text.encode()).decode()
        value = packed(text) if self.form == "packed" else plain
        if self.source == "ConfigMap":
            return {**found, "binaryData": {manifests.CONFIG_KEY: value}}
        return {**found, "kind": "Secret", "data": {manifests.CONFIG_KEY: value, "other": plain}}

    def text(self, found: Json) -> str:
        """The configuration in an object as the API server gives it."""
        if self.source == "ConfigMap" and self.form == "text":
            return str(found["data"][manifests.CONFIG_KEY])
        field = "data" if self.source == "Secret" else "binaryData"
        content = base64.b64decode(found[field][manifests.CONFIG_KEY])
        return (gzip.decompress(content) if self.form == "packed" else content).decode()

    def workload(self) -> Json:
        """The workload, whose pods mount the object."""
        found = copy.deepcopy(manifests.deployment())
        if self.source == "Secret":
            found["spec"]["template"]["spec"]["volumes"][0] = {
                "name": "config",
                "secret": {"secretName": manifests.CONFIG_MAP, "defaultMode": 420},
            }
        if self.kind == "Deployment":
            return found
        spec = {name: found["spec"][name] for name in API_SERVER_DEFAULTS}
        if self.kind == "StatefulSet":
            spec |= {"replicas": 2, "serviceName": manifests.WORKLOAD}
        metadata = {name: value for name, value in found["metadata"].items() if name != "annotations"}
        return {"apiVersion": "apps/v1", "kind": self.kind, "metadata": metadata, "spec": spec}


_FORMS = (("ConfigMap", "text"), ("ConfigMap", "packed"), ("Secret", "binary"), ("Secret", "packed"))
TARGETS: t.Final = (
    *(Target(kind, source, form) for kind in ("Deployment", "StatefulSet", "DaemonSet") for source, form in _FORMS),
    Target("DaemonSet", "ConfigMap", "binary"),
)
