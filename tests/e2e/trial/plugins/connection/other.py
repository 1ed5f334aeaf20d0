# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = r"""
name: other
short_description: Runs on the controller, but is not the connection C(local)
description: Stands for every way to another machine.
author: crosscloud.aks_amp contributors (@crosscloud)
extends_documentation_fragment: [connection_pipelining]
"""


class Connection(Local):  # type: ignore[misc]  # ansible-core is untyped
    transport = "crosscloud.trial.other"
