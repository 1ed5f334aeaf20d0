# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_web_identity_role
short_description: Manage the IAM role by which Kubernetes service accounts write to Amazon Managed Prometheus
version_added: "1.0.0"
description:
  - Manages a role that the named service accounts of a cluster, and no others, may assume with their tokens, and that
    may write to the named workspaces, and nothing else.
  - The trust policy gets one statement for the issuer's IAM OIDC provider, with exact conditions on audience and
    subject. A statement that was meant for this provider but is misspelled, incomplete or too wide is replaced.
    Statements for other principals stay as they are.
  - Policies are compared by meaning, so a policy that says the same in other words is no difference.
  - A role that was not created by this collection is repaired, but not marked. What else than rights on AMP others
    wrote into its inline policy is not taken away, see O(force).
  - With O(state=absent), ends the issuer's trust. The role goes with its last trust statement when this collection
    created it and others gave it nothing.
author:
  - crosscloud.aks_amp contributors (@crosscloud)
options:
  state:
    description:
      - V(present) makes the role what the other options say.
      - V(absent) removes the statement for the issuer's provider from the trust policy. While other statements are
        left, the role stays, and so does its permission, with a warning, as long as one of them lets others assume the
        role, by web identity or otherwise.
      - When none is left, the role is deleted with its permission if this collection created it. IAM takes no role
        without a trust statement, so where the role was made by others, or others gave it policies or an instance
        profile, O(if_shared) and O(force) decide.
      - An inline policy of the name O(policy_name) that grants nothing but rights on single AMP workspaces is taken for
        this collection's.
    type: str
    choices: [present, absent]
    default: present
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
      - Required with O(state=present).
    type: list
    elements: dict
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
    description:
      - ARNs of the workspaces that the role may write to, at least one, in any region.
      - The workspace of another account must let the role in as well, see M(crosscloud.aks_amp.amp_resource_policy);
        RV(findings) says so.
      - The module fails before any write when the role would no longer write to a workspace that is not named here,
        while its trust policy lets in tokens of other issuers, because two clusters that share a role would take each
        other's workspace away again and again. Name the workspaces of all of them, give each cluster a role of its own,
        or end the trust in issuers that are gone by O(prune_stale_issuers) or O(prune_issuers). O(force) takes the
        right away all the same.
      - Required with O(state=present).
    type: list
    elements: str
  allow_query:
    description: Whether the role may also query the workspaces, with the actions of C(AmazonPrometheusQueryAccess).
    type: bool
    default: false
  assumable_role_arns:
    description:
      - ARNs of other roles that the role may assume, for workspaces of accounts that are reached by chaining. Their
        trust policies must let this role in.
      - The role itself is refused here. The pod holds its session already.
    type: list
    elements: str
    default: []
  policy_type:
    description:
      - V(inline) keeps the permission in the role.
      - V(managed) keeps it in a customer managed policy of the name O(policy_name) that is attached to the role. A
        version that is replaced stays until IAM's limit of five is reached, then the oldest goes, which is a change of
        its own.
      - On a change from V(inline) to V(managed), the inline policy goes after the managed one is attached. For the way
        back, use O(state=absent) first.
      - A managed policy that was not created by this collection, or that others use too, is not changed unless
        O(force) is V(true).
    type: str
    choices: [inline, managed]
    default: inline
  managed_policy_arns:
    description:
      - ARNs of further managed policies to attach, which must exist. Others stay attached.
      - With O(state=absent), those that are named here do not stand against the role's deletion.
    type: list
    elements: str
    default: []
  policy_name:
    description:
      - Name of the role's inline policy, or of its managed policy with O(policy_type=managed).
      - If the role has no policy of this name, but another inline policy that grants exactly the same, that one is kept
        and none is added.
    type: str
    default: AMP-RemoteWrite
  description:
    description: Description of the role. Without it, or if it is empty, an existing one stays as it is.
    type: str
  permissions_boundary:
    description:
      - ARN of the managed policy that bounds the role. Without it, or if it is empty, an existing one stays as it is.
      - V(none) removes the boundary.
    type: str
  max_session_duration:
    description:
      - Longest session in seconds, V(3600) to V(43200). Without it, an existing one stays as it is.
      - Prometheus asks for one hour, whatever this is.
    type: int
  tags:
    description:
      - Tags of the role. Those with other keys stay, unless O(purge_tags) is V(true).
      - IAM takes keys that differ in case only for the same tag of a role.
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
      - IAM's default is V(2048), and AWS raises it up to V(4096).
    type: int
    default: 2048
  prune_issuers:
    description: URLs of other issuers whose trust ends, for example of clusters that are gone.
    type: list
    elements: str
    default: []
  prune_stale_issuers:
    description:
      - Whether statements go that have the form in which this collection writes them and that name a provider which no
        longer exists in IAM. Costs one read per other issuer in the trust policy.
    type: bool
    default: false
  if_shared:
    description:
      - What O(state=absent) does when the issuer's statement is the last one, but the role was made by others, or
        others gave it policies or an instance profile.
      - V(fail) fails and says what stands against it. V(keep) leaves the role as it is, with a warning.
    type: str
    choices: [fail, keep]
    default: fail
  force:
    description:
      - Whether O(state=absent) deletes the role with its last statement whoever made it and whatever else is in it.
      - Whether O(state=present) writes a new version of a managed policy that others made or use, replaces an inline
        policy of the name O(policy_name) into which others wrote more than rights on AMP, in a role that this
        collection did not create, and takes away workspaces that clusters of other issuers may need.
    type: bool
    default: false
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
  - The caller needs C(iam:GetRole), C(iam:GetRolePolicy) and C(iam:ListRolePolicies), and to change something
    C(iam:CreateRole), C(iam:UpdateAssumeRolePolicy), C(iam:UpdateRole), C(iam:PutRolePolicy),
    C(iam:PutRolePermissionsBoundary), C(iam:DeleteRolePermissionsBoundary), C(iam:TagRole) and C(iam:UntagRole).
  - For managed policies it needs C(iam:GetPolicy), C(iam:GetPolicyVersion), C(iam:ListPolicyVersions),
    C(iam:ListAttachedRolePolicies), C(iam:CreatePolicy), C(iam:TagPolicy), C(iam:CreatePolicyVersion),
    C(iam:DeletePolicyVersion) and C(iam:AttachRolePolicy); to remove a role C(iam:ListAttachedRolePolicies),
    C(iam:ListInstanceProfilesForRole), C(iam:DeleteRolePolicy), C(iam:DetachRolePolicy), C(iam:DeletePolicy) and
    C(iam:DeleteRole); and for O(prune_stale_issuers) C(iam:GetOpenIDConnectProvider).
  - Use one role per cluster. IAM's default quota admits the statements of about three clusters in one trust policy.
  - IAM has no precondition, so of two writers of one trust policy the later one wins. The module reads it right before
    it writes it and again two seconds later, and plans anew when another writer was in between. An update is lost only
    to a writer that halts for longer than that between its own reading and writing, and the next run brings it back.
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

- name: Keep the permission in a managed policy, for two workspaces, and let Prometheus chain to a role elsewhere
  crosscloud.aks_amp.iam_web_identity_role:
    name: AKS-Prometheus-AMP-Role
    issuer: "{{ cluster.issuer }}"
    service_accounts:
      - namespace: monitoring
        name: prometheus-sa
    workspace_arns:
      - arn:aws:aps:eu-west-1:123456789012:workspace/ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111
      - arn:aws:aps:us-east-1:123456789012:workspace/ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE22222
    policy_type: managed
    assumable_role_arns:
      - arn:aws:iam::210987654321:role/Metrics-Writer
    prune_stale_issuers: true

- name: End the cluster's trust, and delete the role if nobody else uses it
  crosscloud.aks_amp.iam_web_identity_role:
    name: AKS-Prometheus-AMP-Role
    issuer: "{{ cluster.issuer }}"
    state: absent
    if_shared: keep

- name: Show the role that the pod has to assume
  ansible.builtin.debug:
    var: role.arn
"""

RETURN = r"""
exists:
  description: Whether the role is there, or in check mode would be.
  returned: success
  type: bool
  sample: true
arn:
  description: ARN of the role, predicted in check mode, and what it would be where the role does not exist.
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
  returned: when the role exists
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
  description: The policy by which the role may write to the workspaces.
  returned: when the role exists
  type: dict
  sample:
    Version: "2012-10-17"
    Statement:
      - Effect: Allow
        Action: aps:RemoteWrite
        Resource: arn:aws:aps:eu-west-1:123456789012:workspace/ws-1a2b3c4d-5678-90ab-cdef-EXAMPLE11111
policy_name:
  description: Name of that policy, which is another than O(policy_name) where an existing inline one grants the same.
  returned: when the role exists
  type: str
  sample: AMP-RemoteWrite
policy_arn:
  description: ARN of that policy with O(policy_type=managed), else none.
  returned: when the role exists
  type: str
  sample: arn:aws:iam::123456789012:policy/AMP-RemoteWrite
findings:
  description:
    - What a careful reader would question in the role as it is, in statements of others as well. Nothing of it is
      changed; those of high severity are warnings too.
  returned: success
  type: list
  elements: dict
  contains:
    severity:
      description: V(high) where others than meant are let in, V(medium) where more than needed is, V(low) otherwise.
      returned: success
      type: str
      sample: high
    statement:
      description: Where it stands.
      returned: success
      type: str
      sample: trust policy, statement 2 (Legacy)
    text:
      description: What is to be questioned, and why.
      returned: success
      type: str
      sample: >-
        There is no condition on oidc.eks.eu-west-1.amazonaws.com/id/ABC:sub, so every service account of the issuer is
        trusted.
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
  returned: success, and failure after the first write
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update) or V(delete).
      returned: success
      type: str
      sample: create
    kind:
      description: >-
        Kind of the object, V(IAM role), V(IAM trust policy), V(IAM inline policy), V(IAM managed policy) or
        V(IAM managed policy version).
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
    last_changed_by:
      description:
        - Whom the tags of the object name as its keeper, a CloudFormation stack or an owner. IAM itself tells no last
          writer.
      returned: where it is told
      type: dict
      contains:
        who:
          description: The stack or the owner.
          returned: always
          type: str
          sample: CloudFormation stack fleet-iam
        when:
          description: Always empty, because a tag has no time.
          returned: always
          type: str
          sample: ""
        how:
          description: Always V(tag).
          returned: always
          type: str
          sample: tag
refused_changes:
  description:
    - What O(force=true) would change, in the form of RV(changes).
    - A report on drift takes these for drifts, because what may not be repaired unasked differs all the same.
  returned: when a change is refused that force would make
  type: list
  elements: dict
  sample: []
refused_diff:
  description: What was there and what would be, an entry for each of RV(refused_changes) in its order.
  returned: when a change is refused that force would make
  type: list
  elements: dict
  sample: []
error:
  description:
    - Where a service refused, its name (C(service)), what was asked of it (C(action)), and its answer as C(code),
      C(status), C(message) and C(request_id).
  returned: failure, where a service refused
  type: dict
"""

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import iam_role
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import run_module


def main() -> None:
    """Run the module."""
    run_module(iam_role.DEFINITION)


if __name__ == "__main__":
    main()
