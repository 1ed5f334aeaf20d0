# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_web_identity_role
short_description: Manage the IAM role by which Kubernetes service accounts write to Amazon Managed Prometheus
version_added: "0.1.0"
description:
  - Manages a role that the named service accounts of a cluster, and no others, may assume with their tokens, and that
    may write to the named workspaces, and nothing else.
  - The trust policy gets one statement for the issuer's IAM OIDC provider, with exact conditions on audience and
    subject. A statement that was meant for this provider but is misspelled, incomplete or too wide is replaced.
    Statements for other principals stay as they are.
  - Policies are compared by meaning, so a policy that says the same in other words is no difference.
  - A role that was not created by this collection is repaired, but not marked.
author:
  - crosscloud.aks_amp contributors (@crosscloud)
options:
  name:
    description: Name of the role, 1 to 64 characters. IAM takes names that differ in case only for the same.
    type: str
    required: true
  path:
    description: Path of the role. It can't be changed, so the module fails if an existing role has another one.
    type: str
    default: /
  issuer:
    description:
      - URL of the cluster's OIDC issuer, exactly as its discovery document names it.
      - Its provider must exist in the role's account, see M(crosscloud.aks_amp.iam_oidc_provider_thumbprint). If it was
        created just before, the module waits until IAM knows it.
      - In check mode, V(<known after apply>) stands for an issuer that does not exist yet.
    type: str
    required: true
  audience:
    description: Audience that the tokens must carry. It must be one of the provider's client IDs.
    type: str
    default: sts.amazonaws.com
  service_accounts:
    description:
      - The service accounts that may assume the role, at least one. Wildcards are refused.
      - Others that the provider's statement names lose their trust.
    type: list
    elements: dict
    required: true
    suboptions:
      namespace:
        description: Namespace of the service account.
        type: str
        required: true
      name:
        description: Name of the service account.
        type: str
        required: true
  workspace_arns:
    description: ARNs of the workspaces that the role may write to, at least one.
    type: list
    elements: str
    required: true
  allow_query:
    description: Whether the role may also query the workspaces, with the actions of C(AmazonPrometheusQueryAccess).
    type: bool
    default: false
  policy_name:
    description:
      - Name of the role's inline policy.
      - If the role has no policy of this name, but another inline policy that grants exactly the same, that one is kept
        and none is added.
    type: str
    default: AMP-RemoteWrite
  description:
    description: Description of the role. Without it, or if it is empty, an existing one stays as it is.
    type: str
  permissions_boundary:
    description: ARN of the managed policy that bounds the role. Without it, an existing one stays as it is.
    type: str
  max_session_duration:
    description:
      - Longest session in seconds, V(3600) to V(43200). Without it, an existing one stays as it is.
      - Prometheus asks for one hour, whatever this is.
    type: int
  tags:
    description: Tags of the role. Those with other keys stay, unless O(purge_tags) is V(true).
    type: dict
    default: {}
  purge_tags:
    description: Whether to remove tags that O(tags) does not name. The collection's own mark stays.
    type: bool
    default: false
  trust_policy_max_length:
    description:
      - Longest trust policy that the account's quota admits, in characters without white space.
      - If the trust policy would be longer, the module fails before it changes anything.
    type: int
    default: 2048
extends_documentation_fragment:
  - crosscloud.aks_amp.aws
  - crosscloud.aks_amp.transport
  - crosscloud.aks_amp.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - The caller needs C(iam:GetRole), C(iam:GetRolePolicy) and C(iam:ListRolePolicies), and to change something
    C(iam:CreateRole), C(iam:UpdateAssumeRolePolicy), C(iam:UpdateRole), C(iam:PutRolePolicy),
    C(iam:PutRolePermissionsBoundary), C(iam:TagRole) and C(iam:UntagRole).
  - Use one role per cluster. IAM's default quota admits the statements of about three clusters in one trust policy.
seealso:
  - module: crosscloud.aks_amp.iam_oidc_provider_thumbprint
  - module: crosscloud.aks_amp.amp_workspace_info
  - module: crosscloud.aks_amp.federation_check
"""

EXAMPLES = r"""
- name: Find the workspace
  crosscloud.aks_amp.amp_workspace_info:
    alias: fleet-metrics
    region: eu-west-1
  register: metrics

- name: Let Prometheus' service account write to it
  crosscloud.aks_amp.iam_web_identity_role:
    name: AKS-Prometheus-AMP-Role
    issuer: https://westeurope.oic.prod-aks.azure.com/11111111-2222-3333-4444-555555555555/66666666-7777-8888-9999-000000000000/
    service_accounts:
      - namespace: monitoring
        name: prometheus-sa
    workspace_arns:
      - "{{ metrics.workspace.arn }}"
  register: role

- name: Show the role that the pod has to assume
  ansible.builtin.debug:
    var: role.arn
"""

RETURN = r"""
arn:
  description: ARN of the role, predicted in check mode.
  returned: success
  type: str
  sample: arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role
name:
  description: Name of the role.
  returned: success
  type: str
  sample: AKS-Prometheus-AMP-Role
trust_policy:
  description: The whole trust policy of the role.
  returned: success
  type: dict
  sample:
    Version: "2012-10-17"
    Statement:
      - Effect: Allow
        Principal:
          Federated: arn:aws:iam::123456789012:oidc-provider/westeurope.oic.prod-aks.azure.com/1111/6666/
        Action: sts:AssumeRoleWithWebIdentity
        Condition:
          StringEquals:
            "westeurope.oic.prod-aks.azure.com/1111/6666/:aud": sts.amazonaws.com
            "westeurope.oic.prod-aks.azure.com/1111/6666/:sub": system:serviceaccount:monitoring:prometheus-sa
permission_policy:
  description: The inline policy by which the role may write to the workspaces.
  returned: success
  type: dict
  sample:
    Version: "2012-10-17"
    Statement:
      - Effect: Allow
        Action: aps:RemoteWrite
        Resource: arn:aws:aps:eu-west-1:123456789012:workspace/ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111
policy_name:
  description: Name of that inline policy, which is another than O(policy_name) where an existing one grants the same.
  returned: success
  type: str
  sample: AMP-RemoteWrite
account_id:
  description: AWS account of the role.
  returned: success
  type: str
  sample: "123456789012"
partition:
  description: AWS partition of the role.
  returned: success
  type: str
  sample: aws
changes:
  description: What was changed, or would be in check mode, in this order.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: V(create) or V(update).
      returned: success
      type: str
      sample: create
    kind:
      description: Kind of the object, V(IAM role), V(IAM trust policy) or V(IAM inline policy).
      returned: success
      type: str
      sample: IAM role
    name:
      description: Name of the object.
      returned: success
      type: str
      sample: AKS-Prometheus-AMP-Role
    summary:
      description: One sentence that says what is changed and why.
      returned: success
      type: str
      sample: >-
        Create the role and let system:serviceaccount:monitoring:prometheus-sa assume it with tokens of
        https://westeurope.oic.prod-aks.azure.com/1111/6666/.
"""

from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources import iam_role
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.runner import run_module


def main() -> None:
    """Run the module."""
    run_module(iam_role.DEFINITION)


if __name__ == "__main__":
    main()
