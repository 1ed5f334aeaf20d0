# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor: one asyncio process that makes just the requests without which nobody can know that a cluster is in sync.

Each object is read once, whatever many clusters share is read once for all, and no answer is judged beyond what leads
to the next request. The requests, in their order:

========================================  ==========================================================================
once for all clusters
POST login .../oauth2/v2.0/token          a token for Azure Resource Manager, and a second one for Graph
POST sts GetCallerIdentity                the account, which is part of every ARN
GET aps /workspaces, /workspaces/<id>     the workspace that the alias means
for each cluster
GET arm managedClusters/<name>            the two flags and the issuer
GET oidc .well-known/openid-configuration the issuer verbatim
POST iam GetOpenIDConnectProvider         client IDs and thumbprints
POST iam GetRole, GetRolePolicy           trust policy and permission
GET graph applications, servicePrincipals the application by its name, and its principal
GET graph federatedIdentityCredentials    issuer, subject and audience
GET kubernetes serviceaccounts/<name>     annotation and label
GET kubernetes configmaps/<name>          prometheus.yml
GET kubernetes deployments/<name>         the pod's service account, token and environment
POST kubernetes serviceaccounts/token     the token that proves the chain
POST sts AssumeRoleWithWebIdentity        the proof; STS reads discovery and keys of the issuer for it
========================================  ==========================================================================
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import ssl
import sys
import typing as t
import urllib.parse

import aiohttp
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from benchmarks import arena, measure
from demo.runs import ROOT, clean_environment
from sandbox import estate, hosts, manifests, world

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.arena import Place
    from benchmarks.measure import Finished

Json = dict[str, t.Any]

_SECONDS = 300.0
_SECONDS_A_CLUSTER = 10.0
_IAM_VERSION = "2010-05-08"
_STS_VERSION = "2011-06-15"
_FORM = "application/x-www-form-urlencoded; charset=utf-8"
_GRAPH = f"https://{hosts.GRAPH_HOST}/v1.0"
_ARM_VERSION = "2025-10-01"


@dataclasses.dataclass(frozen=True)
class Target:
    """A cluster, as the run is given it."""

    name: str
    server: str
    token: str


def run(place: Place, clusters: tuple[str, ...], connections: int) -> Finished:
    """Check these clusters, as many at a time as there are connections, in a process that is measured."""
    wanted = set(clusters)
    targets = [dataclasses.asdict(one) for one in _targets(place) if one.name in wanted]
    given = {
        "proxy": place.proxy_url,
        "ca_file": str(place.ca_file),
        "connections": connections,
        "targets": targets,
    }
    finished = measure.run(
        [sys.executable, "-m", "benchmarks.floor"],
        environment=clean_environment(),
        folder=ROOT,
        seconds=_SECONDS + _SECONDS_A_CLUSTER * len(clusters),
        given=json.dumps(given),
        sample=True,
    )
    return finished.require("The floor")


def fleet(clusters: int) -> tuple[str, ...]:
    return tuple(map(arena.fleet_name, range(clusters)))


def _targets(place: Place) -> Iterator[Target]:
    config = yaml.safe_load(place.kubeconfig.read_text(encoding="utf-8"))
    tokens = {user["name"]: user["user"]["token"] for user in config["users"]}
    for cluster in config["clusters"]:
        yield Target(cluster["name"], cluster["cluster"]["server"], tokens[cluster["name"]])


# --- the process ------------------------------------------------------------------------------------------------------


class _Client:
    """The requests, over connections that are kept."""

    def __init__(self, session: aiohttp.ClientSession, proxy: str, context: ssl.SSLContext) -> None:
        self._session = session
        self._proxy = proxy
        self._context = context
        self._keys = Credentials(world.CONTROLLER_AWS_ACCESS_KEY, world.CONTROLLER_AWS_SECRET_KEY)

    async def send(
        self,
        method: str,
        url: str,
        *,
        token: str = "",
        body: str | None = None,
        headers: t.Mapping[str, str] | None = None,
        direct: bool = False,
    ) -> str:
        """The text of a good answer; any other one raises RuntimeError, because then nothing was measured."""
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        async with self._session.request(
            method, url, data=body, headers=sent, proxy=None if direct else self._proxy, ssl=self._context
        ) as answer:
            text = await answer.text()
            if answer.status not in (200, 201):
                raise RuntimeError(f"{method} {url} was answered with {answer.status}: {text[:300]}")
            return text

    async def json(self, method: str, url: str, **more: t.Any) -> Json:
        answer: Json = json.loads(await self.send(method, url, **more))
        return answer

    async def query(self, service: str, region: str, host: str, version: str, **parameters: str) -> str:
        """A signed request of AWS' query protocol; the answer is XML."""
        body = urllib.parse.urlencode({"Version": version, **parameters})
        headers = self._signed(service, region, "POST", f"https://{host}/", body, {"Content-Type": _FORM})
        return await self.send("POST", f"https://{host}/", body=body, headers=headers)

    async def workspaces(self, path: str) -> Json:
        url = f"https://aps.{estate.AWS_REGION}.amazonaws.com{path}"
        return await self.json("GET", url, headers=self._signed("aps", estate.AWS_REGION, "GET", url, None, {}))

    def _signed(
        self, service: str, region: str, method: str, url: str, body: str | None, headers: dict[str, str]
    ) -> dict[str, str]:
        request = AWSRequest(method, url, headers=headers, data=body)
        SigV4Auth(self._keys, service, region).add_auth(request)
        return dict(request.headers.items())


@dataclasses.dataclass(frozen=True)
class _Shared:
    """What all clusters need."""

    arm_token: str
    graph_token: str
    account: str


async def _shared(client: _Client) -> _Shared:
    arm, graph = [await _azure_token(client, host) for host in (hosts.ARM_HOST, hosts.GRAPH_HOST)]
    sts = f"sts.{estate.AWS_REGION}.amazonaws.com"
    identity = await client.query("sts", estate.AWS_REGION, sts, _STS_VERSION, Action="GetCallerIdentity")
    account = identity.partition("<Account>")[2].partition("</Account>")[0]
    found = await client.workspaces(f"/workspaces?alias={estate.WORKSPACE_ALIAS}")
    await client.workspaces(f"/workspaces/{found['workspaces'][0]['workspaceId']}")
    return _Shared(arm, graph, account)


async def _azure_token(client: _Client, host: str) -> str:
    body = urllib.parse.urlencode(
        {
            "grant_type": "client_credentials",
            "client_id": world.CONTROLLER_CLIENT_ID,
            "client_secret": world.CONTROLLER_CLIENT_SECRET,
            "scope": f"https://{host}/.default",
        }
    )
    url = f"https://{hosts.LOGIN_HOST}/{world.AZURE_TENANT}/oauth2/v2.0/token"
    answer = await client.json("POST", url, body=body, headers={"Content-Type": _FORM})
    return str(answer["access_token"])


async def _check(client: _Client, shared: _Shared, target: Target) -> None:
    await _cluster_and_iam(client, shared, target)
    await _entra(client, shared, target)
    await _kubernetes(client, target)
    await _proof(client, shared, target)


async def _cluster_and_iam(client: _Client, shared: _Shared, target: Target) -> None:
    group = f"/subscriptions/{world.AZURE_SUBSCRIPTION}/resourceGroups/{estate.RESOURCE_GROUP}"
    path = f"{group}/providers/Microsoft.ContainerService/managedClusters/{target.name}"
    url = f"https://{hosts.ARM_HOST}{path}?api-version={_ARM_VERSION}"
    cluster = await client.json("GET", url, token=shared.arm_token)
    issuer = cluster["properties"]["oidcIssuerProfile"]["issuerURL"]
    document = await client.json("GET", f"{issuer}.well-known/openid-configuration")
    provider = f"arn:aws:iam::{shared.account}:oidc-provider/{document['issuer'].removeprefix('https://')}"
    role = estate.finished_role(target.name)
    for parameters in (
        {"Action": "GetOpenIDConnectProvider", "OpenIDConnectProviderArn": provider},
        {"Action": "GetRole", "RoleName": role},
        {"Action": "GetRolePolicy", "RoleName": role, "PolicyName": "AMP-RemoteWrite"},
    ):
        await client.query("iam", "us-east-1", hosts.IAM_HOST, _IAM_VERSION, **parameters)


async def _entra(client: _Client, shared: _Shared, target: Target) -> None:
    name = urllib.parse.quote(f"displayName eq '{estate.application_name(target.name)}'")
    found = await client.json("GET", f"{_GRAPH}/applications?$filter={name}", token=shared.graph_token)
    (application,) = found["value"]
    for path in (
        f"servicePrincipals(appId='{application['appId']}')",
        f"applications/{application['id']}/federatedIdentityCredentials",
    ):
        await client.json("GET", f"{_GRAPH}/{path}", token=shared.graph_token)


async def _kubernetes(client: _Client, target: Target) -> None:
    for path in (
        f"api/v1/namespaces/{manifests.NAMESPACE}/serviceaccounts/{estate.SERVICE_ACCOUNT}",
        f"api/v1/namespaces/{manifests.NAMESPACE}/configmaps/{manifests.CONFIG_MAP}",
        f"apis/apps/v1/namespaces/{manifests.NAMESPACE}/deployments/{manifests.WORKLOAD}",
    ):
        await client.json("GET", f"{target.server}/{path}", token=target.token, direct=True)


async def _proof(client: _Client, shared: _Shared, target: Target) -> None:
    path = f"api/v1/namespaces/{manifests.NAMESPACE}/serviceaccounts/{estate.SERVICE_ACCOUNT}/token"
    wanted = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600},
    }
    headers = {"Content-Type": "application/json"}
    issued = await client.json(
        "POST", f"{target.server}/{path}", token=target.token, body=json.dumps(wanted), headers=headers, direct=True
    )
    body = urllib.parse.urlencode(
        {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": _STS_VERSION,
            "RoleArn": f"arn:aws:iam::{shared.account}:role/{estate.finished_role(target.name)}",
            "RoleSessionName": "floor",
            "WebIdentityToken": issued["status"]["token"],
            "DurationSeconds": "900",
        }
    )
    url = f"https://sts.{estate.AWS_REGION}.amazonaws.com/"
    await client.send("POST", url, body=body, headers={"Content-Type": _FORM})


async def _worker(client: _Client, shared: _Shared, targets: Iterator[Target]) -> None:
    for target in targets:
        await _check(client, shared, target)


async def _main(given: Json) -> None:
    context = ssl.create_default_context(cafile=given["ca_file"])
    targets = iter([Target(**one) for one in given["targets"]])
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), trust_env=False) as session:
        client = _Client(session, given["proxy"], context)
        shared = await _shared(client)
        async with asyncio.TaskGroup() as group:
            for _unused in range(given["connections"]):
                group.create_task(_worker(client, shared, targets))


if __name__ == "__main__":
    asyncio.run(_main(json.load(sys.stdin)))
