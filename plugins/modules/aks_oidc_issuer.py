# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aks_oidc_issuer
short_description: Enable the OIDC issuer and workload identity of an AKS cluster
version_added: "0.1.0"
description:
  - Enables the OIDC issuer and switches workload identity on or off on an existing AKS cluster, and returns the issuer
    exactly as service-account tokens carry it, taken from the issuer's discovery document.
  - The cluster is read, changed in these two flags only, and put back under its ETag, so that a change by somebody
    else in the meantime is never overwritten. Then the module waits for the operation.
  - Enabling the issuer restarts the API server briefly and changes the issuer of service-account tokens. It can't be
    undone, AKS never switches an issuer off again.
  - A cluster that is as it should be costs one request to Azure Resource Manager and one for the discovery document.
options:
  subscription_id:
    description:
      - ID of the cluster's subscription.
      - Falls back to the environment variable E(AZURE_SUBSCRIPTION_ID).
    type: str
    required: true
  resource_group:
    description: Resource group of the cluster.
    type: str
    required: true
  name:
    description: Name of the cluster.
    type: str
    required: true
  oidc_issuer:
    description:
      - V(true) enables the OIDC issuer. Without a value it stays as it is.
      - V(false) is refused, because an issuer can't be switched off again.
    type: bool
  workload_identity:
    description:
      - V(true) enables and V(false) disables workload identity. Without a value it stays as it is.
      - Workload identity needs the OIDC issuer.
    type: bool
  poll_interval:
    description:
      - Seconds between two looks at the long-running operation, unless the service names a delay itself.
    type: float
    default: 10.0
  wait_timeout:
    description: Minutes after which the module no longer waits for the long-running operation, which then goes on.
    type: int
    default: 60
extends_documentation_fragment:
  - crosscloud.aks_amp.azure
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
  - The login needs C(Microsoft.ContainerService/managedClusters/read) and, to change a cluster,
    C(Microsoft.ContainerService/managedClusters/write) and the rights that its other settings imply, for example on its
    subnet.
  - A cluster that needs a change is refused while it is stopped, while another operation runs on it, and after an
    operation that failed.
requirements:
  - azure-mgmt-containerservice >= 41.0.0
author:
  - crosscloud.aks_amp contributors (@crosscloud)
"""

EXAMPLES = r"""
- name: Enable issuer and workload identity
  crosscloud.aks_amp.aks_oidc_issuer:
    subscription_id: 00000000-0000-0000-0000-000000000000
    resource_group: rg-fleet
    name: aks-prod-1
    oidc_issuer: true
    workload_identity: true
  register: cluster

- name: Read the issuer and change nothing
  crosscloud.aks_amp.aks_oidc_issuer:
    subscription_id: 00000000-0000-0000-0000-000000000000
    resource_group: rg-fleet
    name: aks-prod-1
  register: cluster
"""

RETURN = r"""
id:
  description: Resource ID of the cluster.
  returned: success
  type: str
issuer:
  description:
    - The issuer, verbatim from its discovery document, as in the C(iss) of every service-account token.
    - The text C(<known after apply>) in check mode when the issuer is yet to be enabled, null when there is none.
  returned: success
  type: str
  sample: https://westeurope.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/d85c7db7-4528-42ec-89b8-25b54f7d8b2f/
jwks_uri:
  description: Where the issuer's signing keys are, from the discovery document; like RV(issuer) when it is not known.
  returned: success
  type: str
oidc_issuer_enabled:
  description: Whether the OIDC issuer is on.
  returned: success
  type: bool
workload_identity_enabled:
  description: Whether workload identity is on.
  returned: success
  type: bool
etag:
  description: The cluster's ETag. Null where the service sends none.
  returned: success
  type: str
location:
  description: Azure region of the cluster.
  returned: success
  type: str
  sample: westeurope
tenant_id:
  description: Microsoft Entra tenant of the cluster's identity. Null for a cluster that has none.
  returned: success
  type: str
provisioning_state:
  description: State of the cluster's last operation.
  returned: success
  type: str
  sample: Succeeded
changes:
  description: What was changed, or would be in check mode.
  returned: always
  type: list
  elements: dict
  contains:
    action:
      description: What is done with the object.
      type: str
      sample: update
    kind:
      description: What the object is.
      type: str
      sample: AKS cluster
    name:
      description: Name of the object.
      type: str
    summary:
      description: One sentence that says what is changed.
      type: str
"""

from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources import aks_oidc_issuer
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.runner import run_module


def main() -> None:
    """Run the module."""
    run_module(aks_oidc_issuer.DEFINITION)


if __name__ == "__main__":
    main()
