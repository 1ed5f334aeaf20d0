# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One entry in place of several, which is what most tests of configurations ask for."""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_config import (
    Merged,
    merge_remote_writes,
)

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import RemoteWrite
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_record import Additions
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion


def merge_remote_write(
    text: str,
    wanted: RemoteWrite,
    *,
    place: str,
    version: PrometheusVersion | None = None,
    recorded: Additions | None = None,
) -> Merged:
    """The configuration with one entry in it; see ``merge_remote_writes``."""
    return merge_remote_writes(text, (wanted,), place=place, version=version, recorded=recorded)
