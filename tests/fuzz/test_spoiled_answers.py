# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each module, while one value in one answer of one service is not what it should be.

It ends with a result or with one error of the collection's own, and never with a mere exception.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import EXPECTED, failure_values
from tests.faults.modules import CASES, Case, Estate
from tests.fuzz.spoiling import GONE, Spoil, Spoiler, spoiling

#: A run of a module costs as much as some hundred examples of a parser.
_COSTS = 50
#: With all attempts of a request that is refused for ever, a run sends fewer.
_MOST_ANSWERS = 300
_LEAVES = st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | st.text(max_size=8)
_VALUES = st.just(GONE) | st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
_RAW = st.none() | st.sampled_from([b"", b"{", b"null", b"<html>no</html>", b"\xff\xfe", b"[" * 5000, b"<a"])
SPOILS = st.builds(
    Spoil, st.integers(0, 2_000), _VALUES, st.integers(0, 19).flatmap(lambda n: st.none() if n else _RAW)
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_spoiled_answer_gives_a_result_or_one_error(estate: Estate, case: Case) -> None:
    case.start(estate)
    counter = Spoiler(0, Spoil(0, None))
    with spoiling(estate.sandbox, counter):
        case.run(estate)

    @settings(max_examples=max(5, settings.default.max_examples // _COSTS))
    @given(number=st.integers(1, counter.answers), spoil=SPOILS, check_mode=st.booleans())
    def spoiled(number: int, spoil: Spoil, check_mode: bool) -> None:
        require_result_or_error(estate, case, Spoiler(number, spoil), check_mode=check_mode)

    spoiled()


def require_result_or_error(estate: Estate, case: Case, spoiler: Spoiler, *, check_mode: bool) -> None:
    case.start(estate)
    with spoiling(estate.sandbox, spoiler):
        try:
            case.run(estate, check_mode=check_mode)
        except EXPECTED as error:
            message = failure_values(error)["msg"]
            assert isinstance(message, str)
            assert message.strip()
            assert "Traceback" not in message
    assert spoiler.answers <= _MOST_ANSWERS
