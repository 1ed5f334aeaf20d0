# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificate chains that the sandbox's listeners send."""

from __future__ import annotations

import hashlib
import socket
import ssl
import typing as t
import urllib.parse

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sandbox import hosts

if t.TYPE_CHECKING:
    from sandbox.server import Sandbox


def _tunnel(proxy_url: str, host: str) -> socket.socket:
    proxy = urllib.parse.urlsplit(proxy_url)
    connection = socket.create_connection((str(proxy.hostname), proxy.port or 0), timeout=5)
    connection.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += connection.recv(1)  # not one byte of the tunnel itself
    assert answer.startswith(b"HTTP/1.1 200 ")
    return connection


def _sent_chain(connection: socket.socket, host: str, ca_file: str) -> list[x509.Certificate]:
    """The certificates as sent, after the chain was verified against the trust bundle and the host name."""
    context = ssl.create_default_context(cafile=ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default since Python 3.13
    with context.wrap_socket(connection, server_hostname=host) as tls:
        if hasattr(tls, "get_unverified_chain"):
            ders = tls.get_unverified_chain()
        else:  # public since Python 3.13 only
            ders = [c.public_bytes(2) for c in tls._sslobj.get_unverified_chain()]  # type: ignore[attr-defined]
    return [x509.load_der_x509_certificate(der) for der in ders]


def _sha1(certificate: x509.Certificate) -> str:
    return hashlib.sha1(certificate.public_bytes(Encoding.DER), usedforsecurity=False).hexdigest()


HOSTS = ["eastus.oic.prod-aks.azure.com", "westeurope.oic.prod-aks.azure.com", *sorted(hosts.CLOUD_HOSTS)]


@pytest.mark.parametrize("host", HOSTS)
def test_leaf_and_intermediate_are_sent_and_verify(sandbox: Sandbox, host: str) -> None:
    chain = _sent_chain(_tunnel(sandbox.proxy_url, host), host, str(sandbox.ca_file))
    leaf, intermediate = chain
    root = x509.load_pem_x509_certificate(sandbox.ca_file.read_bytes())
    leaf.verify_directly_issued_by(intermediate)
    intermediate.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    assert len({leaf, intermediate, root}) == 3
    assert _sha1(intermediate) == sandbox.authority.intermediate_thumbprint


def test_the_issuers_leaf_is_known_by_its_thumbprint(sandbox: Sandbox) -> None:
    host = "northeurope.oic.prod-aks.azure.com"
    leaf, _unused = _sent_chain(_tunnel(sandbox.proxy_url, host), host, str(sandbox.ca_file))
    assert _sha1(leaf) == sandbox.issuer_certificate.leaf_thumbprint
    assert leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    ) == ["*.oic.prod-aks.azure.com"]


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_kubernetes_listeners_are_valid_for_their_loopback_names(sandbox: Sandbox, name: str) -> None:
    for cluster in sandbox.world.clusters:
        address = urllib.parse.urlsplit(cluster.api_server_url)
        connection = socket.create_connection((str(address.hostname), address.port or 0), timeout=5)
        assert len(_sent_chain(connection, name, str(sandbox.ca_file))) == 2


def test_the_trust_bundle_is_the_root_alone(sandbox: Sandbox) -> None:
    (root,) = x509.load_pem_x509_certificates(sandbox.ca_file.read_bytes())
    assert root.issuer == root.subject
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 1)


def test_nothing_verifies_without_the_bundle(sandbox: Sandbox) -> None:
    context = ssl.create_default_context()
    host = hosts.ARM_HOST
    with (
        pytest.raises(ssl.SSLCertVerificationError),
        context.wrap_socket(_tunnel(sandbox.proxy_url, host), server_hostname=host),
    ):
        pass
