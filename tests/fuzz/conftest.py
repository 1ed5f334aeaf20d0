# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many examples are tried (``FUZZ=quick``, ``standard`` or ``deep``), and the sandbox that answers."""

from __future__ import annotations

import os

import hypothesis

from tests.faults.fixtures import estate, short_pauses

# pytest finds fixtures by their names here.
__all__ = ["estate", "short_pauses"]

#: Of the pure parsers; those that need a whole run of a module have fewer, see ``test_spoiled_answers``.
EXAMPLES = {"quick": 300, "standard": 2_000, "deep": 20_000}

for _name, _examples in EXAMPLES.items():
    hypothesis.settings.register_profile(
        _name,
        max_examples=_examples,
        deadline=None,  # a machine that has much else to do is slow; time is judged by test_time
        suppress_health_check=list(hypothesis.HealthCheck),
        print_blob=True,
        database=None,
    )
hypothesis.settings.load_profile(os.environ.get("FUZZ") or "quick")
