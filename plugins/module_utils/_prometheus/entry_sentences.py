# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a remote write entry, in words: said by whoever merges one, recognised by the drift report.

A part of a summary each, so without a capital and without a full stop. ``list_name`` and ``role_setting`` are spelled
as the text or the resource spells them (``remote_write``, ``remoteWrite``).
"""

from __future__ import annotations

import enum
import re

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_secrets import redact_url


class Mistake(enum.Enum):
    """A kind of mistake; the value is what its sentence always says."""

    MISSING = " entry for "
    URL = "correct the entry's url"
    UNSIGNED = "sign requests for "
    REGION = "set sigv4.region"
    CHAINED_ROLE = "assume the chained role "
    OWN_ROLE = "a role can't assume itself"


def missing(list_name: str, url: str, chained_role: str | None) -> str:
    through = f" through the chained role {chained_role}" if chained_role else ""
    return f"add a {list_name}{Mistake.MISSING.value}{url}{through}"


def misspelled_url(url: str, present: str) -> str:
    return f"{Mistake.URL.value} to {url} (it was {redact_url(present)})"


def unsigned(url: str, region: str) -> str:
    return f"{Mistake.UNSIGNED.value}{url} with the pod's web identity (sigv4, region {region})"


def other_region(region: str, present: str) -> str:
    was = f" (it was {present})" if present else ", without which Prometheus signs for no region"
    return f"{Mistake.REGION.value} to {region}{was}"


def other_chained_role(role: str, present: str) -> str:
    return f"{Mistake.CHAINED_ROLE.value}{role}" + (f" (it was {present})" if present else "")


def own_role(role_setting: str, role: str) -> str:
    return f"remove {role_setting} {role}: the pod's web identity is that role already, and {Mistake.OWN_ROLE.value}"


def present_in(summary: str) -> str:
    """What a mistake's sentence says that there is; empty where it names nothing."""
    found = re.search(r"\(it was (.+)\)$", summary) or re.match(r"remove \S+ (\S+): ", summary)
    return found[1] if found else ""


def mistakes_in(summary: str) -> tuple[Mistake, ...]:
    """The mistakes that a change's summary says it repairs; a removal of an entry repairs none."""
    said = {mistake for mistake in Mistake if mistake.value in summary}
    if "add a " not in summary:
        said.discard(Mistake.MISSING)
    return tuple(mistake for mistake in Mistake if mistake in said)
