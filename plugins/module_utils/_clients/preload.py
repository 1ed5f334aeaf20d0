# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports that libraries put off until their first request: every worker would make them anew after it was forked."""

from __future__ import annotations

import contextlib
import importlib
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable


def load(names: Iterable[str]) -> None:
    """Import the modules, as far as there are such: some are a library's own affair, which other versions lack."""
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
