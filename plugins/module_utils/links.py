# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The links of the proof: what was looked at, what was found, and how the whole is told to a person."""

from __future__ import annotations

import dataclasses
import enum


class Status(enum.Enum):
    """What a link is known to be."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"


class LinkName(enum.Enum):
    """The links in their order. A value is the name in results; :attr:`title` is the one in sentences."""

    DISCOVERY = "discovery"
    TOKEN = "token"  # noqa: S105 - a link's name, not a secret
    PROVIDER = "provider"
    TRUST_POLICY = "trust_policy"
    TOKEN_EXCHANGE = "token_exchange"  # noqa: S105 - a link's name, not a secret
    REMOTE_WRITE = "remote_write"
    READ_BACK = "read_back"

    @property
    def title(self) -> str:
        return self.value.replace("_", " ")


@dataclasses.dataclass(frozen=True)
class Link:
    """One link's verdict. ``tried`` is false for a link that was not looked at because something before it is missing,
    ``missing`` is true when the link's own object does not exist.

    ``expected`` and ``found`` are short texts, empty where there is nothing to compare.
    """

    name: LinkName
    status: Status
    summary: str
    expected: str = ""
    found: str = ""
    fix: str = ""
    tried: bool = True
    missing: bool = False

    def report(self) -> dict[str, str | bool]:
        """The link as a module returns it."""
        return {
            "link": self.name.value,
            "status": self.status.value,
            "tried": self.tried,
            "summary": self.summary,
            "expected": self.expected,
            "found": self.found,
            "fix": self.fix,
        }

    def explanation(self) -> str:
        """The link's name, what is wrong and what to do."""
        title = self.name.title
        return f"{title[0].upper()}{title[1:]}: {self.summary} {self.fix}".strip()

    def drawing(self) -> str:
        if self.status is Status.BROKEN:
            return f"{self.name.title} BROKEN"
        return f"{self.name.title} {self.status.value if self.tried else 'not tried'}"


def ok(name: LinkName, summary: str, *, expected: str = "", found: str = "") -> Link:
    return Link(name, Status.OK, summary, expected, found)


def broken(name: LinkName, summary: str, *, expected: str = "", found: str = "", fix: str = "") -> Link:
    return Link(name, Status.BROKEN, summary, expected, found, fix)


def unknown(name: LinkName, summary: str, *, fix: str = "") -> Link:
    return Link(name, Status.UNKNOWN, summary, fix=fix)


def not_tried(name: LinkName, reason: str) -> Link:
    """A link that was not looked at. ``reason`` completes "not tried because"."""
    return Link(name, Status.UNKNOWN, f"Not tried because {reason}.", tried=False)


@dataclasses.dataclass(frozen=True)
class Proof:
    """All links that were in scope, in order. ``proven_by`` is the link that proves the chain when it is ok."""

    links: tuple[Link, ...]
    proven_by: LinkName

    @property
    def broken(self) -> tuple[Link, ...]:
        return tuple(link for link in self.links if link.status is Status.BROKEN)

    @property
    def healthy(self) -> bool:
        """No link is broken and the one that proves the chain is ok."""
        return not self.broken and any(link.name is self.proven_by and link.status is Status.OK for link in self.links)

    def drawing(self) -> str:
        """The chain as one line: ``discovery ok > token ok > provider BROKEN > ...``."""
        return " > ".join(link.drawing() for link in self.links)

    def failure(self, subject: str, target: str) -> str:
        """The message of a broken chain: where it breaks, the chain, then cause and fix of each broken link."""
        where = _enumeration([link.name.title for link in self.broken])
        details = " ".join(link.explanation() for link in self.broken)
        return f"The trust chain from {subject} to {target} is broken at: {where}. {self.drawing()}. {details}"

    def doubt(self) -> str:
        """Why an unbroken chain is not proven, for a warning; empty when it is."""
        if self.healthy or self.broken:
            return ""
        first = next(link for link in self.links if link.status is Status.UNKNOWN)
        return f"The trust chain is not proven. {self.drawing()}. {first.summary} {first.fix}".strip()


def _enumeration(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
