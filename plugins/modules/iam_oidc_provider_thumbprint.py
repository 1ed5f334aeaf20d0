# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_oidc_provider_thumbprint
short_description: Manage the IAM OIDC provider of an issuer, with its client IDs and thumbprints
version_added: "1.0.0"
description:
  - Makes AWS IAM know an OIDC issuer, for example that of an AKS cluster, so that its tokens can be exchanged for AWS
    credentials.
  - The URL of the provider is the issuer verbatim, trailing slash included, because AWS compares the whole text with
    the C(iss) claim of a token. Its ARN follows from it.
  - A provider that was not created by this collection is repaired, but not marked.
  - With O(state=absent) the provider is deleted if this collection created it and no role trusts it any more.
author:
  - crosscloud.aks_amp contributors (@crosscloud)
options:
  state:
    description:
      - Whether the provider shall exist.
      - V(absent) refuses to delete a provider without the collection's mark, and one that roles still trust. What it
        does then is said by O(if_shared) and O(force).
      - For V(absent) the issuer is not contacted, so it works when the cluster is gone.
    type: str
    choices: [present, absent]
    default: present
  force:
    description:
      - For O(state=absent), whether to delete a provider that this collection did not create or roles still trust.
        Nobody can assume those roles by its tokens any more.
    type: bool
    default: false
  if_shared:
    description:
      - For O(state=absent), what happens to a provider that this collection did not create or that roles still trust.
      - V(fail) fails and says why. V(keep) leaves the provider with a warning and changes nothing.
    type: str
    choices: [fail, keep]
    default: fail
  ignore_roles:
    description:
      - For O(state=absent), names of roles that don't count as trusting the provider.
      - Meant for check mode, in which a role that an earlier task removes is still there.
    type: list
    elements: str
    default: []
  issuer:
    description:
      - URL of the issuer, exactly as its discovery document names it. HTTPS, without a port or query, at most 255
        characters.
      - Before it creates a provider, and with O(state=absent), the module looks for others whose URL differs by a slash
        or by case only, and warns of them, because they are probably mistakes. A run that finds the provider does not
        look, so that it costs one request.
      - In check mode, V(<known after apply>) stands for an issuer that does not exist yet.
    type: str
    required: true
  client_ids:
    description: Audiences that the provider accepts. Missing ones are added before anything is removed.
    type: list
    elements: str
    default: [sts.amazonaws.com]
  purge_client_ids:
    description: Whether to remove audiences that O(client_ids) does not name.
    type: bool
    default: false
  thumbprints:
    description:
      - Which server certificates the provider names. IAM trusts public certificate authorities by itself and consults
        this list only where that fails.
      - The single word V(auto) reads the certificate chains that the issuer's host and the host of its keys send, and
        puts the last certificate of each on the list. Older entries stay for overlap, up to five in all. Entries that
        equal a host's own certificate, and placeholders such as forty zeros, are dropped.
      - With V(auto), nothing is pinned, and a warning says so, if a chain is not publicly trusted, as behind a proxy
        that inspects TLS. On creation IAM then finds the thumbprint itself, and an existing list stays as it is.
      - The single word V(unmanaged) leaves the list to IAM on creation, and as it is later.
      - Anything else is the exact list, one to five SHA-1 digests of 40 hexadecimal digits.
      - The module contacts the issuer for V(auto) only.
      - The list can't be emptied, because IAM offers no way to.
    type: list
    elements: str
    default: [auto]
  trust_anchors:
    description:
      - Files with root certificates (PEM) that count as publicly trusted for V(auto), beside those of certifi.
      - The certificates of O(ca_bundle) do not count, because that file may hold the root of an inspecting proxy.
    type: list
    elements: path
    default: []
  tags:
    description:
      - Tags of the provider. Those with other keys stay, unless O(purge_tags) is V(true).
      - Keys that differ in case only are two tags of a provider.
    type: dict
    default: {}
  purge_tags:
    description: Whether to remove tags that O(tags) does not name. The collection's own mark stays.
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
  - The caller needs C(iam:GetOpenIDConnectProvider), and to change something C(iam:CreateOpenIDConnectProvider),
    C(iam:AddClientIDToOpenIDConnectProvider), C(iam:RemoveClientIDFromOpenIDConnectProvider),
    C(iam:UpdateOpenIDConnectProviderThumbprint), C(iam:TagOpenIDConnectProvider) and C(iam:UntagOpenIDConnectProvider).
    With C(iam:ListOpenIDConnectProviders) it can warn of misspelled providers.
  - For O(state=absent) it needs C(iam:DeleteOpenIDConnectProvider) and C(iam:ListRoles).
requirements:
  - certifi
  - cryptography >= 42
  - urllib3
seealso:
  - module: crosscloud.aks_amp.iam_web_identity_role
  - name: Thumbprints in the AWS IAM User Guide
    description: Which certificate IAM asks for.
    link: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc_verify-thumbprint.html
"""

EXAMPLES = r"""
- name: Let AWS trust the tokens of a cluster
  crosscloud.aks_amp.iam_oidc_provider_thumbprint:
    issuer: https://westeurope.oic.prod-aks.azure.com/11111111-2222-3333-4444-555555555555/66666666-7777-8888-9999-000000000000/
    tags:
      team: metrics

- name: Accept two audiences and no others, and leave the thumbprints to IAM
  crosscloud.aks_amp.iam_oidc_provider_thumbprint:
    issuer: "{{ cluster.issuer }}"
    client_ids:
      - sts.amazonaws.com
      - api://AzureADTokenExchange
    purge_client_ids: true
    thumbprints: [unmanaged]

- name: Pin what the issuer sends now beside what was pinned before, and show which certificate each thumbprint is
  crosscloud.aks_amp.iam_oidc_provider_thumbprint:
    issuer: "{{ cluster.issuer }}"
  register: provider

- name: Show the certificates
  ansible.builtin.debug:
    var: provider.certificates

- name: Delete the provider in another account, unless others still use it
  crosscloud.aks_amp.iam_oidc_provider_thumbprint:
    issuer: "{{ cluster.issuer }}"
    state: absent
    if_shared: keep
    assume_role_arn: arn:aws:iam::123456789012:role/federation-admin
    assume_role_external_id: fleet-7
"""

RETURN = r"""
arn:
  description: ARN of the provider.
  returned: success
  type: str
  sample: arn:aws:iam::123456789012:oidc-provider/westeurope.oic.prod-aks.azure.com/1111/6666/
url:
  description: URL of the provider, which is the issuer.
  returned: success
  type: str
  sample: https://westeurope.oic.prod-aks.azure.com/1111/6666/
client_ids:
  description: Audiences that the provider accepts.
  returned: when the provider exists
  type: list
  elements: str
  sample: [sts.amazonaws.com]
thumbprints:
  description: Thumbprints of the provider. In check mode V(<known after apply>) stands for one that IAM will find.
  returned: when the provider exists
  type: list
  elements: str
  sample: [9e99a48a9960b14926bb7f3b02e22da2b0ab7280]
tags:
  description: Tags of the provider.
  returned: when the provider exists
  type: dict
  sample:
    aks-amp.crosscloud.io/managed-by: crosscloud.aks_amp
    team: metrics
certificates:
  description:
    - Which certificate each thumbprint is. First come those that the hosts of the issuer send, which are read with
      O(thumbprints=auto) only, then pinned thumbprints that no host sends.
    - After a change of authority the old one stays pinned for overlap, as one that no host sends.
    - Null in check mode as long as the issuer is not known.
  returned: when the provider exists
  type: list
  elements: dict
  contains:
    thumbprint:
      description: SHA-1 digest of the certificate.
      returned: success
      type: str
      sample: 9e99a48a9960b14926bb7f3b02e22da2b0ab7280
    pinned:
      description: Whether the provider names it; null in check mode where IAM would choose for itself.
      returned: success
      type: bool
      sample: true
    role:
      description: V(leaf), V(intermediate) or V(root), by its place in the chain; V(unknown) if no host sends it.
      returned: success
      type: str
      sample: intermediate
    trusted:
      description: Whether the chain is publicly trusted. It is not behind a proxy that inspects TLS.
      returned: when a host sends it
      type: bool
      sample: true
    host:
      description: The host that sends it.
      returned: when a host sends it
      type: str
      sample: westeurope.oic.prod-aks.azure.com
    subject:
      description: Whom it names.
      returned: when a host sends it
      type: str
      sample: CN=Microsoft Azure RSA TLS Issuing CA 03,O=Microsoft Corporation,C=US
    issuer:
      description: Who signed it.
      returned: when a host sends it
      type: str
      sample: CN=DigiCert Global Root G2,OU=www.digicert.com,O=DigiCert Inc,C=US
    not_after:
      description: End of its validity, in UTC.
      returned: when a host sends it
      type: str
      sample: "2026-08-25T23:59:59Z"
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
      sample: update
    kind:
      description: Kind of the object.
      returned: success
      type: str
      sample: IAM OIDC provider
    name:
      description: Name of the object, the provider's URL.
      returned: success
      type: str
      sample: https://westeurope.oic.prod-aks.azure.com/1111/6666/
    summary:
      description: One sentence that says what is changed and why.
      returned: success
      type: str
      sample: Add client ID sts.amazonaws.com, without which no token for it is accepted.
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
error:
  description:
    - Where a service refused, its name (C(service)), what was asked of it (C(action)), and its answer as C(code),
      C(status), C(message) and C(request_id).
  returned: failure, where a service refused
  type: dict
"""

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import iam_oidc_provider
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import run_module


def main() -> None:
    """Run the module."""
    run_module(iam_oidc_provider.DEFINITION)


if __name__ == "__main__":
    main()
