# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: federation_check
short_description: Prove that an AKS cluster's service account can write metrics to an AMP workspace, or say why not
version_added: "1.0.0"
description:
  - Tries the trust chain link by link, the way that Prometheus goes, and says of each link whether it is V(ok),
    V(broken) or V(unknown), what was expected, what was found and what to do.
  - "C(discovery): the issuer's discovery document is reachable and names exactly this issuer, and its key set holds an
    RS256 key."
  - "C(token): the cluster issues the service account a token whose C(iss), C(aud) and C(sub) are those of the chain."
  - "C(provider): IAM has an OIDC provider for exactly this issuer, and the audience is one of its client IDs."
  - "C(trust_policy): the role lets exactly this provider, audience and subject in. A policy that does not pin the
    audience or the namespace is broken although the exchange works, because other tokens would be accepted as well. A
    wildcard for the service account's name inside its namespace is accepted."
  - "C(token_exchange): STS gives a session of the role for the token, at the workspace's regional endpoint. This call
    is not signed, so it needs no AWS credentials."
  - "C(chained_role): where O(chained_role_arn) is given, STS gives a session of that role for the federated one."
  - "C(remote_write): the workspace takes one sample, signed with the session."
  - "C(read_back): the sample can be queried, if the role may query."
  - With O(scope=diagnosis) it also looks at what a proof does not need, so that the cause of a broken link has one name
    and a fix. What is not given is found out, and what may not be read leaves its link V(unknown) with the missing
    right.
  - "C(cluster): the cluster runs, and its OIDC issuer and, where it is needed, workload identity are on."
  - "C(provider) then also compares the provider's thumbprints with the certificates that the issuer's hosts send."
  - "C(permission): the role may write to the workspace, by IAM's policy simulator where it may be asked, else by the
    role's policies and its permissions boundary."
  - "C(workspace): the workspace that is named exists and is active."
  - "C(entra): the application or managed identity, its service principal and its federated identity credential."
  - "C(service_account), C(webhook), C(pod_template), C(configuration) and C(pods): the objects in the cluster, and what
    the running pods have and log."
  - "C(labels): the query of label names that guides use as a test, with O(labels_query=true)."
  - "C(entra_exchange): Microsoft Entra gives an access token for the service account's token."
  - "C(inside): token exchange and remote write from a Job in the cluster, with O(inside)."
  - A refusal that follows from what was found earlier in the chain breaks its link, but is no finding of its own.
    All kinds of findings are described in
    R(the guide to findings, ansible_collections.crosscloud.aks_amp.docsite.findings).
  - The sample is C(aks_amp_federation_check) with the value 1 and the labels C(issuer), C(namespace), C(role) and
    C(service_account), which makes one series for each chain.
  - The token and the session's keys never leave the module's memory. Results carry claims only.
options:
  issuer:
    description:
      - The OIDC issuer exactly as the cluster reports it, with its trailing slash, as
        RV(crosscloud.aks_amp.aks_oidc_issuer#module:issuer).
      - In check mode V(<known after apply>) is accepted here and in O(role_arn); the links that need the value are
        V(unknown) then.
      - Required unless O(scope=diagnosis) and O(azure) names the cluster.
    type: str
  token_source:
    description:
      - Where the pods of the service account take their token from, which says for which audience it is.
      - V(projected) is a token of their own for AWS. V(azure_workload_identity) is the token that the webhook of
        Microsoft Entra Workload ID mounts.
    type: str
    choices: [projected, azure_workload_identity]
    default: projected
  audience:
    description:
      - Audience of the token, client ID of the provider and C(:aud) of the trust policy.
      - Without it that of O(token_source), C(sts.amazonaws.com) or C(api://AzureADTokenExchange).
    type: str
  namespace:
    description: Namespace of the service account.
    type: str
    required: true
  service_account:
    description: Name of the service account that Prometheus runs as.
    type: str
    required: true
  role_arn:
    description:
      - ARN of the federated role.
      - Required unless O(scope=diagnosis) and O(role_name) is given.
    type: str
  role_name:
    description:
      - Name of the federated role in the account of the credentials, in place of O(role_arn).
      - Needs O(scope=diagnosis).
    type: str
  chained_role_arn:
    description:
      - ARN of a different role that Prometheus assumes with the federated session, as C(sigv4.role_arn). Then that one
        writes and queries.
    type: str
  external_id:
    description: External ID that the trust policy of O(chained_role_arn) asks for.
    type: str
  workspace_arn:
    description:
      - ARN of the workspace. Its region is that of the STS endpoint and of the signature.
      - Required if O(scope=full).
    type: str
  workspace_id:
    description:
      - ID of the workspace in O(region), in place of O(workspace_arn) and O(remote_write_url).
      - Needs O(scope=diagnosis).
    type: str
  workspace_alias:
    description:
      - Alias of the workspace in O(region), in place of O(workspace_arn) and O(remote_write_url).
      - Needs O(scope=diagnosis).
    type: str
  workspace_assume_role_arn:
    description:
      - ARN of a role in the workspace's account, with which O(workspace_id) or O(workspace_alias) is looked up.
      - Needs O(scope=diagnosis).
    type: str
  workspace_assume_role_external_id:
    description: External ID that O(workspace_assume_role_arn) asks for.
    type: str
  remote_write_url:
    description:
      - Remote-write URL of the workspace.
      - Required if O(scope=full).
    type: str
  query_url:
    description: Query URL of the workspace. Without it the sample is not read back.
    type: str
  scope:
    description:
      - V(token_exchange) stops after the token exchange and needs no workspace. Prometheus resolves its credentials
        when it loads its configuration, so this must succeed before Prometheus is told to use them.
      - V(full) goes on with a remote write and the read back.
      - V(diagnosis) does that and looks at everything around it.
    type: str
    choices: [token_exchange, full, diagnosis]
    default: full
  trust_anchors:
    description:
      - Files with root certificates (PEM) that are trusted beside the public ones where the certificates of the issuer
        are compared with the provider's thumbprints, for an issuer with an authority of its own.
      - Used by O(scope=diagnosis).
    type: list
    elements: path
    default: []
  labels_query:
    description:
      - Whether the workspace is asked for its label names. That needs C(aps:GetLabels), which neither Prometheus nor a
        remote write needs; without it the link is V(unknown).
      - Used by O(scope=diagnosis).
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds that all retries together may take. Retried is what passes by itself shortly after the objects were
        created, because IAM and AMP are eventually consistent.
      - These are STS's C(AccessDenied), C(No OpenIDConnect provider found) and C(Couldn't retrieve verification key),
        unless a broken provider or trust policy explains them, and C(Incorrect token audience) when IAM shows that the
        provider lists the audience; missing permission, throttling and server errors of a remote write; and the read
        back.
      - Check mode never waits.
    type: int
    default: 120
  poll_interval:
    description: Seconds between two tries.
    type: float
    default: 2.0
  fail_on_broken:
    description:
      - Whether a broken link fails the task. The failure has the same return values.
      - In check mode broken links are reported and never fail the task, because a real run may repair them first.
    type: bool
    default: true
  fail_severity:
    description:
      - The least severity of a finding that fails the task, if O(fail_on_broken=true). A broken link has a finding of
        V(high) or follows from one.
      - V(high) is what keeps metrics from flowing or lets in too much, V(medium) what is wrong and hinders nothing now,
        V(low) what is untidy.
    type: str
    choices: [high, medium, low]
    default: high
extends_documentation_fragment:
  - crosscloud.aks_amp.diagnosis
  - crosscloud.aks_amp.aws
  - crosscloud.aks_amp.kubernetes
  - crosscloud.aks_amp.transport
  - crosscloud.aks_amp.attributes
  - crosscloud.aks_amp.attributes.action_group
attributes:
  check_mode:
    support: full
    description: Everything but the sample is tried; the exchange of a token changes nothing. Nothing is waited for.
  diff_mode:
    support: none
    description: There is nothing to compare, the module changes no object.
  idempotent:
    support: full
    description: The module never reports a change. Each run outside check mode adds one sample to the same series.
notes:
  - A missing right makes its link V(unknown) and fails nothing; the token exchange decides. The rights are C(create) on
    C(serviceaccounts/token) in the cluster, and C(iam:GetOpenIDConnectProvider) and C(iam:GetRole) in the role's
    account.
  - A diagnosis reads more, each as far as it may. In AWS C(iam:SimulatePrincipalPolicy), else C(iam:ListRolePolicies),
    C(iam:GetRolePolicy), C(iam:ListAttachedRolePolicies), C(iam:GetPolicy) and C(iam:GetPolicyVersion), and
    C(aps:ListWorkspaces) and C(aps:DescribeWorkspace). In Azure C(Microsoft.ContainerService/managedClusters/read), and
    C(Application.Read.All) of Microsoft Graph. In the cluster C(get) on service accounts, workloads and their
    configuration, and C(list) on pods and C(get) on C(pods/log).
  - RV(healthy) is false and a warning says why when no link is broken but the chain could not be proven.
  - The role needs C(aps:RemoteWrite) on the workspace, and for the read back C(aps:QueryMetrics), which Prometheus does
    not need.
author:
  - crosscloud.aks_amp contributors (@crosscloud)
"""

EXAMPLES = r"""
- name: Prove the whole chain
  crosscloud.aks_amp.federation_check:
    issuer: "{{ cluster.issuer }}"
    namespace: monitoring
    service_account: prometheus-sa
    role_arn: "{{ role.arn }}"
    workspace_arn: "{{ amp.workspace.arn }}"
    remote_write_url: "{{ amp.workspace.remote_write_url }}"
    query_url: "{{ amp.workspace.query_url }}"
    kubeconfig: ~/.kube/aks-prod-1
  register: proof

- name: Say why metrics do not flow, knowing names only
  crosscloud.aks_amp.federation_check:
    scope: diagnosis
    namespace: monitoring
    service_account: prometheus-sa
    role_name: AKS-Prometheus-AMP-Role
    workspace_alias: observability
    region: eu-west-1
    kubeconfig: ~/.kube/aks-prod-1
    azure:
      resource_group: rg-aks
      name: aks-prod-1
    entra:
      display_name: Prometheus-AMP-Federation
    prometheus:
      - workload_name: prometheus
        configmap: prometheus-config
    fail_on_broken: false
  register: diagnosis

- name: Read it
  ansible.builtin.debug:
    msg: "{{ diagnosis.text }}"

- name: Wait until the role can be assumed, before Prometheus is told to use it
  crosscloud.aks_amp.federation_check:
    issuer: "{{ cluster.issuer }}"
    namespace: monitoring
    service_account: prometheus-sa
    role_arn: "{{ role.arn }}"
    scope: token_exchange
    region: eu-west-1
    wait_timeout: 180

- name: Look at a chain that may be broken
  crosscloud.aks_amp.federation_check:
    issuer: "{{ cluster.issuer }}"
    namespace: monitoring
    service_account: prometheus-sa
    role_arn: "{{ role.arn }}"
    scope: token_exchange
    region: eu-west-1
    fail_on_broken: false
  register: proof

- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ proof.links | rejectattr('status', 'equalto', 'ok') | map(attribute='summary') }}"
"""

RETURN = r"""
healthy:
  description:
    - Whether no link is broken and the link that proves the chain is ok. That is C(remote_write) for O(scope=full),
      and C(token_exchange) otherwise and in check mode.
  returned: when the options are valid
  type: bool
issuer:
  description: The issuer of the chain, V(<known after apply>) where it is not known.
  returned: when the options are valid
  type: str
role_arn:
  description: ARN of the federated role, V(<known after apply>) where it is not known.
  returned: when the options are valid
  type: str
chain:
  description: The chain as one line.
  returned: when the options are valid
  type: str
  sample: discovery ok > token ok > provider ok > trust policy BROKEN > token exchange BROKEN > remote write not tried
findings:
  description: What is wrong, the gravest first. A link that only follows from another one has none.
  returned: when the options are valid
  type: list
  elements: dict
  contains:
    link:
      description: Name of the link.
      type: str
      sample: trust_policy
    kind:
      description:
        - Name of what is wrong, for programs.
        - R(The guide to findings, ansible_collections.crosscloud.aks_amp.docsite.findings) describes each.
      type: str
      sample: trust_policy_audience_open
    severity:
      description: V(high), V(medium) or V(low).
      type: str
      sample: high
    cause:
      description: What is wrong, in sentences.
      type: str
    expected:
      description: What should be there; empty where there is nothing to compare.
      type: str
    found:
      description: What is there; empty where there is nothing to compare.
      type: str
    fix:
      description: What to do.
      type: str
      sample: Run the step iam_web_identity (federate.yml --tags iam_web_identity).
    source:
      description: The error's text as a service or a log said it, empty without one.
      type: str
    ruled_out:
      description: Where the cause is not known, the links that are in order.
      type: list
      elements: str
text:
  description: Chain and findings as lines for a person.
  returned: when the options are valid
  type: list
  elements: str
links:
  description: The links in their order.
  returned: when the options are valid
  type: list
  elements: dict
  contains:
    link:
      description:
        - Name of the link, one of C(cluster), C(discovery), C(token), C(provider), C(trust_policy), C(permission),
          C(workspace), C(entra), C(service_account), C(webhook), C(pod_template), C(configuration), C(pods),
          C(token_exchange), C(chained_role), C(remote_write), C(read_back), C(labels), C(entra_exchange) and
          C(inside). A proof has C(discovery), C(token), C(provider), C(trust_policy), C(token_exchange),
          C(chained_role), C(remote_write) and C(read_back) only.
      type: str
      sample: trust_policy
    status:
      description: V(ok), V(broken) or V(unknown). A link that was not tried is V(unknown).
      type: str
      sample: broken
    tried:
      description:
        - Whether the link was looked at. One that needs a write is not tried in check mode, and none is after a link on
          which it depends was found missing.
      type: bool
      sample: true
    summary:
      description: What was found, in sentences; a refusal is quoted with the service's own text.
      type: str
      sample: >-
        The trust policy does not pin the audience: a token for any audience in the provider's client IDs would be
        accepted.
    expected:
      description: What should be there; empty where there is nothing to compare.
      type: str
    found:
      description: What is there; empty where there is nothing to compare.
      type: str
    fix:
      description: What to do; empty for a link that is in order.
      type: str
      sample: Run the step iam_web_identity (federate.yml --tags iam_web_identity).
claims:
  description: Claims of the token that the cluster issued, null without a token.
  returned: when the options are valid
  type: dict
  contains:
    iss:
      description: Issuer.
      type: str
    aud:
      description: Audiences.
      type: list
      elements: str
    sub:
      description: Subject.
      type: str
      sample: system:serviceaccount:monitoring:prometheus-sa
    exp:
      description: End of the token's life in seconds since 1970.
      type: int
sample:
  description: The sample that the workspace stored, null when none was.
  returned: when the options are valid
  type: dict
  contains:
    name:
      description: Name of the metric.
      type: str
      sample: aks_amp_federation_check
    labels:
      description: Labels of the series.
      type: dict
    value:
      description: Value of the sample.
      type: float
      sample: 1.0
    timestamp:
      description: Time of the sample in milliseconds since 1970.
      type: int
changes:
  description: Always empty. The check changes no object.
  returned: success
  type: list
  elements: dict
error:
  description:
    - Where a service refused, its name (C(service)), what was asked of it (C(action)), and its answer as C(code),
      C(status), C(message) and C(request_id).
  returned: failure, where a service refused
  type: dict
"""

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import federation_check
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import run_module


def main() -> None:
    """Run the module."""
    run_module(federation_check.DEFINITION)


if __name__ == "__main__":
    main()
