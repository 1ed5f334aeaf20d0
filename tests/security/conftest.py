# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estate of the end-to-end tests."""

from __future__ import annotations

from tests.e2e.conftest import _shared_sandbox, estate

__all__ = ["_shared_sandbox", "estate"]
