# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at a cluster of the sandbox as the diagnosis does, and following its advice: what its tests share."""

from __future__ import annotations

import copy
import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Finding, Link, LinkName, Status
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    Issuer,
    RoleArn,
    ServiceAccount,
    TokenSource,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    CONFIG_MAP,
    OPERATOR_KINDS,
    SECRET,
    WORKLOAD_KINDS,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KubeAuth
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import (
    federated_service_account,
    prometheus_remote_write,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_kube import (
    ClusterChain,
    look_at_cluster_objects,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_wish import PrometheusLook
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_source import TextSource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, ModuleDefinition, Result
from sandbox import manifests
from sandbox.estate import AWS_REGION, SERVICE_ACCOUNT, WORKSPACE_ALIAS
from sandbox.kubernetes import kinds
from sandbox.kubernetes.monitoring import definitions
from sandbox.world import AWS_ACCOUNT
from tests.unit.plugins.module_utils._resources.aws_modules import Clock, params_of

if t.TYPE_CHECKING:
    from sandbox.kubernetes import ApiServer
    from sandbox.kubernetes.access import Rule
    from sandbox.server import Sandbox

Json = dict[str, t.Any]

NAMESPACE = manifests.NAMESPACE
CLUSTER = "finished"


class Ward:
    """One cluster, healthy to begin with: ``finished`` is federated by hand."""

    def __init__(self, sandbox: Sandbox, cluster: str = CLUSTER) -> None:
        self.sandbox = sandbox
        self.cluster = cluster
        workspace = sandbox.aws.workspace_id(WORKSPACE_ALIAS, AWS_REGION)
        self.url = f"https://aps-workspaces.{AWS_REGION}.amazonaws.com/workspaces/{workspace}/api/v1/remote_write"
        self.role = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-{cluster}"

    @property
    def server(self) -> ApiServer:
        return self.sandbox.api_server(self.cluster)

    # Looking ------------------------------------------------------------------------------------------------------

    def chain(self, **changes: t.Any) -> ClusterChain:
        source = changes.get("source", TokenSource.PROJECTED)
        chain = ClusterChain(
            issuer=Issuer.parse(self.sandbox.cluster(self.cluster).issuer_url),
            audience=source.audience,
            source=source,
            account=ServiceAccount(NAMESPACE, SERVICE_ACCOUNT),
            role=RoleArn.parse(self.role),
            region=AWS_REGION,
            remote_write_url=self.url,
        )
        return dataclasses.replace(chain, **changes)

    def prometheus(
        self, kind: str = "Deployment", name: str = manifests.WORKLOAD, *, secret: bool = False, **changes: t.Any
    ) -> PrometheusLook:
        reference = {**WORKLOAD_KINDS, **OPERATOR_KINDS}[kind].at(name, NAMESPACE)
        holder = (SECRET if secret else CONFIG_MAP).at(manifests.CONFIG_MAP, NAMESPACE)
        source = None if kind in OPERATOR_KINDS else TextSource(holder, manifests.CONFIG_KEY)
        look = PrometheusLook(reference, source, container=None, version=None, chained_role_arn=None)
        return dataclasses.replace(look, **changes)

    def look(
        self, chain: ClusterChain | None = None, *prometheus: PrometheusLook, token: str | None = None
    ) -> dict[LinkName, Link]:
        """The links by their names; without anything else at the Deployment ``prometheus``."""
        client = self.client(token)
        found = look_at_cluster_objects(client, chain or self.chain(), prometheus or (self.prometheus(),))
        for link in found:
            assert_presentable(link)
        return {link.name: link for link in found}

    def client(self, token: str | None = None) -> KubeClient:
        values: Json = {"kubeconfig": str(self.sandbox.kubeconfig), "context": self.cluster}
        if token is not None:
            values = {
                "host": self.sandbox.cluster(self.cluster).api_server_url,
                "api_key": token,
                "ca_cert": str(self.sandbox.ca_file),
            }
        params = params_of(federated_service_account.DEFINITION, {"namespace": "x", "name": "x", **values})
        return KubeClient(KubeAuth.from_params(params))

    def user(self, *rules: Rule) -> str:
        """The token of a user with these rights and no others."""
        token = "a-caller-with-few-rights"
        self.server.grant(token, rules)
        return token

    # Changing -----------------------------------------------------------------------------------------------------

    def get(self, kind: str, name: str) -> Json:
        found = self.server.get(kind, NAMESPACE, name)
        assert found is not None
        return found

    def change(self, kind: str, name: str, change: t.Callable[[Json], None]) -> Json:
        """Somebody changes an object; the controllers follow."""
        body = copy.deepcopy(self.get(kind, name))
        change(body)
        for field in ("resourceVersion", "uid", "generation", "managedFields", "creationTimestamp"):
            body["metadata"].pop(field, None)
        body.pop("status", None)
        return self.server.seed(body)

    def change_template(self, change: t.Callable[[Json], None], kind: str = "Deployment") -> None:
        self.change(kind, manifests.WORKLOAD, lambda body: change(body["spec"]["template"]))

    def change_text(self, *replacements: tuple[str, str]) -> None:
        """Somebody edits ``prometheus.yml``."""

        def edit(body: Json) -> None:
            for old, new in replacements:
                assert old in body["data"][manifests.CONFIG_KEY]
                body["data"][manifests.CONFIG_KEY] = body["data"][manifests.CONFIG_KEY].replace(old, new)

        self.change("ConfigMap", manifests.CONFIG_MAP, edit)

    def seed_operator(self, kind: str, **spec: t.Any) -> None:
        """prometheus-operator's definitions, and a resource ``k8s`` of this kind."""
        for definition in definitions():
            self.server.seed(definition)
        metadata = {"name": "prometheus-k8s", "namespace": NAMESPACE}
        self.server.seed({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        version = "v1" if kind == "Prometheus" else "v1alpha1"
        self.server.seed(
            {
                "apiVersion": f"monitoring.coreos.com/{version}",
                "kind": kind,
                "metadata": {"name": "k8s", "namespace": NAMESPACE},
                "spec": {"version": "v3.5.0", "replicas": 2, "serviceAccountName": "prometheus-k8s", **spec},
            }
        )

    def delete(self, path: str) -> None:
        headers = {"Authorization": f"Bearer {self.server.controller_token}"}
        assert self.server.app.test_client().delete(path, headers=headers).status_code == 200

    def pods(self) -> list[Json]:
        """Those of Prometheus, as they are stored."""
        found = self.server._store.select(kinds.PODS, NAMESPACE)  # the store has no public list
        return [pod for pod in found if pod["metadata"]["name"].startswith("prom")]

    def restart(self) -> None:
        """What ``kubectl rollout restart`` brings about."""
        for pod in self.pods():
            self.delete(f"/api/v1/namespaces/{NAMESPACE}/pods/{pod['metadata']['name']}")

    def say(self, text: str, *, age: float = 0.0) -> None:
        """The running Prometheus logs something."""
        for pod in self.pods():
            self.server.write_log(NAMESPACE, pod["metadata"]["name"], f"{text}\n", "prometheus", age=age)

    # Following the advice -----------------------------------------------------------------------------------------

    def run(self, definition: ModuleDefinition, **options: t.Any) -> Result:
        values = {"kubeconfig": str(self.sandbox.kubeconfig), "context": self.cluster, **options}
        clock = Clock()
        context = Context(check_mode=False, sleep=clock.sleep, monotonic=clock.monotonic)
        return definition.run(params_of(definition, values), context)

    def run_service_account(self, **options: t.Any) -> Result:
        values = {"namespace": NAMESPACE, "name": SERVICE_ACCOUNT, **options}
        return self.run(federated_service_account.DEFINITION, **values)

    def run_prometheus(self, **options: t.Any) -> Result:
        values = {
            "namespace": NAMESPACE,
            "configmap": manifests.CONFIG_MAP,
            "workload_name": manifests.WORKLOAD,
            "service_account": SERVICE_ACCOUNT,
            "role_arn": self.role,
            "region": AWS_REGION,
            "remote_write_url": self.url,
            **options,
        }
        chosen = {name: value for name, value in values.items() if value is not None}
        return self.run(prometheus_remote_write.DEFINITION, **chosen)


def assert_presentable(link: Link) -> None:
    """What holds for every link: kinds begin with its name, causes and fixes are sentences, no secret is in it."""
    assert (link.status is Status.BROKEN) == any(one.severity.value == "high" for one in link.findings)
    for one in link.findings:
        assert one.kind.startswith(f"{link.name.value}_"), one
        assert one.cause[0].isupper() or one.cause.startswith("prometheus.yml"), one
        assert one.cause.endswith("."), one
        assert one.fix.endswith("."), one
        assert all(ord(letter) >= 32 for text in dataclasses.astuple(one)[2:7] for letter in str(text)), one
    assert "eyJ" not in repr(link)


def findings(links: t.Mapping[LinkName, Link]) -> list[Finding]:
    return [one for link in links.values() for one in link.findings]


def kinds_of(links: t.Mapping[LinkName, Link]) -> list[str]:
    return [one.kind for one in findings(links)]


def healthy(links: t.Mapping[LinkName, Link]) -> bool:
    """No finding anywhere, and nothing unseen. Fails the test with what was found otherwise."""
    assert [one for link in links.values() for one in link.findings] == []
    assert [link for link in links.values() if link.status is not Status.OK] == []
    return True
