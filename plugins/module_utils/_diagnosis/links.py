# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The links of the proof: what was looked at, what was found, and how the whole is told to a person."""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals.explain import UNEXPLAINED
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity


class Status(enum.Enum):
    """What a link is known to be."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"


class LinkName(enum.Enum):
    """The links in their order. A value is the name in results; :attr:`title` is the one in sentences."""

    CLUSTER = "cluster"
    DISCOVERY = "discovery"
    TOKEN = "token"  # noqa: S105 - a link's name, not a secret
    PROVIDER = "provider"
    TRUST_POLICY = "trust_policy"
    PERMISSION = "permission"
    WORKSPACE = "workspace"
    ENTRA = "entra"
    SERVICE_ACCOUNT = "service_account"
    WEBHOOK = "webhook"
    POD_TEMPLATE = "pod_template"
    CONFIGURATION = "configuration"
    PODS = "pods"
    TOKEN_EXCHANGE = "token_exchange"  # noqa: S105 - a link's name, not a secret
    CHAINED_ROLE = "chained_role"
    REMOTE_WRITE = "remote_write"
    READ_BACK = "read_back"
    LABELS = "labels"
    ENTRA_EXCHANGE = "entra_exchange"
    INSIDE = "inside"

    @property
    def title(self) -> str:
        return "Entra exchange" if self is LinkName.ENTRA_EXCHANGE else self.value.replace("_", " ")

    @property
    def rank(self) -> int:
        """Its place in the chain."""
        return list(LinkName).index(self)


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is wrong. ``kind`` is its name for programs; ``cause`` and ``fix`` are sentences.

    ``expected`` and ``found`` are short texts, empty where there is nothing to compare. ``source`` is the error's text
    as a service said it, ``ruled_out`` names links that are in order where the cause is not known.
    """

    kind: str
    severity: Severity
    cause: str
    expected: str = ""
    found: str = ""
    fix: str = ""
    source: str = ""
    ruled_out: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Link:
    """One link's verdict. ``tried`` is false for a link that was not looked at because something before it is missing,
    ``missing`` is true when the link's own object does not exist.

    ``expected`` and ``found`` are short texts, empty where there is nothing to compare. A broken link has a finding at
    least; one that is in order may have some that keep nothing from working.
    """

    name: LinkName
    status: Status
    summary: str
    expected: str = ""
    found: str = ""
    fix: str = ""
    tried: bool = True
    missing: bool = False
    findings: tuple[Finding, ...] = ()

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


def run_step(step: str) -> str:
    """The advice to run a step of the collection."""
    return f"Run the step {step} (federate.yml --tags {step})."


def ok(name: LinkName, summary: str, *, expected: str = "", found: str = "") -> Link:
    return Link(name, Status.OK, summary, expected, found)


def broken(
    name: LinkName,
    summary: str,
    *,
    kind: str,
    expected: str = "",
    found: str = "",
    fix: str = "",
    cause: str = "",
    source: str = "",
) -> Link:
    """A link with one grave finding. ``kind`` is the finding's, without the link's name, which is put before it;
    ``cause`` is told where the summary quotes a service."""
    finding = Finding(f"{name.value}_{kind}", Severity.HIGH, cause or summary, expected, found, fix, source)
    return Link(name, Status.BROKEN, summary, expected, found, fix, findings=(finding,))


def unknown(name: LinkName, summary: str, *, fix: str = "") -> Link:
    return Link(name, Status.UNKNOWN, summary, fix=fix)


def not_tried(name: LinkName, reason: str) -> Link:
    """A link that was not looked at. ``reason`` completes "not tried because"."""
    return Link(name, Status.UNKNOWN, f"Not tried because {reason}.", tried=False)


def judged(
    name: LinkName, findings: t.Sequence[Finding], summary: str, *, unseen: str = "", seen_fix: str = ""
) -> Link:
    """A link with what was found in it; ``summary`` is what holds when nothing was.

    A grave finding breaks it. ``unseen`` says what could not be read, ``seen_fix`` what would let it be: the link is
    unknown then, unless what was seen breaks it already.
    """
    ordered = tuple(sorted(findings, key=lambda finding: finding.severity.rank))
    status = Status.UNKNOWN if unseen else Status.OK
    if any(finding.severity is Severity.HIGH for finding in ordered):
        status = Status.BROKEN
    shown = [finding.cause for finding in ordered] or ([] if unseen else [summary])
    return Link(
        name,
        status,
        " ".join(_unique([*shown, *([unseen] if unseen else [])])),
        expected="; ".join(_unique([finding.expected for finding in ordered if finding.expected])),
        found="; ".join(_unique([finding.found for finding in ordered if finding.found])),
        fix=" ".join(_unique([finding.fix for finding in ordered if finding.fix] + ([seen_fix] if seen_fix else []))),
        findings=ordered,
    )


@dataclasses.dataclass(frozen=True)
class Proof:
    """All links that were in scope, in order. ``proven_by`` is the link that proves the chain when it is ok."""

    links: tuple[Link, ...]
    proven_by: LinkName

    @property
    def broken(self) -> tuple[Link, ...]:
        return tuple(link for link in self.links if link.status is Status.BROKEN)

    @property
    def findings(self) -> tuple[tuple[Link, Finding], ...]:
        """The gravest first, then in the order of the chain. What is not explained says what was ruled out."""
        in_order = tuple(link.name.value for link in self.links if link.status is Status.OK)
        found = [
            (link, dataclasses.replace(finding, ruled_out=in_order) if is_unexplained(finding) else finding)
            for link in self.links
            for finding in link.findings
        ]
        return tuple(sorted(found, key=lambda item: item[1].severity.rank))

    def from_severity(self, least: Severity) -> tuple[tuple[Link, Finding], ...]:
        """The findings that are at least so grave."""
        return tuple(item for item in self.findings if item[1].severity.rank <= least.rank)

    @property
    def healthy(self) -> bool:
        """No link is broken and the one that proves the chain is ok."""
        return not self.broken and any(link.name is self.proven_by and link.status is Status.OK for link in self.links)

    def report(self) -> list[dict[str, object]]:
        """The findings as a module returns them."""
        return [
            {
                "link": link.name.value,
                "kind": finding.kind,
                "severity": finding.severity.value,
                "cause": finding.cause,
                "expected": finding.expected,
                "found": finding.found,
                "fix": finding.fix,
                "source": finding.source,
                "ruled_out": list(finding.ruled_out),
            }
            for link, finding in self.findings
        ]

    def drawing(self) -> str:
        """The chain as one line: ``discovery ok > token ok > provider BROKEN > ...``."""
        return " > ".join(link.drawing() for link in self.links)

    def text(self, subject: str, target: str) -> list[str]:
        """The whole for a person, line by line: the chain, each finding with both sides, and what is not known."""
        lines = [f"From {subject} to {target}:", self.drawing()]
        for link, finding in self.findings:
            lines += ["", f"{finding.severity.value.upper()} {link.name.title}: {finding.cause}"]
            if finding.expected or finding.found:
                lines.append(f"    should be: {finding.expected or 'nothing'}")
                lines.append(f"    is:        {finding.found or 'nothing'}")
            if finding.source and finding.source not in (finding.found, finding.cause):
                lines.append(f"    said by the service: {finding.source}")
            if finding.ruled_out:
                lines.append(f"    ruled out, because in order: {', '.join(finding.ruled_out)}")
            if finding.fix:
                lines.append(f"    fix: {finding.fix}")
        unknown_links = [link for link in self.links if link.status is Status.UNKNOWN and link.tried]
        lines += ["", *(f"unknown {link.explanation()}" for link in unknown_links)] if unknown_links else []
        return lines

    def failure(self, subject: str, target: str, least: Severity = Severity.HIGH) -> str:
        """The message of a chain that fails: where it breaks, the chain, then cause and fix of each link concerned."""
        concerned = {link.name for link, _finding in self.from_severity(least)}
        links = [link for link in self.links if link.name in concerned or link.status is Status.BROKEN]
        where = _enumeration([link.name.title for link in self.broken])
        details = " ".join(link.explanation() for link in links)
        chain = f"The trust chain from {subject} to {target}"
        verdict = f"{chain} is broken at: {where}." if where else f"{chain} is not broken, but not in order either."
        return f"{verdict} {self.drawing()}. {details}"

    def doubt(self) -> str:
        """Why an unbroken chain is not proven, for a warning; empty when it is."""
        if self.healthy or self.broken:
            return ""
        first = next(link for link in self.links if link.status is Status.UNKNOWN)
        return f"The trust chain is not proven. {self.drawing()}. {first.summary} {first.fix}".strip()


def is_unexplained(finding: Finding) -> bool:
    return finding.kind.endswith(UNEXPLAINED)


def _unique(texts: t.Sequence[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _enumeration(items: list[str]) -> str:
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"
