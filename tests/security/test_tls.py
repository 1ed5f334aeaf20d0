# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each client goes through the proxy, trusts the given authority, and refuses a certificate of any other one."""

from __future__ import annotations

import dataclasses
import socket
import time
import typing as t
import urllib.parse
from pathlib import Path

import pytest
import trustme
import urllib3

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import azure, entra_exchange
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aks_access import Credential, connection_pool
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.amp import AmpWorkspaces
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.amp_data import DataPlane
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm import ArmClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm_clusters import FleetClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.azure import AzureSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.graph import GraphClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.https import HttpClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam_roles import IamRoles
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.jwks import signing_key_ids
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.oidc_discovery import discover
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.sts import SessionCredentials, TokenExchange
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.tls_chain import ChainReader
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import CONFIG_MAP
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import (
    AksAccess,
    AwsAuth,
    AzureAuth,
    KubeAuth,
    Transport,
)
from sandbox import entra_tokens
from sandbox.listener import Listener
from sandbox.testing import running_sandbox
from sandbox.world import (
    AWS_ACCOUNT,
    AZURE_SUBSCRIPTION,
    AZURE_TENANT,
    CONTROLLER_AWS_ACCESS_KEY,
    CONTROLLER_AWS_SECRET_KEY,
    CONTROLLER_CLIENT_ID,
    CONTROLLER_CLIENT_SECRET,
)
from tests.unit.plugins.azure_estate import RESOURCE_GROUP, FixedCredential

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.server import Sandbox

# The library's generated classes announce the deprecation of classes that nobody here uses.
pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning")

REGION: t.Final = "eu-west-1"
REF: t.Final = ClusterRef(AZURE_SUBSCRIPTION, RESOURCE_GROUP, "finished")
ROLE: t.Final = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-finished"
#: In the words of OpenSSL, which all of the libraries pass on.
REFUSED: t.Final = "CERTIFICATE_VERIFY_FAILED|certificate verify failed"
_VARIABLES: t.Final = (
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
)


@dataclasses.dataclass(frozen=True)
class Way:
    """How a client is led to the sandbox: through which proxy, and with which authority."""

    sandbox: Sandbox
    ca_file: str
    proxy: str | None

    @property
    def transport(self) -> Transport:
        return Transport(self.proxy, self.ca_file)

    @property
    def azure(self) -> AzureAuth:
        return AzureAuth(
            self.transport, tenant=AZURE_TENANT, client_id=CONTROLLER_CLIENT_ID, secret=CONTROLLER_CLIENT_SECRET
        )

    def with_token(self, audience: str) -> AzureSession:
        """A session that has its token already, so that the service itself is the first that is asked."""
        session = AzureSession(self.azure, environ={})
        token = entra_tokens.issue(self.sandbox.world, entra_tokens.CONTROLLER, audience)
        session.credential = t.cast("t.Any", FixedCredential(token))
        return session

    @property
    def aws(self) -> AwsAuth:
        return AwsAuth(self.transport, REGION, None, CONTROLLER_AWS_ACCESS_KEY, CONTROLLER_AWS_SECRET_KEY)

    @property
    def issuer(self) -> str:
        return self.sandbox.cluster("finished").issuer_url

    @property
    def server(self) -> str:
        return self.sandbox.cluster("finished").api_server_url


def _kubernetes(way: Way) -> object:
    token = way.sandbox.api_server("finished").controller_token
    auth = KubeAuth(host=way.server, api_key=token, ca_cert=way.ca_file)
    return KubeClient(auth).get(CONFIG_MAP.at("prometheus-config", "monitoring"))


def _kubernetes_of_azure(way: Way) -> object:
    """Azure's kubeconfig says whom to trust; here it says the given authority."""
    credential = Credential(way.server, Path(way.ca_file).read_text(encoding="ascii"), token="x")
    try:
        return connection_pool(credential, KubeAuth()).request("GET", way.server, retries=False).status
    except urllib3.exceptions.HTTPError as error:
        raise errors.Unreachable(service="Kubernetes", action="reading", detail=str(error)) from error


def _kubernetes_by_azure(way: Way) -> object:
    kube = KubeClient(KubeAuth(aks=AksAccess(way.azure, REF)))
    return kube.get(CONFIG_MAP.at("prometheus-config", "monitoring"))


def _arm(way: Way) -> object:
    session = way.with_token("https://management.azure.com")
    with ArmClient(session, AZURE_SUBSCRIPTION, poll_interval=1, wait_timeout=1) as client:
        return client.get_cluster(REF)


def _graph(way: Way) -> object:
    with GraphClient(way.with_token("https://graph.microsoft.com")) as client:
        return client.applications_by_display_name("Prometheus-AMP-Federation-finished")


def _login(way: Way) -> object:
    with azure.login_errors("Microsoft Entra", "logging in"):
        return AzureSession(way.azure, environ={}).credential.get_token("https://management.azure.com/.default")


def _exchange_with_entra(way: Way) -> object:
    """No application trusts the assertion: that this is said is the answer of the login service."""
    try:
        entra_exchange.exchange(way.azure, tenant_id=AZURE_TENANT, client_id=CONTROLLER_CLIENT_ID, assertion="x.y.z")
    except entra_exchange.ExchangeRefused as refused:
        return refused.codes
    return None


def _exchange_with_sts(way: Way) -> object:
    """The same of STS."""
    try:
        return TokenExchange(way.aws, REGION).exchange(ROLE, "x.y.z", "test")
    except errors.Unreachable:
        raise
    except errors.CloudError as refused:
        return refused.code


def _remote_write(way: Way) -> object:
    """The same of the data plane: the keys are no session's."""
    url = f"https://aps-workspaces.{REGION}.amazonaws.com/workspaces/ws-1/api/v1/remote_write"
    plane = DataPlane(HttpClient(way.transport), SessionCredentials("a", "b", "c"), REGION)
    try:
        return plane.remote_write(url, b"")
    except errors.Unreachable:
        raise
    except errors.CloudError as refused:
        return refused.status


def _thumbprints(way: Way) -> object:
    """A chain that is not trusted is shown, and gives no thumbprints."""
    host = urllib.parse.urlsplit(way.issuer).hostname or ""
    chain = ChainReader(Transport(way.proxy), [way.ca_file]).read(host)
    if chain.distrust:
        assert chain.thumbprints == ()
        raise errors.Unreachable(service="TLS", action="reading", detail=f"certificate verify failed: {chain.distrust}")
    return chain.thumbprints


CLIENTS: t.Final[dict[str, Callable[[Way], object]]] = {
    "the login of Azure": _login,
    "Azure Resource Manager": _arm,
    "the inventory": lambda way: FleetClient(way.with_token("https://management.azure.com")).subscriptions(),
    "Microsoft Graph": _graph,
    "the exchange with Entra": _exchange_with_entra,
    "AWS IAM": lambda way: IamRoles(AwsSession(way.aws)).get("AKS-Prometheus-AMP-Role-finished"),
    "AWS STS": lambda way: AwsSession(way.aws).caller_account(),
    "Amazon Managed Prometheus": lambda way: AmpWorkspaces(AwsSession(way.aws)).list(),
    "the exchange with STS": _exchange_with_sts,
    "remote write": _remote_write,
    "OIDC discovery": lambda way: discover(HttpClient(way.transport), way.issuer),
    "the key set": lambda way: signing_key_ids(HttpClient(way.transport), f"{way.issuer}openid/v1/jwks"),
    "thumbprints": _thumbprints,
    "Kubernetes": _kubernetes,
    "Kubernetes with Azure's kubeconfig": _kubernetes_of_azure,
    "Kubernetes by Azure": _kubernetes_by_azure,
}
#: API servers of the sandbox are on this machine.
WITHOUT_PROXY: t.Final = {"Kubernetes", "Kubernetes with Azure's kubeconfig"}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine decides, and no client waits before it tries again."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)


@pytest.fixture
def stranger(tmp_path: Path) -> str:
    """The authority of somebody else."""
    path = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return str(path)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_given_authority_is_trusted_through_the_proxy(running: Sandbox, client: str) -> None:
    assert CLIENTS[client](Way(running, str(running.ca_file), running.proxy_url))


@pytest.mark.parametrize("client", CLIENTS)
def test_a_certificate_of_an_unknown_authority_is_refused(running: Sandbox, client: str, stranger: str) -> None:
    with pytest.raises(errors.Unreachable, match=REFUSED):
        CLIENTS[client](Way(running, stranger, running.proxy_url))


@pytest.mark.parametrize("client", sorted(CLIENTS.keys() - WITHOUT_PROXY))
def test_nothing_passes_by_the_proxy(running: Sandbox, client: str) -> None:
    """With a proxy that is not there nobody is reached, though the sandbox's own would lead there."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(errors.Unreachable):
        CLIENTS[client](Way(running, str(running.ca_file), f"http://127.0.0.1:{port}"))


def test_a_certificate_for_another_name_is_refused(running: Sandbox) -> None:
    """Of the trusted authority, and of no use here."""
    api_server = running.api_server("finished")
    listener = Listener("other", api_server.app, running.authority.server("other.example").context())
    try:
        auth = KubeAuth(
            host=f"https://127.0.0.1:{listener.port}", api_key=api_server.controller_token, ca_cert=str(running.ca_file)
        )
        with pytest.raises(errors.Unreachable, match=REFUSED):
            KubeClient(auth).get(CONFIG_MAP.at("prometheus-config", "monitoring"))
    finally:
        listener.close()
