# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import prometheus_remote_write
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._direct import DirectAction


class ActionModule(DirectAction):
    definition = prometheus_remote_write.DEFINITION
