# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox on which examples are run: it has the objects that the documentation names."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import re
import typing as t
from pathlib import Path

import yaml

from sandbox import estate as seeded
from sandbox import manifests, world
from sandbox.kubernetes.monitoring import definitions
from sandbox.testing import running_sandbox
from tests.unit.plugins.module_utils._resources.prometheus_targets import Target, packed

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server import Sandbox

Json = dict[str, t.Any]

#: Federated clusters; and one that is as the sandbox's ``fresh``.
FEDERATED: t.Final = ("payments-prod", "search-prod", "aks-prod-1", "payments-private")
NEW: t.Final = "payments-new"
#: The cluster of an example that names none.
CLUSTER: t.Final = "payments-prod"
ALIASES: t.Final = {"fleet-metrics": "eu-west-1", "audit-metrics": "eu-west-1"}
#: The ID that examples give the workspace ``fleet-metrics``.
WORKSPACE_ID: t.Final = "ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111"
ROLES: t.Final = ("federation-admin", "metrics-admin", "amp-reader", "amp-writer", "AMP-Writer", "Metrics-Writer")
EXTERNAL_ID: t.Final = "fleet-7"
#: The client ID that examples give the application.
APPLICATION_ID: t.Final = "11111111-2222-3333-4444-555555555555"
NO_GUID: t.Final = "00000000-0000-0000-0000-000000000000"
#: Groups that an inventory plugin would make, which examples limit runs to.
GROUPS: t.Final = {"region_westeurope": ["payments-prod"], "region_northeurope": ["search-prod"]}

_STATEFUL: t.Final = Target("StatefulSet", "Secret", "binary")
_CHART: t.Final = Target("StatefulSet", "ConfigMap")
_EMPTY: t.Final = "global: {}\n"
#: The names that the community's chart gives its objects.
_SERVER: t.Final = "prometheus-server"
_AMP_PATH = re.compile(r"aps:(?P<region>[\w-]+):\d{12}:workspace/(?P<name>ws-[\w-]+)")
_AMP_URL = re.compile(r"aps-workspaces\.(?P<region>[\w-]+)\.amazonaws\.com/workspaces/(?P<name>ws-[\w-]+)")
_ISSUER = re.compile(r"\b\w+\.oic\.prod-aks\.azure\.com/[\w-]+/[\w-]+/")
#: The AWS account of a text; the end of a GUID is none.
_ACCOUNT = re.compile(r"(?<![-\w])\d{12}(?![-\w])")


@dataclasses.dataclass
class DocumentedEstate:
    """The sandbox, and where its files are. ``folder`` takes what examples write."""

    sandbox: Sandbox
    folder: Path
    workspaces: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)

    @property
    def group(self) -> Json:
        """The group ``aks`` of the sandbox's own inventory."""
        loaded: Json = yaml.safe_load(self.sandbox.folder.inventory.read_text(encoding="utf-8"))
        return t.cast("Json", loaded["aks"])

    def host(self, cluster: str = CLUSTER) -> Json:
        """The variables of a cluster's host, the group's included; names are those of a fleet."""
        group = self.group
        return {**group["vars"], **group["hosts"][cluster], "aks_amp_name_suffix": f"-{cluster}"}

    def translated(self, text: str) -> str:
        """A text with the sandbox's own names in place of those that examples use."""
        text = "\n".join(_with_guids(line) for line in text.split("\n"))
        text = _AMP_PATH.sub(lambda m: m[0].replace(m["name"], self._workspace(m["region"], m["name"])), text)
        text = _AMP_URL.sub(lambda m: m[0].replace(m["name"], self._workspace(m["region"], m["name"])), text)
        text = text.replace(WORKSPACE_ID, self.workspaces["eu-west-1", WORKSPACE_ID])
        text = _ISSUER.sub(self.sandbox.cluster(CLUSTER).issuer_url.removeprefix("https://"), text)
        text = text.replace(APPLICATION_ID, self._application_id())
        text = _ACCOUNT.sub(world.AWS_ACCOUNT, text)
        text = re.sub(r"\brg-[a-z][\w-]*", seeded.RESOURCE_GROUP, text)
        return self._with_files(text)

    def _with_files(self, text: str) -> str:
        """Paths of this machine's, and the proxy."""
        text = re.sub(r"~/\.kube/(config|[\w-]+)", lambda m: str(self._kubeconfig(m[1])), text)
        text = re.sub(r"(?<![\w}])(?:/|~/)[\w./-]+\.(?:pem|crt)\b", str(self.sandbox.ca_file), text)
        text = re.sub(r"(?<![\w}/.])(?:/var/lib|/srv)\b", str(self.folder), text)
        text = text.replace("{{ playbook_dir }}", str(self.folder)).replace("{{ inventory_dir }}", str(self.folder))
        return re.sub(r"https?://proxy[\w.:-]*", self.sandbox.proxy_url, text)

    def _application_id(self) -> str:
        applications = self.sandbox.directory.applications()
        return next(str(one["appId"]) for one in applications if one["displayName"] == seeded.APPLICATION_NAME)

    def _kubeconfig(self, name: str) -> Path:
        """A kubeconfig whose current context is that of the cluster whose results examples use."""
        loaded = yaml.safe_load(self.sandbox.kubeconfig.read_text(encoding="utf-8"))
        loaded["current-context"] = CLUSTER
        path = self.folder / f"kubeconfig-{name}"
        path.write_text(yaml.safe_dump(loaded), encoding="utf-8")
        path.chmod(0o600)
        return path

    def _workspace(self, region: str, name: str) -> str:
        """The ID of the workspace that an example names; it is made when it is named first."""
        if (region, name) not in self.workspaces:
            self.workspaces[region, name] = self.sandbox.aws.seed_workspace(f"example-{name[3:11]}", region)
        return self.workspaces[region, name]


def _with_guids(line: str) -> str:
    """A GUID of zeros is the sandbox's own: of the tenant, of the login, or of the subscription."""
    if "tenant" in line:
        return line.replace(NO_GUID, world.AZURE_TENANT)
    return line.replace(NO_GUID, world.CONTROLLER_CLIENT_ID if "client_id" in line else world.AZURE_SUBSCRIPTION)


@contextlib.contextmanager
def documented_estate(folder: Path) -> Iterator[DocumentedEstate]:
    """The running sandbox with all that examples name."""
    with running_sandbox() as sandbox:
        sandbox.add_fleet(*FEDERATED)
        sandbox.add_cluster(NEW)
        for name in (*FEDERATED, NEW):
            _add_prometheus(sandbox, name)
        found = DocumentedEstate(sandbox, folder)
        found.workspaces["eu-west-1", WORKSPACE_ID] = sandbox.aws.workspace_id(seeded.WORKSPACE_ALIAS, "eu-west-1")
        sandbox.aws.seed_workspace("audit-metrics", ALIASES["audit-metrics"])
        _add_roles(sandbox)
        sandbox.cluster("aks-prod-1").body["tags"]["team"] = "payments"
        yield found


def _add_prometheus(sandbox: Sandbox, cluster: str) -> None:
    """The further Prometheus of a cluster: a StatefulSet, and resources of prometheus-operator."""
    api_server = sandbox.api_server(cluster)
    for manifest in (_STATEFUL.config(_EMPTY), _STATEFUL.workload()):
        api_server.seed({**manifest, "metadata": {**manifest["metadata"], "namespace": "observability"}})
    for manifest in (_chart_s(_CHART.config(_EMPTY)), _chart_s(_CHART.workload()), _packed_secret()):
        api_server.seed(manifest)
    for definition in definitions():
        api_server.seed(definition)
    for kind, version, namespace, name in (
        ("Prometheus", "v1", "monitoring", "k8s"),
        ("Prometheus", "v1", "shop", "shop"),
        ("PrometheusAgent", "v1alpha1", "monitoring", "agent"),
    ):
        api_server.seed(
            {
                "apiVersion": f"monitoring.coreos.com/{version}",
                "kind": kind,
                "metadata": {"name": name, "namespace": namespace},
                "spec": {"version": "v3.5.0", "replicas": 1},
            }
        )


def _chart_s(manifest: Json) -> Json:
    """An object under the chart's name; a workload's container, labels and mounted configuration, too."""
    text = json.dumps({**manifest, "metadata": {**manifest["metadata"], "name": _SERVER}})
    text = text.replace(f'"name": "{manifests.CONTAINER}", "image"', f'"name": "{_SERVER}", "image"')
    text = text.replace(f'"app.kubernetes.io/name": "{manifests.WORKLOAD}"', f'"app.kubernetes.io/name": "{_SERVER}"')
    return t.cast("Json", json.loads(text.replace(manifests.CONFIG_MAP, _SERVER)))


def _packed_secret() -> Json:
    """A configuration that is packed, under the key that prometheus-operator uses."""
    metadata = {"name": _SERVER, "namespace": manifests.NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"prometheus.yaml.gz": packed(_EMPTY)}}


def _add_roles(sandbox: Sandbox) -> None:
    """Roles that a controller works as. Any of them may be assumed, with and without an external ID."""
    trust = {"Effect": "Allow", "Principal": {"AWS": world.AWS_ACCOUNT}, "Action": "sts:AssumeRole"}
    rights = {"Effect": "Allow", "Action": ["iam:*", "aps:*", "sts:*"], "Resource": "*"}
    for name in ROLES:
        sandbox.aws.seed_role(name, _policy(trust), {"all": _policy(rights)})


def _policy(statement: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": [copy.deepcopy(statement)]}
