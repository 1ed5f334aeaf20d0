# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of an issuer's keys are new, old or gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.signing_keys import KeySet

kids = st.lists(st.sampled_from("abcdef"), unique=True).map(tuple)


def test_without_a_rotation_keys_are_just_listed() -> None:
    assert KeySet(("a", "b"), ("a", "b")).report() == [{"kid": "a", "state": "listed"}, {"kid": "b", "state": "listed"}]


def test_after_a_rotation_the_new_key_is_told_from_the_old_ones() -> None:
    keys = KeySet(("a", "b"), ("c", "b"))
    assert keys.report() == [{"kid": "c", "state": "new"}, {"kid": "b", "state": "old"}]
    assert (keys.new, keys.dropped) == (("c",), ("a",))


@given(kids, kids)
def test_every_listed_key_is_reported_once_and_no_other(at_start: tuple[str, ...], listed: tuple[str, ...]) -> None:
    keys = KeySet(at_start, listed)
    assert tuple(entry["kid"] for entry in keys.report()) == listed
    assert set(keys.new) == set(listed) - set(at_start)
    assert set(keys.dropped) == set(at_start) - set(listed)
