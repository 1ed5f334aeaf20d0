# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain that a host sends, read from real TLS servers on loopback: directly and through a CONNECT proxy."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import ssl
import threading
import typing as t

import pytest
import trustme
from cryptography import x509

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import tls_chain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.tls_chain import ChainReader
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Transport

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT_SECONDS = 5.0


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def digest(pem: trustme.Blob) -> str:
    der = ssl.PEM_cert_to_DER_cert(pem.bytes().decode("ascii"))
    return hashlib.sha1(der, usedforsecurity=False).hexdigest()


class Pki:
    """Root, intermediate and a leaf for localhost."""

    def __init__(self) -> None:
        self.root = trustme.CA()
        self.intermediate = self.root.create_child_ca()
        self.leaf = self.intermediate.issue_cert("localhost")

    @property
    def intermediate_name(self) -> str:
        certificate = x509.load_pem_x509_certificate(self.intermediate.cert_pem.bytes())
        return certificate.subject.rfc4514_string()

    def anchor(self, folder: Path) -> str:
        path = folder / "root.pem"
        self.root.cert_pem.write_to_path(path)
        return str(path)


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki()


def serve_tls(listener: socket.socket, certificate: trustme.LeafCert) -> threading.Thread:
    """Answer handshakes until the listener is shut down, and close each connection after its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    def serve() -> None:
        while True:
            try:
                connection, _unused = listener.accept()
            except OSError:
                return  # the test is over
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()  # the client distrusts the certificate

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def server(pki: Pki) -> Iterator[int]:
    """The port of a TLS server that sends leaf and intermediate."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = serve_tls(listener, pki.leaf)
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(WAIT_SECONDS)


@pytest.fixture
def server_on_ipv6(pki: Pki) -> Iterator[int]:
    """The same on the loopback address of IPv6, for that address and for localhost."""
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with listener:
        thread = serve_tls(listener, pki.intermediate.issue_cert("::1", "localhost"))
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(WAIT_SECONDS)


class ConnectProxy:
    """A proxy that leads every CONNECT to one port and keeps the requests' heads."""

    def __init__(self, target: int, *, status: str = "200 OK", host: str = "127.0.0.1") -> None:
        self.heads: list[str] = []
        self._target = (host, target)
        self._status = status
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(WAIT_SECONDS)

    def _serve(self) -> None:
        try:
            client, _unused = self._listener.accept()
        except OSError:
            return
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1)
        self.heads.append(head.decode("ascii"))
        client.sendall(f"HTTP/1.1 {self._status}\r\n\r\n".encode())
        if self._status.startswith("200"):
            with socket.create_connection(self._target) as server:
                back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                back.start()
                self._pump(client, server)
                back.join(WAIT_SECONDS)
        client.close()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return  # either side went away


def test_leaf_first_and_the_last_sent_is_the_intermediate(pki: Pki, server: int, tmp_path: Path) -> None:
    chain = ChainReader(Transport(), [pki.anchor(tmp_path)]).read("localhost", server)
    leaf, intermediate = digest(pki.leaf.cert_chain_pems[0]), digest(pki.intermediate.cert_pem)
    assert (chain.host, chain.thumbprints, chain.distrust) == ("localhost", (leaf, intermediate), "")
    assert [certificate.thumbprint for certificate in chain.certificates] == [leaf, intermediate]
    assert chain.certificates[0].issuer == chain.certificates[1].subject
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", chain.certificates[0].not_after)


def test_an_intermediate_is_enough_of_an_anchor(pki: Pki, server: int, tmp_path: Path) -> None:
    path = tmp_path / "intermediate.pem"
    pki.intermediate.cert_pem.write_to_path(path)
    assert ChainReader(Transport(), [str(path)]).read("localhost", server).distrust == ""


def test_a_chain_that_is_not_publicly_trusted_yields_no_thumbprints(
    pki: Pki, server: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither the transport's CA file nor the environment's makes a chain public.
    anchor = pki.anchor(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", anchor)
    chain = ChainReader(Transport(ca_bundle=anchor), []).read("localhost", server)
    assert chain.thumbprints == ()
    assert "unable to get local issuer certificate" in chain.distrust
    assert chain.authority == pki.intermediate_name  # so that people recognise an inspecting proxy
    assert [certificate.thumbprint for certificate in chain.certificates][-1] == digest(pki.intermediate.cert_pem)


def test_a_certificate_for_another_name_is_not_trusted(pki: Pki, server: int, tmp_path: Path) -> None:
    chain = ChainReader(Transport(), [pki.anchor(tmp_path)]).read("127.0.0.1", server)
    assert chain.thumbprints == ()
    assert "127.0.0.1" in chain.distrust


def test_through_a_proxy_with_a_password(pki: Pki, server: int, tmp_path: Path) -> None:
    proxy = ConnectProxy(server)
    try:
        transport = Transport(https_proxy=f"http://me:p%40ss@{proxy.address}")
        chain = ChainReader(transport, [pki.anchor(tmp_path)]).read("localhost", 443)
    finally:
        proxy.close()
    assert chain.thumbprints[-1] == digest(pki.intermediate.cert_pem)
    (head,) = proxy.heads
    assert head.startswith("CONNECT localhost:443 ")
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'me:p@ss').decode()}\r\n" in head


def test_the_environment_s_proxy_is_used(
    pki: Pki, server: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = ConnectProxy(server)
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    try:
        ChainReader(Transport(), [pki.anchor(tmp_path)]).read("localhost", 443)
    finally:
        proxy.close()
    assert len(proxy.heads) == 1


def test_an_ipv6_address_is_a_host(pki: Pki, server_on_ipv6: int, tmp_path: Path) -> None:
    chain = ChainReader(Transport(), [pki.anchor(tmp_path)]).read("::1", server_on_ipv6)
    assert chain.distrust == ""
    assert chain.thumbprints[-1] == digest(pki.intermediate.cert_pem)


def test_a_name_that_leads_to_ipv6_only(
    pki: Pki, server_on_ipv6: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", server_on_ipv6, 0, 0))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: [answer])
    assert ChainReader(Transport(), [pki.anchor(tmp_path)]).read("localhost", server_on_ipv6).distrust == ""


def test_an_ipv6_address_stands_in_brackets_in_a_tunnel(pki: Pki, server_on_ipv6: int, tmp_path: Path) -> None:
    proxy = ConnectProxy(server_on_ipv6, host="::1")
    try:
        reader = ChainReader(Transport(https_proxy=f"http://{proxy.address}"), [pki.anchor(tmp_path)])
        assert reader.read("::1", 443).distrust == ""
    finally:
        proxy.close()
    assert proxy.heads[0].startswith("CONNECT [::1]:443 HTTP/1.1\r\nHost: [::1]:443\r\n")


@pytest.mark.parametrize("through_proxy", [False, True])
def test_a_host_or_proxy_that_says_nothing_is_given_up(through_proxy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_chain, "TIMEOUT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        port = silent.getsockname()[1]
        transport = Transport(https_proxy=f"http://127.0.0.1:{port}") if through_proxy else Transport()
        with pytest.raises(errors.Unreachable, match=r"certificate chain of localhost: .*timed out"):
            ChainReader(transport, []).read("localhost", port)


def test_a_proxy_that_refuses_is_reported() -> None:
    proxy = ConnectProxy(0, status="403 Forbidden")
    try:
        reader = ChainReader(Transport(https_proxy=f"http://{proxy.address}"), [])
        with pytest.raises(errors.Unreachable, match=r"issuer\.example: Tunnel connection failed: 403") as caught:
            reader.read("issuer.example")
    finally:
        proxy.close()
    assert "https_proxy" in caught.value.fix


def test_a_proxy_that_speaks_tls_is_refused_in_words() -> None:
    reader = ChainReader(Transport(https_proxy="https://proxy.example:3129"), [])
    with pytest.raises(errors.InvalidInput, match="kind 'https'"):
        reader.read("issuer.example")


def test_a_closed_port_is_unreachable() -> None:
    with socket.socket() as unused:  # bound, not listening
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(errors.Unreachable, match="refused"):
            ChainReader(Transport(), []).read("localhost", unused.getsockname()[1])


def test_a_missing_anchor_is_named() -> None:
    with pytest.raises(errors.InvalidInput, match=r"trust_anchors: /nowhere/root\.pem"):
        ChainReader(Transport(), ["/nowhere/root.pem"])


def test_an_anchor_that_is_not_pem_is_named(tmp_path: Path) -> None:
    path = tmp_path / "root.pem"
    path.write_text("no certificate", encoding="ascii")
    with pytest.raises(errors.InvalidInput, match=r"root\.pem can't be read as PEM"):
        ChainReader(Transport(), [str(path)])
