# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's certificates: a root, an intermediate and the listeners' leaves.

A listener sends its leaf and the intermediate, as public sites do; the root is in the clients' trust bundle only.
IAM's thumbprint is that of the last certificate sent, so here it is the intermediate's.
"""

from __future__ import annotations

import hashlib
import ssl

import trustme

_ORGANIZATION = "crosscloud.aks_amp sandbox"


class Authority:
    """The certificate authority of one running sandbox. Its keys never leave the process."""

    def __init__(self) -> None:
        self._root = trustme.CA(
            organization_name=_ORGANIZATION, organization_unit_name="Sandbox Root CA", path_length=1
        )
        self._intermediate = trustme.CA(
            parent_cert=self._root,
            organization_name=_ORGANIZATION,
            organization_unit_name="Sandbox TLS Issuing CA",
            path_length=0,
        )

    @property
    def root_pem(self) -> str:
        """The root certificate, PEM: what a client must trust."""
        return self._root.cert_pem.bytes().decode("ascii")

    @property
    def intermediate_thumbprint(self) -> str:
        """The SHA-1 fingerprint of the intermediate certificate, 40 lower-case hex digits, as IAM stores it."""
        return thumbprint(self._intermediate.cert_pem.bytes())

    def server(self, *names: str) -> ServerCertificate:
        """Issue a leaf for these DNS names (a wildcard stands for one label) and IP addresses."""
        return ServerCertificate(
            self._intermediate.issue_cert(*names, organization_name=_ORGANIZATION, common_name=names[0])
        )


class ServerCertificate:
    """One listener's leaf, its key and the intermediate."""

    def __init__(self, leaf: trustme.LeafCert) -> None:
        self._leaf = leaf

    @property
    def leaf_thumbprint(self) -> str:
        """The SHA-1 fingerprint of the leaf, 40 lower-case hex digits."""
        return thumbprint(self._leaf.cert_chain_pems[0].bytes())

    def context(self) -> ssl.SSLContext:
        """A server's TLS settings that send leaf and intermediate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._leaf.configure_cert(context)
        return context


def thumbprint(certificate_pem: bytes) -> str:
    """The SHA-1 fingerprint of a PEM certificate as IAM writes it: 40 lower-case hex digits without colons."""
    der = ssl.PEM_cert_to_DER_cert(certificate_pem.decode("ascii"))
    return hashlib.sha1(der, usedforsecurity=False).hexdigest()
