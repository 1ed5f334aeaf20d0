# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aks_oidc_issuer
short_description: Enable the OIDC issuer and workload identity of an AKS cluster
version_added: "1.0.0"
description:
  - Enables the OIDC issuer and switches workload identity on or off on an existing AKS cluster, and returns the issuer
    exactly as service-account tokens carry it, taken from the issuer's discovery document.
  - The cluster is read, changed in these two flags only, and put back under its ETag, so that a change by somebody
    else in the meantime is never overwritten. Where the service sends no ETag, the cluster is read again and compared
    right before it is written. Then the module waits for the operation.
  - While another operation runs on the cluster, the module waits for its end, reads the cluster again and decides anew.
    So a run that was stopped half-way is resumed by the next one.
  - Enabling the issuer restarts the API server briefly and changes the issuer (C(iss)) of service-account tokens. It
    can't be undone, AKS never switches an issuer off again.
  - Can rotate the keys with which service-account tokens are signed.
  - A cluster that is as it should be costs one request to Azure Resource Manager and one for the discovery document.
options:
  subscription_id:
    description:
      - ID of the cluster's subscription.
      - Falls back to the environment variable E(AZURE_SUBSCRIPTION_ID).
      - Not needed, and not used, with O(resource_id).
    type: str
  resource_group:
    description:
      - Resource group of the cluster. Required with O(name).
      - With O(tags), only the clusters of this resource group are looked at.
    type: str
  name:
    description:
      - Name of the cluster.
      - Exactly one of O(name), O(resource_id) and O(tags) says which cluster is meant.
    type: str
  resource_id:
    description:
      - Resource ID of the cluster, as C(az aks show --query id) prints it; upper and lower case are the same.
    type: str
  tags:
    description:
      - Tags by which the cluster is found among those of the subscription, or of O(resource_group). Exactly one cluster
        must carry all of them.
      - Upper and lower case are the same in a tag's name, but not in its value.
      - The tags of the cluster are never changed.
    type: dict
  state:
    description:
      - V(present) brings the cluster into the state that the other options describe.
      - V(absent) changes nothing, because AKS can't switch an OIDC issuer off again. The module says so in a warning
        and returns the cluster as it is, so that the rest of a federation can be taken down. A cluster that is gone is
        not an error then; all return values are null.
      - To disable workload identity, set O(workload_identity=false) with O(state=present).
    type: str
    choices: [present, absent]
    default: present
  oidc_issuer:
    description:
      - V(true) enables the OIDC issuer. Without a value it stays as it is.
      - V(false) is refused on a cluster whose issuer is on, because it can't be switched off again.
    type: bool
  workload_identity:
    description:
      - V(true) enables and V(false) disables workload identity. Without a value it stays as it is.
      - Workload identity needs the OIDC issuer.
    type: bool
  rotate_signing_keys:
    description:
      - Give the cluster a new key for signing service-account tokens. The module waits until the issuer lists the new
        key and makes sure that the old one is still listed, as it is for 24 hours, so that no token is refused.
      - Refused while the issuer is off, and, unless O(force_rotation) is set, while it lists more than one key.
      - This is an act and not a state. Every run with this option rotates, or is refused.
      - A rotation to which no answer came is not sent again. The module waits for its key instead, and when none is
        listed after three minutes, it fails and says that it is not known whether the keys were rotated.
      - Where the module has waited for another operation on the cluster, which may have been a rotation, it looks up to
        three minutes for a second key before it rotates, unless O(force_rotation) is set.
      - A rotation that ended before the run began can't be seen until its key is listed. So after a run whose end is
        not known, look with O(report_signing_keys) before you rotate again.
    type: bool
    default: false
  force_rotation:
    description:
      - Rotate even though the issuer lists more than one key, as after a rotation within the last 24 hours. The oldest
        key is dropped, and tokens that it signed are refused from then on until their pods are restarted.
    type: bool
    default: false
  report_signing_keys:
    description:
      - Read the issuer's key set, which costs one more request, and return it as RV(signing_keys).
    type: bool
    default: false
  wait:
    description:
      - Whether to wait, for other operations on the cluster as well as for the module's own.
      - With V(false), the module returns as soon as the service has accepted a change, with RV(operation_url) and
        RV(provisioning_state), and a busy cluster that needs a change is an error. An issuer that is being enabled is
        then RV(issuer=<known after apply>), which other modules accept in check mode only; read it by another run.
    type: bool
    default: true
  wait_for_own:
    description:
      - Whether O(wait=true) is about the module's own operation, too. With V(false), the module waits for those of
        others first, and returns as with O(wait=false) when it has started its own. So a play can start those of many
        clusters, and wait for them by a later task with O(operation_url).
    type: bool
    default: true
  operation_url:
    description:
      - RV(operation_url) of an earlier run with O(wait_for_own=false) or O(wait=false). Its operation is waited for
        before anything else, and when it has failed, so does the module, with the service's reason. In check mode, it
        is not looked at.
    type: str
  poll_interval:
    description:
      - Seconds between two looks at an operation, and between two attempts after a lost race, unless the service names
        a delay itself.
    type: float
    default: 10.0
  wait_timeout:
    description:
      - Minutes that the module may spend on waiting in all, that is, for other operations, for another attempt after a
        lost race, and for its own operation, which goes on in Azure all the same.
    type: int
    default: 60
extends_documentation_fragment:
  - crosscloud.aks_amp.azure
  - crosscloud.aks_amp.transport
  - crosscloud.aks_amp.attributes
  - crosscloud.aks_amp.attributes.action_group
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: Everything but O(rotate_signing_keys), with which every run rotates or is refused.
notes:
  - The login needs C(Microsoft.ContainerService/managedClusters/read) and, to change a cluster,
    C(Microsoft.ContainerService/managedClusters/write) and the rights that its other settings imply, for example on its
    subnet.
  - Rotating needs C(Microsoft.ContainerService/managedClusters/rotateServiceAccountSigningKeys/action).
  - A cluster that needs a change is refused while it is stopped and after an operation that failed. One that needs none
    is returned with a warning in the second case.
  - In check mode nothing is waited for; a change of a busy cluster is predicted from what it looks like now, with a
    warning.
requirements:
  - azure-mgmt-containerservice >= 41
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

- name: Find the cluster by its tags, and disable workload identity
  crosscloud.aks_amp.aks_oidc_issuer:
    subscription_id: 00000000-0000-0000-0000-000000000000
    tags:
      environment: prod
      team: payments
    workload_identity: false

- name: Rotate the keys that sign service-account tokens
  crosscloud.aks_amp.aks_oidc_issuer:
    resource_id: "{{ cluster.id }}"
    rotate_signing_keys: true

- name: Start to enable the issuer, and do something else in the meantime
  crosscloud.aks_amp.aks_oidc_issuer:
    resource_id: "{{ cluster.id }}"
    oidc_issuer: true
    wait_for_own: false
  register: started

- name: Wait for it
  crosscloud.aks_amp.aks_oidc_issuer:
    resource_id: "{{ cluster.id }}"
    oidc_issuer: true
    operation_url: "{{ started.operation_url }}"
"""

RETURN = r"""
id:
  description: Resource ID of the cluster.
  returned: success
  type: str
issuer:
  description:
    - The issuer, verbatim from its discovery document, as in the C(iss) of every service-account token.
    - The text C(<known after apply>) when the issuer is yet to be enabled (in check mode) or is just being enabled
      (with O(wait=false)). Null when there is none.
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
operation_url:
  description:
    - Where the operation that was started can be followed, with O(wait=false) or O(wait_for_own=false). Null otherwise.
  returned: success
  type: str
signing_keys:
  description:
    - The keys that the issuer lists, with O(report_signing_keys) or O(rotate_signing_keys). Null otherwise, and while
      there is no issuer.
  returned: success
  type: list
  elements: dict
  contains:
    kid:
      description: The key's ID, as in the header of the tokens that it signs.
      type: str
    state:
      description:
        - V(new) for a key that came by this run's rotation, V(old) for the others then, V(listed) without a rotation.
      type: str
changes:
  description: What was changed, or would be in check mode.
  returned: success, and failure after the first write
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
error:
  description:
    - Where a service refused, its name (C(service)), what was asked of it (C(action)), and its answer as C(code),
      C(status), C(message) and C(request_id).
  returned: failure, where a service refused
  type: dict
"""

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import aks_oidc_issuer
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import run_module


def main() -> None:
    """Run the module."""
    run_module(aks_oidc_issuer.DEFINITION)


if __name__ == "__main__":
    main()
