# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which server certificates an IAM OIDC provider names. Pure.

IAM trusts public authorities by itself and asks the list only where that fails, so a wrong list does no harm until the
day it is needed: a leaf's thumbprint has then long been renewed away
(https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html).
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import InvalidInput

#: IAM's limit for a provider.
MAX_THUMBPRINTS: t.Final = 5
AUTO: t.Final = "auto"
UNMANAGED: t.Final = "unmanaged"

_THUMBPRINT = re.compile(r"[0-9a-f]{40}")


def thumbprint(der: bytes) -> str:
    """A certificate's thumbprint as IAM writes it: SHA-1 of its DER form, 40 lower-case hex digits."""
    return hashlib.sha1(der, usedforsecurity=False).hexdigest()  # IAM's identifier; nothing is secured by it here


def is_placeholder(value: str) -> bool:
    """True for forty times the same digit, which people write where a tool demands some thumbprint."""
    return len(set(value)) == 1


@dataclasses.dataclass(frozen=True)
class Certificate:
    """A certificate for people. ``subject`` and ``issuer`` are RFC 4514 names, ``not_after`` is ISO 8601 in UTC."""

    thumbprint: str
    subject: str
    issuer: str
    not_after: str


@dataclasses.dataclass(frozen=True)
class SentChain:
    """What a host sent in its TLS handshake.

    ``thumbprints`` belong to the certificates in the order in which they were sent, leaf first; empty when the chain
    could not be verified, and then ``distrust`` says why. ``certificates`` describe what was sent in either case, in
    the same order.
    """

    host: str
    thumbprints: tuple[str, ...] = ()
    distrust: str = ""
    certificates: tuple[Certificate, ...] = ()

    @property
    def leaf(self) -> str | None:
        return self.thumbprints[0] if self.thumbprints else None

    @property
    def top(self) -> str | None:
        """The last certificate sent, which is the one that IAM asks for; None when the leaf is all there is."""
        return self.thumbprints[-1] if len(self.thumbprints) > 1 else None

    @property
    def authority(self) -> str:
        """Who signed the leaf, empty when the host sent nothing that can be read."""
        return self.certificates[0].issuer if self.certificates else ""


@dataclasses.dataclass(frozen=True)
class Pinning:
    """What was asked for: ``exact`` is the list, None for ``auto`` and ``unmanaged``."""

    automatic: bool = False
    exact: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, values: t.Sequence[str]) -> Pinning:
        """From the option: the single word ``auto`` or ``unmanaged``, or one to five thumbprints."""
        words = tuple(values)
        if words == (AUTO,):
            return cls(automatic=True)
        if words == (UNMANAGED,):
            return cls()
        if not words:
            raise InvalidInput(
                "thumbprints is empty, and IAM can't empty a provider's list.",
                fix=f"Give {UNMANAGED} to leave the list alone, {AUTO}, or the thumbprints.",
            )
        exact = tuple(dict.fromkeys(word.lower() for word in words))
        for value in exact:
            if not _THUMBPRINT.fullmatch(value):
                raise InvalidInput(
                    f"thumbprints: '{value}' is not the SHA-1 of a certificate.",
                    fix=f"Give 40 hex digits without colons, or the single word {AUTO} or {UNMANAGED}.",
                )
            if is_placeholder(value):
                raise InvalidInput(
                    f"thumbprints: '{value}' is a placeholder and fits no certificate.",
                    fix=f"Give {UNMANAGED} if no thumbprint matters.",
                )
        if len(exact) > MAX_THUMBPRINTS:
            raise InvalidInput(f"thumbprints names {len(exact)}, and IAM takes {MAX_THUMBPRINTS}.", fix="Shorten it.")
        return cls(exact=exact)


@dataclasses.dataclass(frozen=True)
class Decision:
    """The list that a provider shall have, or None to leave it to IAM (on creation) or as it is."""

    thumbprints: tuple[str, ...] | None
    warnings: tuple[str, ...] = ()

    def differs_from(self, current: t.Iterable[str]) -> bool:
        """Order and case don't count."""
        return self.thumbprints is not None and set(self.thumbprints) != {value.lower() for value in current}


def decide(pinning: Pinning, current: t.Sequence[str], chains: t.Sequence[SentChain]) -> Decision:
    """The list for a provider that has ``current`` while the issuer's hosts send ``chains``.

    ``auto`` puts the last certificates sent first and keeps older entries behind them, so that a change of authority
    overlaps, up to IAM's limit; entries that equal a live leaf and placeholders go.
    """
    if not pinning.automatic:
        return Decision(pinning.exact)
    distrusted = tuple(
        f"The certificate chain of {chain.host} is not publicly trusted ({_distrust(chain)}), so no thumbprint is "
        "pinned. If an inspecting proxy stands in between, IAM sees another chain; if the host's authority is private, "
        "name its root in trust_anchors."
        for chain in chains
        if chain.distrust
    )
    if distrusted:
        return Decision(None, distrusted)
    leaves = {chain.leaf for chain in chains}
    tops = dict.fromkeys(chain.top for chain in chains if chain.top is not None and chain.top not in leaves)
    lonely = tuple(
        f"{chain.host} sends its own certificate only, and that changes with every renewal, so it is not pinned."
        for chain in chains
        if chain.top is None
    )
    if not tops:
        return Decision(None, lonely)
    older = dict.fromkeys(
        value for value in (entry.lower() for entry in current) if value not in leaves and not is_placeholder(value)
    )
    return Decision(tuple({**tops, **older})[:MAX_THUMBPRINTS], lonely)


def _distrust(chain: SentChain) -> str:
    """Why, and by whose certificate: the name of an inspecting proxy's authority tells people what goes on."""
    return f"{chain.distrust}; issued by {chain.authority}" if chain.authority else chain.distrust


def report(pinned: t.Iterable[str], chains: t.Sequence[SentChain]) -> list[dict[str, object]]:
    """Which certificate each thumbprint is: those that the issuer's hosts send, then pinned ones that no host sends.

    ``role`` is ``leaf``, ``intermediate`` or ``root`` in its host's chain, ``unknown`` for one that is not sent: an
    older one kept for overlap, or one of a list. A chain that is not trusted has no thumbprint that could be pinned.
    ``pinned`` is None where IAM will choose for itself.
    """
    wanted = tuple(dict.fromkeys(value.lower() for value in pinned))
    undecided = any(not _THUMBPRINT.fullmatch(value) for value in wanted)
    found: dict[str, dict[str, object]] = {}
    for chain in chains:
        for number, certificate in enumerate(chain.certificates):
            entry: dict[str, object] = {
                "thumbprint": certificate.thumbprint,
                "pinned": None if undecided and not chain.distrust else certificate.thumbprint in wanted,
                "role": _role(number, certificate),
                "trusted": not chain.distrust,
                "host": chain.host,
                "subject": certificate.subject,
                "issuer": certificate.issuer,
                "not_after": certificate.not_after,
            }
            found.setdefault(certificate.thumbprint, entry)
    unsent = [
        {"thumbprint": value, "pinned": True, "role": "unknown"}
        for value in wanted
        if value not in found and _THUMBPRINT.fullmatch(value)
    ]
    return [*found.values(), *unsent]


def _role(number: int, certificate: Certificate) -> str:
    if number == 0:
        return "leaf"
    return "root" if certificate.subject and certificate.subject == certificate.issuer else "intermediate"
