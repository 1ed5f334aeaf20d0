# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Azure Resource Manager's part of the sandbox: managed clusters of Microsoft.ContainerService.

Host name management.azure.com. What is answered, and in which shape, follows the API definition
(https://learn.microsoft.com/rest/api/aks/managed-clusters) and recorded traffic.
"""

from __future__ import annotations

from sandbox.arm.app import create_app

__all__ = ["create_app"]
