# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags of IAM objects: what to add and what to remove. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html, "Case sensitivity": the objects differ in which keys are
the same.
"""

from __future__ import annotations

import enum
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import InvalidInput
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._ownership import MARK, MARK_KEY

Tags = t.Mapping[str, str]

MAX_TAGS: t.Final = 50
_RESERVED: t.Final = "aws:"
_KEY = re.compile(r"[\w\s.:/=+\-@]{1,128}")
_VALUE = re.compile(r"[\w\s.:/=+\-@]{0,256}")


class KeyCase(enum.Enum):
    """Whether two keys that differ in case only are two, or the same with its case kept."""

    IGNORED = "ignored"  # on roles and users
    COUNTS = "counts"  # on all other objects, such as OIDC providers and managed policies

    def same(self, key: str) -> str:
        """What a key has in common with those that are the same."""
        return key.lower() if self is KeyCase.IGNORED else key


def parse_tags(tags: Tags, case: KeyCase) -> dict[str, str]:
    """The user's tags, checked against IAM's rules and the collection's own key."""
    for key, value in tags.items():
        if key.lower().startswith(_RESERVED) or not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
            raise InvalidInput(
                f"The tag '{key}': '{value}' is not one that IAM takes.",
                fix="Use letters, digits, spaces and . : / = + - @ only, keys of 1 to 128 characters that don't begin "
                f"with {_RESERVED}, and values of at most 256.",
            )
        if key.lower() == MARK_KEY:
            raise InvalidInput(f"The tag '{key}' marks what this collection created.", fix="Choose another key.")
    if len(set(map(case.same, tags))) < len(tags):
        raise InvalidInput("Two of the tags differ in case only.", fix="IAM takes them for the same: leave one out.")
    if len(tags) + len(MARK) > MAX_TAGS:
        raise InvalidInput(f"{len(tags)} tags are too many.", fix=f"IAM takes {MAX_TAGS}, one of which is a mark.")
    return dict(tags)


def to_add(current: Tags, wanted: Tags) -> dict[str, str]:
    """The wanted tags that are missing or have another value."""
    return {key: value for key, value in wanted.items() if current.get(key) != value}


def to_remove(current: Tags, wanted: Tags, case: KeyCase) -> tuple[str, ...]:
    """The keys that nobody asked for; the collection's mark and AWS' own tags stay."""
    kept = {*map(case.same, wanted), MARK_KEY}
    return tuple(key for key in sorted(current) if case.same(key) not in kept and not key.startswith(_RESERVED))


def with_added(current: Tags, added: Tags, case: KeyCase) -> dict[str, str]:
    """The tags after some were set."""
    replaced = set(map(case.same, added))
    return {**{key: value for key, value in current.items() if case.same(key) not in replaced}, **added}


def without(current: Tags, keys: t.Collection[str]) -> dict[str, str]:
    """The tags after some were removed."""
    return {key: value for key, value in current.items() if key not in keys}
