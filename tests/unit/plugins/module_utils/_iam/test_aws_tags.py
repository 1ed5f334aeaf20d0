# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags of IAM objects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import InvalidInput
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import aws_tags
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam.aws_tags import KeyCase
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._ownership import MARK, MARK_KEY


def test_missing_and_different_tags_are_added() -> None:
    assert aws_tags.to_add({"a": "1", "b": "2"}, {"a": "1", "b": "3", "c": ""}) == {"b": "3", "c": ""}


@pytest.mark.parametrize("case", KeyCase)
def test_the_mark_and_aws_own_tags_are_never_removed(case: KeyCase) -> None:
    current = {"old": "x", "aws:cloudformation:stack": "y", **MARK}
    assert aws_tags.to_remove(current, {}, case) == ("old",)


def test_where_case_is_ignored_a_key_in_another_case_is_replaced() -> None:
    assert aws_tags.with_added({"Team": "a", "x": "1"}, {"team": "b"}, KeyCase.IGNORED) == {"x": "1", "team": "b"}
    assert aws_tags.to_remove({"Team": "a"}, {"team": "b"}, KeyCase.IGNORED) == ()


def test_where_case_counts_a_key_in_another_case_is_another_one() -> None:
    current, wanted = {"Team": "a", "x": "1"}, {"team": "b"}
    assert aws_tags.with_added(current, wanted, KeyCase.COUNTS) == {"Team": "a", "x": "1", "team": "b"}
    assert aws_tags.to_remove({"Team": "a", "team": "b"}, wanted, KeyCase.COUNTS) == ("Team",)
    both = {"Team": "a", "team": "b"}
    assert aws_tags.parse_tags(both, KeyCase.COUNTS) == both


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        ({"aws:x": "1"}, "not one that IAM takes"),
        ({"": "1"}, "not one that IAM takes"),
        ({"k" * 129: "1"}, "not one that IAM takes"),
        ({"k": "v" * 257}, "not one that IAM takes"),
        ({"k": "<v>"}, "not one that IAM takes"),
        ({MARK_KEY: "me"}, "marks what this collection created"),
        ({MARK_KEY.title(): "me"}, "marks what this collection created"),
        ({f"k{number}": "" for number in range(50)}, "50 tags are too many"),
    ],
)
@pytest.mark.parametrize("case", KeyCase)
def test_tags_that_iam_can_t_take(tags: dict[str, str], text: str, case: KeyCase) -> None:
    with pytest.raises(InvalidInput, match=text):
        aws_tags.parse_tags(tags, case)


def test_where_case_is_ignored_two_keys_may_not_differ_in_it_only() -> None:
    with pytest.raises(InvalidInput, match="differ in case only"):
        aws_tags.parse_tags({"Team": "a", "team": "b"}, KeyCase.IGNORED)


tag_sets = st.dictionaries(st.sampled_from(["a", "A", "b", "Team", "team"]), st.sampled_from(["1", "2"]))


@given(tag_sets, tag_sets)
def test_where_case_is_ignored_adding_and_removing_leads_to_what_was_wanted(
    current: dict[str, str], wanted: dict[str, str]
) -> None:
    wanted = {key: value for key, value in wanted.items() if key != key.lower() or key.title() not in wanted}
    after = aws_tags.with_added(current, aws_tags.to_add(current, wanted), KeyCase.IGNORED)
    after = aws_tags.without(after, aws_tags.to_remove(after, wanted, KeyCase.IGNORED))
    assert wanted.items() <= after.items()
    assert {key.lower() for key in after} <= {key.lower() for key in wanted}


@given(tag_sets, tag_sets)
def test_where_case_counts_adding_and_removing_leads_to_exactly_what_was_wanted(
    current: dict[str, str], wanted: dict[str, str]
) -> None:
    after = aws_tags.with_added(current, aws_tags.to_add(current, wanted), KeyCase.COUNTS)
    assert aws_tags.without(after, aws_tags.to_remove(after, wanted, KeyCase.COUNTS)) == wanted
