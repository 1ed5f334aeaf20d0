# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_workspaces_info
short_description: Find the AMP workspaces that several clusters of a run write to, each once
version_added: "1.0.0"
description:
  - Asks for the workspace of each host as the role P(crosscloud.aks_amp.iam_web_identity#role) would, with
    the same variables, but only once where several hosts ask alike. Hosts whose account, region, profile, assumed role
    or other settings differ ask differently.
  - What it returns is taken by option O(crosscloud.aks_amp.amp_workspace_info#module:known), and by the role. It holds
    nothing secret.
  - It never fails for a workspace. One that can't be found is left out, and so is a host whose variables can't be
    evaluated; then the host's own task asks, and says what is wrong.
  - Changes nothing.
author:
  - crosscloud.aks_amp contributors (@crosscloud)
options:
  hosts:
    description:
      - The hosts whose workspaces are found. All hosts of the play that have not failed, when it is not given.
    type: list
    elements: str
extends_documentation_fragment:
  - crosscloud.aks_amp.attributes
attributes:
  check_mode:
    support: full
    details:
      - This module only reads.
  diff_mode:
    support: N/A
    details:
      - This module only reads.
  idempotent:
    support: full
    details:
      - This module only reads.
notes:
  - The caller needs C(aps:DescribeWorkspace), and C(aps:ListWorkspaces) for workspaces that are named by an alias.
  - Give its task C(run_once=true). The playbooks of this collection have it.
seealso:
  - module: crosscloud.aks_amp.amp_workspace_info
"""

EXAMPLES = r"""
- name: Read what clusters share
  hosts: aks
  gather_facts: false
  connection: local
  tasks:
    - name: Find each workspace of several clusters
      crosscloud.aks_amp.fleet_workspaces_info:
      register: shared
      run_once: true

    - name: Find the workspace of the cluster, without asking again
      crosscloud.aks_amp.amp_workspace_info:
        alias: "{{ aks_amp_workspace_alias }}"
        region: "{{ aks_amp_aws_region }}"
        known: "{{ shared.known }}"
"""

RETURN = r"""
known:
  description:
    - The workspaces, each with what stands for the settings by which it was found, as
      RV(crosscloud.aks_amp.amp_workspace_info#module:settings) and
      RV(crosscloud.aks_amp.amp_workspace_info#module:workspace) are.
  returned: success
  type: list
  elements: dict
  sample:
    - settings: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
      workspace:
        arn: arn:aws:aps:eu-west-1:123456789012:workspace/ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111
        workspace_id: ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111
"""
