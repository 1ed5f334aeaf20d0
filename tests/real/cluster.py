# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real API servers, one for each cluster of the sandbox: etcd, kube-apiserver and the controllers that are needed.

They listen on loopback only and sign service-account tokens for the issuers that AKS would give the clusters. There is
no kubelet: :mod:`tests.real.kubelet` plays it.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.client
import secrets
import ssl
import typing as t
from pathlib import Path

import trustme
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import estate
from sandbox.kubernetes.external import ExternalServer
from tests.real import kubelet, webhook
from tests.real.programs import LOOPBACK, Program, free_port, started

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.real.parts import Parts

_READY_SECONDS = 90.0
_CONTROLLERS = (
    "namespace",
    "serviceaccount",
    "serviceaccount-token",
    "garbagecollector",
    "deployment",
    "replicaset",
    "statefulset",
    "daemonset",
)
API_AUDIENCE = "https://kubernetes.default.svc"


@dataclasses.dataclass(frozen=True)
class Cluster:
    """A running cluster and how to reach it."""

    name: str
    issuer: str
    kubeconfig: Path
    folder: Path
    node: kubelet.Kubelet
    webhook: webhook.Webhook

    @property
    def external(self) -> ExternalServer:
        return ExternalServer(self.kubeconfig)


@contextlib.contextmanager
def running_clusters(parts: Parts, folder: Path, names: Sequence[str]) -> Iterator[dict[str, Cluster]]:
    """Clusters named as in the sandbox's estate, until the end of the block."""
    with contextlib.ExitStack() as stack:
        etcd = stack.enter_context(_running_etcd(parts, folder))
        starting = [stack.enter_context(_starting(parts, folder / name, name, etcd)) for name in names]
        yield {one.name: stack.enter_context(_populated(parts, one)) for one in starting}


@contextlib.contextmanager
def _running_etcd(parts: Parts, folder: Path) -> Iterator[str]:
    """Give the URL of an etcd that keeps its data in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    client, peer = (f"http://{LOOPBACK}:{free_port()}" for _unused in range(2))
    command: list[str | Path] = [
        *(parts.program("etcd", "etcd"), "--data-dir", folder / "etcd", "--unsafe-no-fsync", "--log-level", "warn"),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"),
    ]
    with started("etcd", command, folder / "etcd.log") as program:
        program.wait_for("answer", lambda: _answers(client, "/health"), _READY_SECONDS)
        yield client


@dataclasses.dataclass(frozen=True)
class _Starting:
    """An API server that was started and need not answer yet."""

    name: str
    issuer: str
    folder: Path
    url: str
    root_pem: str
    program: Program

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def signing_key(self) -> Path:
        return self.folder / "sa.key"

    def ready(self) -> bool:
        return _answers(self.url, "/readyz", self.root_pem)


@contextlib.contextmanager
def _starting(parts: Parts, folder: Path, name: str, etcd: str) -> Iterator[_Starting]:
    folder.mkdir(mode=0o700)
    authority = trustme.CA()
    root_pem = authority.cert_pem.bytes().decode("ascii")
    leaf = authority.issue_cert("localhost", LOOPBACK, "kubernetes.default.svc")
    leaf.private_key_pem.write_to_path(folder / "tls.key")
    for pem in leaf.cert_chain_pems:
        pem.write_to_path(folder / "tls.crt", append=True)
    _write_signing_key(folder)
    token = secrets.token_hex(32)
    (folder / "tokens.csv").write_text(f"{token},admin,admin,system:masters\n", encoding="ascii")
    port = free_port()
    url, issuer = f"https://{LOOPBACK}:{port}", estate.issuer_urls()[name]
    _write_kubeconfig(folder / "kubeconfig", name, url, root_pem, token)
    command: list[str | Path] = [
        parts.program("kubernetes", "kube-apiserver"),
        *(f"--etcd-servers={etcd}", f"--etcd-prefix=/{name}"),
        *(f"--bind-address={LOOPBACK}", f"--advertise-address={LOOPBACK}", f"--secure-port={port}"),
        *(f"--tls-cert-file={folder / 'tls.crt'}", f"--tls-private-key-file={folder / 'tls.key'}"),
        *(f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=RBAC", "--anonymous-auth=true"),
        *(f"--service-account-key-file={folder / 'sa.pub'}", f"--service-account-signing-key-file={folder / 'sa.key'}"),
        *(f"--service-account-issuer={issuer}", f"--service-account-jwks-uri={issuer}openid/v1/jwks"),
        *(f"--api-audiences={API_AUDIENCE}", "--service-cluster-ip-range=10.0.0.0/24"),
        # Pods name service accounts that the tests remove again; the tokens are fetched by the tests.
        *("--disable-admission-plugins=ServiceAccount", f"--cert-dir={folder}"),
        *("--profiling=false", "--event-ttl=1h"),
    ]
    with started(f"kube-apiserver of {name}", command, folder / "kube-apiserver.log") as program:
        yield _Starting(name, issuer, folder, url, root_pem, program)


@contextlib.contextmanager
def _populated(parts: Parts, api: _Starting) -> Iterator[Cluster]:
    """Wait for the API server, and run controllers and a kubelet beside it."""
    api.program.wait_for("answer", api.ready, _READY_SECONDS)
    command: list[str | Path] = [
        parts.program("kubernetes", "kube-controller-manager"),
        *(f"--kubeconfig={api.kubeconfig}", f"--service-account-private-key-file={api.signing_key}"),
        *(f"--controllers={','.join(_CONTROLLERS)}", "--leader-elect=false"),
        *("--secure-port=0", "--port=0", f"--cert-dir={api.folder}", "--profiling=false"),
    ]
    with contextlib.ExitStack() as stack:
        log = api.folder / "kube-controller-manager.log"
        stack.enter_context(started(f"kube-controller-manager of {api.name}", command, log))
        node = stack.enter_context(kubelet.running(ExternalServer(api.kubeconfig)))
        served = stack.enter_context(webhook.running(ExternalServer(api.kubeconfig)))
        yield Cluster(api.name, api.issuer, api.kubeconfig, api.folder, node, served)


def _write_signing_key(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "sa.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    (folder / "sa.pub").write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _write_kubeconfig(file: Path, name: str, url: str, root_pem: str, token: str) -> None:
    authority = base64.b64encode(root_pem.encode()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url, "certificate-authority-data": authority}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    file.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    file.chmod(0o600)


def _answers(url: str, path: str, root_pem: str | None = None) -> bool:
    """Whether a GET is answered with 200."""
    address = url.partition("://")[2]
    connection = (
        http.client.HTTPConnection(address, timeout=5)
        if root_pem is None
        else http.client.HTTPSConnection(address, timeout=5, context=ssl.create_default_context(cadata=root_pem))
    )
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
