# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The running sandbox: listeners and proxy, which stay, and the services behind them, which a reset replaces."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import secrets
import threading
import typing as t
import uuid

from sandbox import control, estate, hosts, inventory
from sandbox.aws.account import ADMINISTRATOR
from sandbox.control import BadControlRequest
from sandbox.issuer_client import IssuerClient
from sandbox.kubernetes import ApiServer, external
from sandbox.kubernetes.access import EVERYTHING
from sandbox.kubernetes.rbac import rules_of
from sandbox.listener import LOOPBACK, Listener
from sandbox.proxy import Proxy
from sandbox.services import Services
from sandbox.state import Instance, KubeContext, StateFolder
from sandbox.tls import Authority
from sandbox.world import AksCluster, Settings, World

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sandbox.aws import AwsAccount
    from sandbox.faults import Faults
    from sandbox.graph import Directory
    from sandbox.kubernetes.external import ExternalApiServer, ExternalServer
    from sandbox.rights import Rights
    from sandbox.world import Json


_CLUSTER_NAME = re.compile(r"[a-zA-Z0-9]([-_a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")


def _is_cluster(body: Json) -> bool:
    """Whether the sandbox's services find in a body what they need of it."""
    properties = body.get("properties")
    return (
        isinstance(body.get("location"), str)
        and isinstance(properties, dict)
        and isinstance(properties.get("fqdn"), str)
        and isinstance(properties.get("oidcIssuerProfile", {}), dict)
    )


def _nothing() -> None:
    """What happens at a shutdown that nobody waits for."""


class Sandbox:
    """All of the sandbox in this process. It listens from its creation on; :meth:`close` ends it.

    ``folder`` receives what clients need: certificates, kubeconfig, inventory, ``sandbox.json``.
    ``on_shutdown`` is called when the control API is asked to end the sandbox. ``external`` names the clusters whose
    API servers are others than the sandbox's own.
    """

    def __init__(
        self,
        folder: StateFolder,
        settings: Settings | None = None,
        on_shutdown: Callable[[], None] = _nothing,
        external: Mapping[str, ExternalServer] | None = None,
    ) -> None:
        self.folder = folder
        self.instance = secrets.token_hex(16)
        self.shut_down = on_shutdown
        self.authority = Authority()
        self.issuer_certificate = self.authority.server(f"*.{hosts.ISSUER_DOMAIN}")
        self._settings = settings or Settings()
        self._external = dict(external or {})
        self._lock = threading.RLock()
        with contextlib.ExitStack() as stack:
            self._proxy = Proxy(self._route, self._refused)
            stack.callback(self._proxy.close)
            self._services = self._new_services()
            self._issuers = Listener("issuers", self._services.issuers, self.issuer_certificate.context())
            stack.callback(self._issuers.close)
            clouds = self.authority.server(*sorted(hosts.CLOUD_HOSTS))
            self._clouds = Listener("clouds", self._services.clouds, clouds.context())
            stack.callback(self._clouds.close)
            self._kubernetes_certificate = self.authority.server("localhost", LOOPBACK)
            self._kubernetes: dict[str, Listener] = {}
            stack.callback(self._close_kubernetes)
            self._control = Listener("control", control.create_app(self))
            stack.callback(self._control.close)
            self._start()
            self._open = stack.pop_all()

    # What a client needs -----------------------------------------------------------------------------------------

    @property
    def proxy_url(self) -> str:
        return self._proxy.url

    @property
    def control_url(self) -> str:
        return f"http://{LOOPBACK}:{self._control.port}"

    @property
    def ca_file(self) -> Path:
        """The root certificate that clients must trust."""
        return self.folder.ca_file

    @property
    def kubeconfig(self) -> Path:
        """One context a cluster, named like the cluster, with the controller's rights."""
        return self.folder.kubeconfig

    # What a test looks at ----------------------------------------------------------------------------------------

    @property
    def world(self) -> World:
        """The world since the last reset."""
        return self._services.world

    @property
    def aws(self) -> AwsAccount:
        return self._services.aws

    @property
    def directory(self) -> Directory:
        """The Entra tenant's directory."""
        return self._services.directory

    @property
    def faults(self) -> Faults:
        """What goes wrong until the next reset."""
        return self.world.faults

    def cluster(self, name: str) -> AksCluster:
        """Raises BadControlRequest for an unknown name."""
        with self.world.lock:
            found = next((cluster for cluster in self.world.clusters if cluster.name == name), None)
        if found is None:
            raise BadControlRequest(f"The sandbox has no cluster {name!r}.")
        return found

    def api_server(self, name: str) -> ApiServer:
        """The sandbox's own API server of a cluster. Raises BadControlRequest for an unknown name."""
        api_server = self._services.api_servers[self.cluster(name).name]
        if not isinstance(api_server, ApiServer):
            raise BadControlRequest(f"The API server of {name!r} is an external one.")
        return api_server

    def external_api_server(self, name: str) -> ExternalApiServer:
        """The external API server of a cluster. Raises BadControlRequest for an unknown name."""
        api_server = self._services.api_servers[self.cluster(name).name]
        if isinstance(api_server, ApiServer):
            raise BadControlRequest(f"The API server of {name!r} is the sandbox's own.")
        return api_server

    # What changes it ---------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Begin anew with the seeded estate. Addresses and certificates stay; the request log is empty."""
        with self._lock:
            self._services = self._new_services()
            self._seed()
            self._issuers.serve(self._services.issuers)
            self._clouds.serve(self._services.clouds)
            for name in set(self._kubernetes) - set(self._services.api_servers):
                self._kubernetes.pop(name).close()
            self._write_client_files()

    def add_cluster(self, name: str, body: Json | None = None) -> ApiServer | ExternalApiServer:
        """Add a cluster that is in all like ``fresh`` but for the ARM body, when one is given.

        Raises BadControlRequest when the name is malformed or taken, or the body can't be a cluster's.
        """
        if not _CLUSTER_NAME.fullmatch(name):
            raise BadControlRequest(f"{name!r} is no name of an AKS cluster: 1 to 63 letters, digits, '-' and '_'.")
        if body is not None and not _is_cluster(body):
            raise BadControlRequest("A cluster's body has at least a 'location' and 'properties' with an 'fqdn'.")
        with self._lock:
            if any(cluster.name.lower() == name.lower() for cluster in self.world.clusters):
                raise BadControlRequest(f"The sandbox has a cluster {name!r} already.")
            cluster = estate.fresh_cluster(name, str(uuid.uuid4()))
            if body is not None:
                cluster.body = {**body, **{key: cluster.body[key] for key in ("id", "name", "type")}}
            api_server = self._connect(cluster)
            for manifest in estate.fresh_objects(name):
                api_server.seed(manifest)
            self._write_client_files()
            return api_server

    def add_fleet(self, *names: str) -> None:
        """Add clusters that are in all like ``finished`` but for their names, which must not be taken."""
        with self._lock:
            estate.seed_fleet(self._ground(), names)
            self._write_client_files()

    def set_rights(self, rights: Rights) -> None:
        """Let the controller do what these documents allow and nothing else, until the next reset or call.

        Raises BadControlRequest when a cluster's API server is an external one, whose rights are its own.
        """
        names = [cluster.name for cluster in self.world.clusters]
        with self.world.lock:
            self.world.rights = rights
            self.aws.set_controller_policies(*((ADMINISTRATOR,) if rights.aws is None else rights.aws))
            rules = [EVERYTHING] if rights.kubernetes is None else rules_of(rights.kubernetes)
            for name in names:
                self.api_server(name).set_controller_rules(rules)

    def close(self) -> None:
        """Free all ports. The folder is the caller's."""
        self._open.close()

    # For the control API -----------------------------------------------------------------------------------------

    def status(self) -> Json:
        with self.world.lock:
            clusters = [cluster.name for cluster in self.world.clusters]
            samples = len(self.world.samples)
        return {
            **dataclasses.asdict(self._instance()),
            "inventory": str(self.folder.inventory),
            "kubeconfig": str(self.kubeconfig),
            "ca_file": str(self.ca_file),
            "clusters": [self.describe_cluster(name) for name in clusters],
            "settings": dataclasses.asdict(self.world.settings),
            "requests": len(self.world.log.since()),
            "samples": samples,
        }

    def describe_cluster(self, name: str) -> Json:
        """Raises BadControlRequest for an unknown name."""
        cluster = self.cluster(name)
        with self.world.lock:
            return {
                "name": cluster.name,
                "subscription": cluster.subscription,
                "resource_group": cluster.resource_group,
                "location": cluster.location,
                "issuer_url": cluster.issuer_url,
                "issuer_enabled": cluster.issuer_enabled,
                "api_server_url": cluster.api_server_url,
            }

    # -------------------------------------------------------------------------------------------------------------

    def _new_services(self) -> Services:
        return Services.over(World(self._settings), IssuerClient(self.authority, self._proxy.url))

    def _start(self) -> None:
        self.folder.create()
        self._seed()
        self.folder.write_ca(self.authority.root_pem)
        self._write_client_files()
        self.folder.write_instance(self._instance())

    def _instance(self) -> Instance:
        return Instance(self.instance, os.getpid(), self.control_url, self.proxy_url)

    def _seed(self) -> None:
        if self._external:
            external.clear(self._external.values())
        estate.seed(self._ground())

    def _ground(self) -> estate.Ground:
        return estate.Ground(
            world=self.world,
            aws=self.aws,
            directory=self.directory,
            add_cluster=self._connect,
            issuer_leaf_thumbprint=self.issuer_certificate.leaf_thumbprint,
            intermediate_thumbprint=self.authority.intermediate_thumbprint,
        )

    def _connect(self, cluster: AksCluster) -> ApiServer | ExternalApiServer:
        """Take a cluster into the world and serve its API; a name that was served before keeps its port."""
        cluster.api_server_ca = self.authority.root_pem
        api_server = self._services.add_cluster(cluster, self._external.get(cluster.name))
        listener = self._kubernetes.get(cluster.name)
        if listener is None:
            context = self._kubernetes_certificate.context()
            listener = self._kubernetes[cluster.name] = Listener(cluster.name, api_server.app, context)
        else:
            listener.serve(api_server.app)
        cluster.api_server_url = f"https://{LOOPBACK}:{listener.port}"
        return api_server

    def _write_client_files(self) -> None:
        with self.world.lock:
            clusters = tuple(self.world.clusters)
        contexts = [
            KubeContext(cluster.name, cluster.api_server_url, self._services.api_servers[cluster.name].controller_token)
            for cluster in clusters
        ]
        self.folder.write_kubeconfig(contexts, self.authority.root_pem)
        self.folder.write_inventory(inventory.inventory(clusters, self.folder, self.proxy_url))

    def _close_kubernetes(self) -> None:
        for listener in self._kubernetes.values():
            listener.close()

    def _route(self, host: str) -> tuple[str, int] | None:
        if host in hosts.CLOUD_HOSTS:
            return self._clouds.address
        if hosts.is_issuer_host(host):
            return self._issuers.address
        return None

    def _refused(self, method: str, target: str) -> None:
        self.world.log.record(service="proxy", method=method, path=target, operation="Refused", status=403, write=False)
