# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes API server on loopback, as strict as the real one where this collection could go wrong.

``ApiServer(world, cluster)`` is the server of one cluster; ``Rule`` is what ``ApiServer.grant`` takes.
"""

from __future__ import annotations

from sandbox.kubernetes.access import Rule, User
from sandbox.kubernetes.admission import Webhook
from sandbox.kubernetes.server import ApiServer

__all__ = ["ApiServer", "Rule", "User", "Webhook"]
