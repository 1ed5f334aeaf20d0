# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several ``remote_write`` entries for one workspace: which of them is meant, and what Prometheus refuses; pure.

Prometheus does not start with two entries of equal content, name and defaults included, nor with two of one name. The
first of these ``promtool check config`` does not notice. Entries are plain data, spelled as Prometheus or as
prometheus-operator spells them; scalars may be texts.
https://github.com/prometheus/prometheus/blob/main/storage/remote/write.go (``ApplyConfig``)
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import RemoteWrite, is_same_url
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import Fingerprints

Entry = t.Mapping[str, t.Any]

#: What each of several entries is given, because it reaches the workspace by it; all else tells them apart.
FOR_ALL: t.Final = frozenset({"url", "sigv4"})

#: What every version of Prometheus takes for said where it is not said, by names without underscores and capitals.
#: Sizes of queues are left out, ``enable_http2`` too, and a rule's ``regex``: they are not the same in all versions.
_DEFAULTS: t.Final[t.Mapping[str, t.Any]] = {
    "followredirects": True,
    "metadataconfig": {"send": True, "sendinterval": "1m"},
    "queueconfig": {
        "batchsenddeadline": "5s",
        "minbackoff": "30ms",
        "minshards": 1,
        "retryonhttp429": False,
        "retryonratelimit": False,
        "sampleagelimit": "0s",
    },
    "remotetimeout": "30s",
    "sendexemplars": False,
    "sendnativehistograms": False,
    "sigv4": {"usefipsstsendpoint": False},
    # Of each rule. No text is the regex that stands here: an empty one is not the same as none.
    "writerelabelconfigs": {"action": "replace", "regex": "\0", "replacement": "$1", "separator": ";"},
}


def for_each(write: RemoteWrite) -> RemoteWrite:
    """What is asked of those of several entries that are not the one that is meant."""
    return dataclasses.replace(write, name=None, queue_config=None, write_relabel_configs=None)


def only_for_all(asked: Entry) -> dict[str, t.Any]:
    """The same of an entry as plain data, or of what is made of one."""
    return {name: value for name, value in asked.items() if name in FOR_ALL}


def the_one_meant(entries: t.Sequence[Entry], asked: Entry, place: str) -> int | None:
    """Which of the entries for one URL gets the settings that are asked for by name; the others get ``FOR_ALL`` only.

    ``asked`` is an entry with these settings alone. None when each entry has them already, or there are none. It is the
    only one that has all of them, else the one of the wished name. Raises Refused when it can't be told.
    """
    if len(entries) == 1:
        return 0
    contents = _Contents()
    own = [name for name in asked if name not in FOR_ALL]
    right = [index for index, entry in enumerate(entries) if all(contents.says(entry, one, asked[one]) for one in own)]
    if len(right) == len(entries):
        return None
    name = asked.get("name")
    named = [index for index, entry in enumerate(entries) if name and entry.get("name") == name]
    if len(right) == 1:
        return right[0]
    if named:
        return named[0]  # two of one name are for ``refuse_alike``
    left = [one for one in own if not all(contents.says(entry, one, asked[one]) for entry in entries)]
    which = f"shall be called '{name}'" if name else f"gets {' and '.join(left)}"
    give = "that name" if name else "a name and ask for it by that name"
    raise errors.Refused(
        f"{place} has {len(entries)} remote_write entries for {asked['url']}, and which of them {which} can't be told.",
        fix=f"Give one of them {give}, or remove the others.",
    )


def refuse_alike(entries: t.Sequence[object], url: str, name: str | None, place: str) -> None:
    """``entries`` is the whole list as it shall be, ``name`` the one that the entry for ``url`` shall have, if any.

    Raises Refused for two entries for ``url`` that are equal or have one name, and for ``name`` in two entries.
    """
    contents = _Contents()
    names: dict[str, int] = {}
    numbers: dict[int, int] = {}
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, t.Mapping):
            continue
        is_own = is_same_url(str(entry.get("url") or ""), url)
        called = str(entry.get("name") or "")
        first = names.setdefault(called, number) if called and (is_own or called == name) else number
        if first != number:
            raise errors.Refused(
                f"{place} has two remote_write entries called '{called}' (numbers {first} and {number} of its list), "
                "and Prometheus refuses a name twice.",
                fix="Rename or remove one of the two, then rerun.",
                kind="duplicate_entries",
            )
        first = numbers.setdefault(contents.of(entry, _DEFAULTS), number) if is_own else number
        if first != number:
            raise errors.Refused(
                f"{place} has two remote_write entries for {url} (numbers {first} and {number} of its list) that are "
                "equal once both are right, and Prometheus does not start with such a list.",
                fix="Remove one of the two, then rerun.",
                kind="duplicate_entries",
            )


class _Contents:
    """Numbers for entries and their settings: equal ones where Prometheus sees no difference.

    Linear in the size, however often aliases repeat a part. What is numbered must live on.
    """

    def __init__(self) -> None:
        self._numbers = Fingerprints()
        self._known: dict[tuple[int, int], int] = {}

    def of(self, value: object, default: object) -> int:
        """``default`` is a mapping of what counts as said in it, or in each item of a list."""
        try:
            return self._of(value, default)
        except RecursionError:  # nested as deeply as no setting is: like nothing else
            return self._numbers.combine("deep", id(value))

    def _of(self, value: object, default: object) -> int:
        if not isinstance(value, (t.Mapping, list)):
            return self._numbers.combine("scalar", _written(value))
        key = (id(value), id(default))
        if key not in self._known:
            self._known[key] = -1  # an alias inside its own anchor
            self._known[key] = self._of_parts(value, default)
        return self._known[key]

    def says(self, entry: Entry, name: str, wanted: object) -> bool:
        """Whether an entry says a setting that is wanted, or all that is wanted of a section."""
        present, default = entry.get(name), _DEFAULTS.get(_folded(name))
        if not isinstance(wanted, t.Mapping):
            return present is not None and self.of(present, default) == self.of(wanted, default)
        return isinstance(present, t.Mapping) and all(
            key in present and self.of(present[key], None) == self.of(value, None) for key, value in wanted.items()
        )

    def _of_parts(self, value: t.Mapping[str, t.Any] | list[t.Any], default: object) -> int:
        if isinstance(value, list):
            return self._numbers.combine("list", *(self._of(item, default) for item in value))
        defaults = default if isinstance(default, t.Mapping) else {}
        parts = [(name, self._unless_said(value[name], defaults.get(_folded(name)))) for name in sorted(value)]
        return self._numbers.combine("mapping", *(part for part in parts if part[1] is not None))

    def _unless_said(self, value: object, default: object) -> int | None:
        """None for what is the same as nothing."""
        if value is None or value == [] or (value == "" and default is None):
            return None
        number = self._of(value, default)
        if isinstance(value, t.Mapping):
            return None if number == self._numbers.combine("mapping") else number
        return None if default is not None and number == self._of(default, None) else number


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
