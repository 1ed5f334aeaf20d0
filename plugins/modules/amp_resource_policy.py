# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: amp_resource_policy
short_description: Let IAM roles write to an AMP workspace by its resource policy
version_added: "1.0.0"
description:
  - Ensures or removes statements in the resource policy of a workspace of Amazon Managed Service for Prometheus (AMP),
    which let roles, also of other accounts, send metrics to it.
  - It is the alternative to assuming a second role. A role of the workspace's account needs nothing else, while one of
    another account also needs the permission in its own policies.
  - Each role has one statement, recognised by a C(Sid) that follows from its ARN. All other statements stay.
  - A statement is added only if the policy does not grant the same already.
  - A write replaces the very revision that was read. If another writer was faster, it is planned anew.
author:
  - crosscloud.aks_amp contributors (@crosscloud)
options:
  state:
    description:
      - Whether the roles shall be let in.
      - V(absent) removes the statements that this collection made for O(principals), or all that it made if
        O(principals) is empty. The policy itself is deleted when no statement is left.
      - Statements of others that let one of the roles in stay, with a warning.
      - For V(absent), a workspace that does not exist is a warning, too.
    type: str
    choices: [present, absent]
    default: present
  workspace_id:
    description:
      - ID of the workspace.
      - Exactly one of O(workspace_id) and O(alias) is needed.
    type: str
  alias:
    description: Alias of the workspace, as in M(crosscloud.aks_amp.amp_workspace_info).
    type: str
  principals:
    description:
      - ARNs of the IAM roles. Those of the workspace's account must exist.
      - Needed for O(state=present).
    type: list
    elements: str
    default: []
  allow_query:
    description: Whether the roles may also query the workspace.
    type: bool
    default: false
  wait_timeout:
    description: How many seconds to wait until a change of the policy, also one of others, is done.
    type: int
    default: 120
extends_documentation_fragment:
  - crosscloud.aks_amp.aws
  - crosscloud.aks_amp.transport
  - crosscloud.aks_amp.attributes
  - crosscloud.aks_amp.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - The caller needs C(aps:DescribeWorkspace), C(aps:ListWorkspaces) for O(alias), C(aps:DescribeResourcePolicy), and to
    change something C(aps:PutResourcePolicy) and C(aps:DeleteResourcePolicy), all in the account of the workspace. If
    that is another account, O(assume_role_arn) leads there.
  - If the workspace is encrypted with a key of your own, the roles also need a grant for that key.
requirements:
  - boto3 >= 1.41
seealso:
  - module: crosscloud.aks_amp.amp_workspace_info
  - module: crosscloud.aks_amp.iam_web_identity_role
  - name: PutResourcePolicy in the AMP API reference
    description: What a resource policy of a workspace is.
    link: https://docs.aws.amazon.com/prometheus/latest/APIReference/API_PutResourcePolicy.html
"""

EXAMPLES = r"""
- name: Let a role of another account write to the central workspace
  crosscloud.aks_amp.amp_resource_policy:
    alias: fleet-metrics
    region: eu-west-1
    assume_role_arn: arn:aws:iam::210987654321:role/metrics-admin
    principals:
      - arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role

- name: No longer let it in
  crosscloud.aks_amp.amp_resource_policy:
    alias: fleet-metrics
    region: eu-west-1
    assume_role_arn: arn:aws:iam::210987654321:role/metrics-admin
    principals:
      - arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role
    state: absent
"""

RETURN = r"""
workspace_id:
  description: ID of the workspace, empty if there is none.
  returned: success
  type: str
  sample: ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111
workspace_arn:
  description: ARN of the workspace, empty if there is none.
  returned: success
  type: str
  sample: arn:aws:aps:eu-west-1:210987654321:workspace/ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111
policy:
  description: The whole policy document, empty if there is none.
  returned: success
  type: dict
  sample:
    Version: "2012-10-17"
    Statement:
      - Sid: AksAmp5f0c1c2f0a9b4d6e8c7b1a2d
        Effect: Allow
        Principal:
          AWS: arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role
        Action: aps:RemoteWrite
        Resource: arn:aws:aps:eu-west-1:210987654321:workspace/ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111
changes:
  description: What was changed, or would be in check mode.
  returned: success, and failure after the first write
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update) or V(delete), of the policy as a whole.
      returned: success
      type: str
      sample: update
    kind:
      description: Kind of the object.
      returned: success
      type: str
      sample: AMP resource policy
    name:
      description: Name of the object, the workspace's ID.
      returned: success
      type: str
      sample: ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111
    summary:
      description: One sentence that says what is changed and why.
      returned: success
      type: str
      sample: Let arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role write to workspace ws-1a2b3c4d.
error:
  description:
    - Where a service refused, its name (C(service)), what was asked of it (C(action)), and its answer as C(code),
      C(status), C(message) and C(request_id).
  returned: failure, where a service refused
  type: dict
"""

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import amp_resource_policy
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import run_module


def main() -> None:
    """Run the module."""
    run_module(amp_resource_policy.DEFINITION)


if __name__ == "__main__":
    main()
