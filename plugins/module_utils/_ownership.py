# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How objects that the collection created are marked. What existed before is repaired, but never marked."""

from __future__ import annotations

import typing as t

OWNER = "crosscloud.aks_amp"

# AWS tag and Kubernetes label: both allow a DNS prefix, which keeps the key out of everybody else's way.
MARK_KEY = "aks-amp.crosscloud.io/managed-by"
MARK = {MARK_KEY: OWNER}

# Entra applications carry plain strings as tags, federated identity credentials only a description.
ENTRA_TAG = f"{MARK_KEY}={OWNER}"
DESCRIPTION = f"Created by {OWNER}"


def is_marked(tags: t.Mapping[str, str]) -> bool:
    """True when AWS tags or Kubernetes labels carry the mark."""
    return tags.get(MARK_KEY) == OWNER
