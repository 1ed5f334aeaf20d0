# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Microsoft Graph's part of the sandbox: applications, service principals and federated identity credentials.

Host name graph.microsoft.com. What is answered, and in which shape, follows the API's documentation
(https://learn.microsoft.com/graph/api/resources/application), its CSDL and recorded traffic.
"""

from __future__ import annotations

from sandbox.graph.app import create_app
from sandbox.graph.directory import Directory

__all__ = ["Directory", "create_app"]
