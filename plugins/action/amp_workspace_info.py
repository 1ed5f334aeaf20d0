# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import aws
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import amp_workspace
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._direct import DirectAction

aws.load_models()


class ActionModule(DirectAction):
    definition = amp_workspace.DEFINITION
