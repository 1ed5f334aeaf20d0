# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All services of the sandbox over one world. Resetting the sandbox means to make a new set of them."""

from __future__ import annotations

import dataclasses
import typing as t

from werkzeug.wrappers import Request, Response

from sandbox import arm, fault_answers, graph, hosts, login, oidc
from sandbox.aws import AwsAccount
from sandbox.graph import Directory
from sandbox.hosts import without_port
from sandbox.kubernetes import ApiServer
from sandbox.kubernetes.external import ExternalApiServer

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from sandbox.issuer_client import IssuerClient
    from sandbox.kubernetes.external import ExternalServer
    from sandbox.world import AksCluster, World


class HostDispatcher:
    """A WSGI application that hands each request to the application of its ``Host``; 421 for an unknown one."""

    def __init__(self, applications: Mapping[str, WSGIApplication]) -> None:
        self._applications = dict(applications)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = without_port(Request(environ).host)
        application = self._applications.get(host)
        if application is None:
            return Response(f"No service of the sandbox is called {host!r}.\n", 421)(environ, start_response)
        return application(environ, start_response)


@dataclasses.dataclass(frozen=True)
class Services:
    """One world and the services over it."""

    world: World
    aws: AwsAccount
    directory: Directory
    clouds: WSGIApplication  # dispatches by host
    issuers: WSGIApplication
    api_servers: dict[str, ApiServer | ExternalApiServer] = dataclasses.field(
        default_factory=dict
    )  # by the cluster's name

    @classmethod
    def over(cls, world: World, issuer_client: IssuerClient) -> Services:
        """The services over a world without clusters. AWS reaches the clusters' issuers by this client."""
        world.faults.answer = fault_answers.answer
        aws = AwsAccount(world, fetch=issuer_client.fetch, top_thumbprint=issuer_client.top_thumbprint)
        directory = Directory(world)
        aws_application = aws.create_wsgi()
        clouds = HostDispatcher(
            {
                **dict.fromkeys(hosts.ARM_HOSTS, arm.create_app(world)),
                **dict.fromkeys(hosts.GRAPH_HOSTS, graph.create_app(world, directory)),
                **dict.fromkeys(hosts.LOGIN_HOSTS, login.create_app(world, directory)),
                **dict.fromkeys(hosts.AWS_HOSTS, aws_application),
            }
        )
        return cls(world=world, aws=aws, directory=directory, clouds=clouds, issuers=oidc.create_app(world))

    def add_cluster(self, cluster: AksCluster, external: ExternalServer | None = None) -> ApiServer | ExternalApiServer:
        """Take a cluster into the world and give it an API server: the external one, or one of the sandbox's own."""
        api_server = (
            ApiServer(self.world, cluster) if external is None else ExternalApiServer(self.world, cluster, external)
        )
        cluster.api_server_app = api_server.app
        with self.world.lock:
            self.world.clusters.append(cluster)
            self.api_servers[cluster.name] = api_server
        return api_server
