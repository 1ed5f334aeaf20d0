# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the configuration that a running Prometheus has loaded is the one that was written; pure.

``/api/v1/status/config`` gives the loaded configuration as Prometheus writes it itself: with defaults, secrets blotted
out and durations in its own form (https://prometheus.io/docs/prometheus/latest/querying/api/#config).
"""

from __future__ import annotations

import enum
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.url_secrets import without_userinfo
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import YamlProblem, load

_BLOTTED = ("<secret>",)
_DURATION = re.compile(
    r"(?:(?P<y>\d+)y)?(?:(?P<w>\d+)w)?(?:(?P<d>\d+)d)?(?:(?P<h>\d+)h)?(?:(?P<m>\d+)m)?(?:(?P<s>\d+)s)?(?:(?P<ms>\d+)ms)?"
)
_MILLISECONDS = {"y": 31536000000, "w": 604800000, "d": 86400000, "h": 3600000, "m": 60000, "s": 1000, "ms": 1}
#: What the collection writes of a configuration.
_REMOTE_WRITE = "remote_write"


class Likeness(enum.Enum):
    """How much the loaded configuration is like the written one, in what the collection writes."""

    OTHER = "other"
    SIMILAR = "similar"  # the same targets and signing; other settings differ, or are only written otherwise
    SAME = "same"


def likeness(written: str, loaded: str) -> Likeness:
    """Compare remote_write and the external labels of two configurations. Text that can't be read is OTHER."""
    ours, theirs = _parsed(written), _parsed(loaded)
    if ours is None or theirs is None:
        return Likeness.OTHER
    wanted, found = _entries(ours), _entries(theirs)
    if [_essence(entry) for entry in wanted] != [_essence(entry) for entry in found]:
        return Likeness.OTHER
    same = all(_within(one, other) for one, other in zip(wanted, found, strict=True))
    return Likeness.SAME if same and _within(_labels(ours), _labels(theirs)) else Likeness.SIMILAR


def likeness_of_entries(wanted: t.Sequence[t.Mapping[str, t.Any]], gone: t.Collection[str], loaded: str) -> Likeness:
    """Compare the entries that shall be there, and the URLs that shall not, with a loaded configuration."""
    theirs = _parsed(loaded)
    if theirs is None:
        return Likeness.OTHER
    found = {_essence(entry): entry for entry in _entries(theirs)}
    if any(url in gone for url, _region, _role in found) or any(_essence(entry) not in found for entry in wanted):
        return Likeness.OTHER
    same = all(_within(dict(entry), found[_essence(entry)]) for entry in wanted)
    return Likeness.SAME if same else Likeness.SIMILAR


def _parsed(text: str) -> dict[str, t.Any] | None:
    try:
        value = load(text)
    except YamlProblem:
        return None
    return value if isinstance(value, dict) else ({} if value is None else None)


def _entries(configuration: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    entries = configuration.get(_REMOTE_WRITE)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []


def _labels(configuration: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    section = configuration.get("global")
    labels = section.get("external_labels") if isinstance(section, dict) else None
    return labels if isinstance(labels, dict) else {}


def _essence(entry: t.Mapping[str, t.Any]) -> tuple[str, str, str]:
    sigv4 = entry.get("sigv4")
    signing = sigv4 if isinstance(sigv4, dict) else {}
    url = without_userinfo(str(entry.get("url") or ""))
    return url, str(signing.get("region") or ""), str(signing.get("role_arn") or "")


def _within(wanted: t.Any, found: t.Any) -> bool:
    """Whether ``found`` says all that ``wanted`` says."""
    if found in _BLOTTED:
        return True
    if isinstance(wanted, dict):
        # Prometheus leaves out what is empty or false by default.
        return isinstance(found, dict) and all(
            _within(value, found[key]) if key in found else not value for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(wanted) == len(found)
            and all(_within(one, other) for one, other in zip(wanted, found, strict=True))
        )
    return _plain(wanted) == _plain(found)


def _plain(value: t.Any) -> str:
    """A scalar in one form: durations in milliseconds, URLs without user and password."""
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    text = str(value)
    match = _DURATION.fullmatch(text)
    if match is not None and text:
        return f"{sum(int(match[unit] or 0) * size for unit, size in _MILLISECONDS.items())} ms"
    return without_userinfo(text)
