# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Documentation shared by modules; it mirrors the part of the same name in module_utils/_options.py."""

    DOCUMENTATION = r"""
options:
  https_proxy:
    description:
      - URL of the HTTP proxy through which the clouds' public endpoints are reached. A password in it is hidden.
      - Without it, the environment variables E(HTTPS_PROXY) and E(NO_PROXY) decide.
    type: str
  ca_bundle:
    description:
      - File with the root certificates (PEM) that are trusted for the clouds' endpoints, for networks that inspect TLS.
      - Without it, each library uses its own bundle or the environment variable that it knows.
    type: path
    aliases: [aws_ca_bundle]
"""
