# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: amp_workspace_info
short_description: Find a workspace of Amazon Managed Service for Prometheus
version_added: "1.0.0"
description:
  - Finds one active workspace by its ID or by its exact alias, and returns its ARN and its URLs.
  - Changes nothing.
author:
  - crosscloud.aks_amp contributors (@crosscloud)
options:
  workspace_id:
    description:
      - ID of the workspace, for example V(ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111).
      - Exactly one of O(workspace_id) and O(alias) is needed.
    type: str
  alias:
    description:
      - Alias of the workspace. It must be equal, including case.
      - Aliases need not be unique. If none or several workspaces of the region have this one, the module fails and
        lists them.
    type: str
  known:
    description:
      - Workspaces that were found before in the same run, as RV(crosscloud.aks_amp.fleet_workspaces_info#module:known)
        or as results of this module. One that was found with exactly the settings of this task is returned, and nothing
        is asked.
    type: list
    elements: dict
    default: []
    suboptions:
      settings:
        description:
          - RV(settings) of that result.
        type: str
        required: true
      workspace:
        description:
          - RV(workspace) of that result.
        type: dict
        required: true
extends_documentation_fragment:
  - crosscloud.aks_amp.aws
  - crosscloud.aks_amp.transport
  - crosscloud.aks_amp.attributes
  - crosscloud.aks_amp.attributes.action_group
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
  - The caller needs C(aps:DescribeWorkspace), and C(aps:ListWorkspaces) for O(alias).
seealso:
  - module: crosscloud.aks_amp.fleet_workspaces_info
  - module: crosscloud.aks_amp.iam_web_identity_role
"""

EXAMPLES = r"""
- name: Find a workspace by its alias
  crosscloud.aks_amp.amp_workspace_info:
    alias: fleet-metrics
    region: eu-west-1
  register: metrics

- name: Show where Prometheus has to write to
  ansible.builtin.debug:
    var: metrics.workspace.remote_write_url

- name: Find a workspace by its ID with a named profile
  crosscloud.aks_amp.amp_workspace_info:
    workspace_id: ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111
    profile: metrics
"""

RETURN = r"""
settings:
  description:
    - Stands for the options by which the workspace was found. It is a checksum without anything secret - of credentials
      only the access key's ID goes into it.
  returned: success
  type: str
  sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
workspace:
  description: The workspace.
  returned: success
  type: dict
  contains:
    arn:
      description: ARN of the workspace.
      returned: success
      type: str
      sample: arn:aws:aps:eu-west-1:123456789012:workspace/ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111
    workspace_id:
      description: ID of the workspace.
      returned: success
      type: str
      sample: ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111
    alias:
      description: Alias of the workspace, empty if it has none.
      returned: success
      type: str
      sample: fleet-metrics
    region:
      description: Region of the workspace.
      returned: success
      type: str
      sample: eu-west-1
    partition:
      description: AWS partition of the workspace.
      returned: success
      type: str
      sample: aws
    account_id:
      description: AWS account of the workspace.
      returned: success
      type: str
      sample: "123456789012"
    status:
      description: Always V(ACTIVE). The module fails for a workspace in another state.
      returned: success
      type: str
      sample: ACTIVE
    prometheus_endpoint:
      description: Base URL of the workspace, without a trailing slash.
      returned: success
      type: str
      sample: https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111
    remote_write_url:
      description: URL for Prometheus' C(remote_write).
      returned: success
      type: str
      sample: https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111/api/v1/remote_write
    query_url:
      description: URL for instant queries.
      returned: success
      type: str
      sample: https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111/api/v1/query
error:
  description:
    - Where a service refused, its name (C(service)), what was asked of it (C(action)), and its answer as C(code),
      C(status), C(message) and C(request_id).
  returned: failure, where a service refused
  type: dict
"""

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import amp_workspace
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import run_module


def main() -> None:
    """Run the module."""
    run_module(amp_workspace.DEFINITION)


if __name__ == "__main__":
    main()
