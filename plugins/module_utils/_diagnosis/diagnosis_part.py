# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was found while one link was looked at in one place; several places make one link. Pure."""

from __future__ import annotations

import dataclasses

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.link_errors import failed
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Finding, Link, LinkName, judged
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_logs import clean
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity


@dataclasses.dataclass(frozen=True)
class Part:
    """``holds`` is a sentence for what is in order, ``unseen`` what could not be read, ``rights`` what would let it."""

    findings: tuple[Finding, ...] = ()
    unseen: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    holds: str = ""

    @property
    def sound(self) -> bool:
        """Nothing grave was found, and everything was seen."""
        return not self.unseen and all(finding.severity is not Severity.HIGH for finding in self.findings)


def together(*parts: Part) -> Part:
    """One part of several; what holds is said by those that are in order."""
    return Part(
        tuple(finding for part in parts for finding in part.findings),
        tuple(dict.fromkeys(text for part in parts for text in part.unseen)),
        tuple(dict.fromkeys(text for part in parts for text in part.rights)),
        " ".join(part.holds for part in parts if part.holds and part.sound),
    )


def link_of(name: LinkName, *parts: Part) -> Link:
    whole = together(*parts)
    return judged(name, whole.findings, whole.holds, unseen=" ".join(whole.unseen), seen_fix=" ".join(whole.rights))


def failed_part(name: LinkName, error: Exception) -> Part:
    """What an error while reading says: a missing right leaves things unseen, all else is a finding."""
    link = failed(name, error)
    if not link.findings:
        return Part(unseen=(clean(link.summary),), rights=(link.fix,) if link.fix else ())
    return Part(
        tuple(dataclasses.replace(one, cause=clean(one.cause), source=clean(one.source)) for one in link.findings)
    )


def finding(
    name: LinkName,
    ending: str,
    cause: str,
    *,
    severity: Severity = Severity.HIGH,
    expected: str = "",
    found: str = "",
    fix: str = "",
    source: str = "",
) -> Finding:
    """A finding whose kind begins with its link's name. What others wrote is cleaned."""
    return Finding(f"{name.value}_{ending}", severity, cause, clean(expected), clean(found), fix, clean(source))
