# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Documentation shared by modules; it mirrors the part of the same name in module_utils/_options.py."""

    DOCUMENTATION = r"""
options: {}
requirements:
  - python >= 3.11
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what would change without changing anything.
  diff_mode:
    description: Returns what has changed, or would change in C(check_mode), under C(--diff).
  idempotent:
    description: A second run with the same parameters changes nothing.
"""

    # Of the modules that call a cloud, which meta/runtime.yml names.
    ACTION_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/crosscloud.aks_amp.aks_amp) in C(module_defaults) to set defaults for this module.
    support: full
    membership:
      - crosscloud.aks_amp.aks_amp
"""
