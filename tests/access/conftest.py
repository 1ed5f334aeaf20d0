# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of this folder share with those of faults."""

from __future__ import annotations

from tests.faults.fixtures import estate, short_pauses

# pytest finds fixtures by their names here.
__all__ = ["estate", "short_pauses"]
