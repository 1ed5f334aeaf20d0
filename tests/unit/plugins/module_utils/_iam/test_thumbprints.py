# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which thumbprints a provider shall have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._errors import InvalidInput
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam.thumbprints import (
    MAX_THUMBPRINTS,
    Decision,
    Pinning,
    SentChain,
    decide,
)

LEAF, OTHER_LEAF, TOP, OTHER_TOP, OLD, OLDER = (f"{number:02d}" * 20 for number in range(12, 18))
AUTO = Pinning(automatic=True)
CHAIN = SentChain("issuer.example", (LEAF, TOP))


def test_auto_pins_the_last_certificate_sent() -> None:
    assert decide(AUTO, (), (CHAIN,)) == Decision((TOP,))
    assert decide(AUTO, (), (SentChain("h", (LEAF, OTHER_TOP, TOP)),)) == Decision((TOP,))


def test_auto_pins_for_both_hosts() -> None:
    assert decide(AUTO, (), (CHAIN, SentChain("keys.example", (OTHER_LEAF, OTHER_TOP)))) == Decision((TOP, OTHER_TOP))


def test_auto_replaces_a_live_leaf() -> None:
    assert decide(AUTO, (LEAF.upper(),), (CHAIN,)) == Decision((TOP,))


def test_auto_keeps_older_ones_for_overlap() -> None:
    assert decide(AUTO, (OLD, OLDER), (CHAIN,)) == Decision((TOP, OLD, OLDER))


def test_auto_drops_placeholders() -> None:
    assert decide(AUTO, ("0" * 40, OLD, "f" * 40), (CHAIN,)) == Decision((TOP, OLD))


def test_auto_drops_the_last_ones_beyond_the_limit() -> None:
    older = tuple(f"{number:040d}" for number in range(1, 6))
    assert decide(AUTO, older, (CHAIN,)) == Decision((TOP, *older[:4]))


def test_order_and_case_are_no_difference() -> None:
    decision = decide(AUTO, (OLD.upper(), TOP.upper()), (CHAIN,))
    assert not decision.differs_from((OLD.upper(), TOP.upper()))
    assert decision.differs_from((TOP,))


def test_an_untrusted_chain_pins_nothing_and_says_why() -> None:
    decision = decide(AUTO, (LEAF,), (CHAIN, SentChain("keys.example", distrust="self-signed certificate")))
    assert decision.thumbprints is None
    assert not decision.differs_from((LEAF,))
    (warning,) = decision.warnings
    assert warning.startswith("The certificate chain of keys.example is not publicly trusted (self-signed certificate)")


def test_a_host_that_sends_only_its_leaf_pins_nothing() -> None:
    decision = decide(AUTO, (), (SentChain("issuer.example", (LEAF,)),))
    assert decision.thumbprints is None
    assert "issuer.example sends its own certificate only" in decision.warnings[0]


def test_one_host_s_top_is_pinned_when_the_other_sends_only_its_leaf() -> None:
    decision = decide(AUTO, (), (CHAIN, SentChain("keys.example", (OTHER_LEAF,))))
    assert decision.thumbprints == (TOP,)
    assert len(decision.warnings) == 1


def test_unmanaged_leaves_everything_alone() -> None:
    assert decide(Pinning.parse(["unmanaged"]), (LEAF, "0" * 40), ()) == Decision(None)


def test_a_list_is_exact_in_lower_case_and_without_repetitions() -> None:
    assert decide(Pinning.parse([TOP.upper(), "A" * 39 + "b", TOP]), (OLD,), ()).thumbprints == (TOP, "a" * 39 + "b")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], "thumbprints is empty"),
        (["auto", TOP], "'auto' is not the SHA-1"),
        ([TOP[:-1]], "is not the SHA-1"),
        (["g" * 40], "is not the SHA-1"),
        (["0" * 40], "is a placeholder"),
        ([f"{number:040d}" for number in range(1, 7)], "names 6, and IAM takes 5"),
    ],
)
def test_lists_that_iam_can_t_take(values: list[str], text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        Pinning.parse(values)


digests = st.text("0123456789abcdef", min_size=40, max_size=40)
chains = st.lists(
    st.builds(SentChain, st.just("h"), st.lists(digests, min_size=1, max_size=3, unique=True).map(tuple)), max_size=2
)


@given(st.lists(digests, max_size=MAX_THUMBPRINTS), chains)
def test_auto_is_stable_bounded_and_free_of_leaves(current: list[str], sent: list[SentChain]) -> None:
    decision = decide(AUTO, current, sent)
    if decision.thumbprints is None:
        return
    assert 1 <= len(decision.thumbprints) <= MAX_THUMBPRINTS
    assert not {chain.leaf for chain in sent} & set(decision.thumbprints)
    assert {chain.top for chain in sent if chain.top} <= set(decision.thumbprints) | {chain.leaf for chain in sent}
    assert not decide(AUTO, decision.thumbprints, sent).differs_from(decision.thumbprints)
