# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: federation_check
short_description: Prove that an AKS cluster's service account can write metrics to an AMP workspace
version_added: "0.1.0"
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
  - "C(remote_write): the workspace takes one sample, signed with the session."
  - "C(read_back): the sample can be queried, if the role may query."
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
    type: str
    required: true
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
    description: ARN of the federated role.
    type: str
    required: true
  workspace_arn:
    description:
      - ARN of the workspace. Its region is that of the STS endpoint and of the signature.
      - Required if O(scope=full).
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
    type: str
    choices: [token_exchange, full]
    default: full
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
extends_documentation_fragment:
  - crosscloud.aks_amp.aws
  - crosscloud.aks_amp.kubernetes
  - crosscloud.aks_amp.transport
  - crosscloud.aks_amp.attributes
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
links:
  description: The links in their order.
  returned: when the options are valid
  type: list
  elements: dict
  contains:
    link:
      description:
        - Name of the link, one of C(discovery), C(token), C(provider), C(trust_policy), C(token_exchange),
          C(remote_write) and C(read_back).
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
      sample: The step iam_web_identity repairs it.
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
"""

from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources import federation_check
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.runner import run_module


def main() -> None:
    """Run the module."""
    run_module(federation_check.DEFINITION)


if __name__ == "__main__":
    main()
