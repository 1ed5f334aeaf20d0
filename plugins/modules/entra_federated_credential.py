# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: entra_federated_credential
short_description: Let an Entra application or managed identity trust a Kubernetes service account
version_added: "1.0.0"
description:
  - Manages the federated identity credential with which a Kubernetes service account logs in as a Microsoft Entra
    application or as a user-assigned managed identity.
  - An application that is named by O(object_id) or O(app_id) must exist. One that is named by O(unique_name) or
    O(display_name) is created when there is none, and so is its service principal. A managed identity must exist.
  - What is created is marked by a tag or by its description; what existed is changed where it is wrong, and never
    marked. The credentials of managed identities have no description, so they carry no mark.
  - The credential is looked for by its trust, that is issuer and subject, which a holder can have once only, and
    then by O(name). One that has the name is given the right issuer, subject and audience in place, but never while it
    trusts another issuer that is alive, such as another cluster's; see O(force).
  - Requests to the directory are made one after the other. A write that another writer was faster with is planned anew,
    and a request that Azure throttles is repeated when Azure says so.
options:
  state:
    description:
      - With V(present) the credential, the application and its service principal are there and right.
      - With V(absent) the credential is removed. The application and its service principal follow when this collection
        created them and when no credential, secret or key is left on the application, and no tag but this
        collection's; otherwise they are kept, and a warning says why. This is looked up once more right before each of
        both is deleted. A managed identity is never removed.
      - A deleted application stays among the tenant's deleted applications for 30 days, where it can be restored and
        may still hold its unique name.
    type: str
    choices: [present, absent]
    default: present
  object_id:
    description: Object ID of the application. Exactly one of the six ways to name the holder is given.
    type: str
  app_id:
    description: Application (client) ID of the application.
    type: str
  unique_name:
    description: Unique name of the application, an alternate key that can't be changed later.
    type: str
  display_name:
    description:
      - Display name of the application. Entra lets any number of applications share one, so it must fit exactly one.
      - An application that this collection did not create is used with a warning, since its display name alone does not
        show that it is meant. Name it by O(app_id), O(object_id) or O(unique_name) to say that it is.
      - A new application gets it as its unique name, too, if it consists of letters, digits, dots, hyphens and
        underscores only, and otherwise one that is made of its hash. Thereby parallel runs for several clusters can't
        create the application twice.
    type: str
  managed_identity_id:
    description: Resource ID of the user-assigned managed identity that holds the credential.
    type: str
  managed_identity_name:
    description: Name of the user-assigned managed identity that holds the credential, with O(resource_group).
    type: str
  resource_group:
    description: Resource group of the managed identity that O(managed_identity_name) names.
    type: str
  subscription_id:
    description:
      - Subscription of the managed identity that O(managed_identity_name) names.
      - Falls back to the environment variable E(AZURE_SUBSCRIPTION_ID).
    type: str
  name:
    description:
      - Name of the federated identity credential, 3 to 120 letters, digits, hyphens and underscores.
      - Clusters that share an application need a name each. Where a credential of the name trusts another issuer, that
        issuer's host is asked for its discovery document. It is replaced silently when there is none (404), as of a
        cluster that was built again, and with a warning when the host can't be reached.
    type: str
    required: true
  issuer:
    description:
      - The cluster's OIDC issuer, verbatim, with its trailing slash. Required with O(state=present).
      - In check mode also C(<known after apply>), for a cluster whose issuer is yet to be enabled.
      - With O(state=absent) the credential is removed that has this issuer and subject. Without O(issuer), O(namespace)
        and O(service_account) the one is removed that has the O(name), which only an application's credential can be.
    type: str
  namespace:
    description: Namespace of the service account. Required with O(state=present).
    type: str
  service_account:
    description: Name of the service account. Required with O(state=present).
    type: str
  more_service_accounts:
    description:
      - Further service accounts of the same cluster, each with a credential of its own on the same application or
        managed identity. Everything but name and service account is as for the first one.
    type: list
    elements: dict
    default: []
    suboptions:
      namespace:
        description: Namespace of the service account.
        type: str
        required: true
      service_account:
        description: Name of the service account.
        type: str
        required: true
      name:
        description: Name of its federated identity credential.
        type: str
        required: true
  audience:
    description: The only audience of the tokens that are exchanged.
    type: str
    default: api://AzureADTokenExchange
  service_principal:
    description:
      - Whether the application's service principal in the tenant is created when it is missing. Logins need it.
    type: bool
    default: true
  existing:
    description:
      - What to do about a credential that has the issuer and subject under another name.
      - V(adopt) uses it as it is, and repairs its audience. V(report) fails and names both.
    type: str
    choices: [adopt, report]
    default: adopt
  prune_stale:
    description:
      - Whether credentials of the same application are deleted whose cluster is gone. Only those are that this
        collection created and for whose issuer the issuer's host answers that there is no such document (404). One
        whose host can't be reached is kept with a warning.
      - Only with O(state=present), and not for managed identities.
    type: bool
    default: false
  force:
    description:
      - Whether O(state=absent) deletes a credential that this collection did not create. For a managed identity,
        whether it deletes a credential that has the issuer and subject, but another name.
      - Whether O(state=present) points a credential that has the O(name) at this cluster though it trusts another
        issuer that is alive. The logins of that issuer's accounts fail from then on. Otherwise the module fails before
        any write.
    type: bool
    default: false
  if_shared:
    description:
      - What O(state=absent) does with a credential that only O(force) would delete. V(fail) fails, V(keep) leaves it
        and says so in a warning.
    type: str
    choices: [fail, keep]
    default: fail
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
    support: full
notes:
  - For an application the login needs the Microsoft Graph application permission C(Application.ReadWrite.OwnedBy),
    which is enough for applications that it owns, or C(Application.ReadWrite.All). It owns the applications that it
    creates; it can be made an owner of others. Who is logged in as a user needs the Microsoft Entra role Application
    Developer, with which it owns what it creates, or Cloud Application Administrator in place of a permission.
  - For a managed identity the login needs no Graph permission, but the role C(Managed Identity Contributor) on it, or
    C(Microsoft.ManagedIdentity/userAssignedIdentities/read) and
    C(Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/*).
  - Entra allows 20 federated identity credentials for an application or managed identity.
  - Entra's replicas show a change only after a while. The module waits until they do, at most two minutes, and a
    warning says how long it waited. A login by a new credential may fail for some minutes all the same.
  - A credential that matches claims by an expression (a flexible one) is read and left alone.
requirements:
  - msgraph-sdk >= 1.6
  - azure-mgmt-core
author:
  - crosscloud.aks_amp contributors (@crosscloud)
"""

EXAMPLES = r"""
- name: Let the fleet's application trust Prometheus of a cluster
  crosscloud.aks_amp.entra_federated_credential:
    display_name: Prometheus-AMP-Federation
    name: aks-prometheus-federation-aks-prod-1
    issuer: "{{ cluster.issuer }}"
    namespace: monitoring
    service_account: prometheus-sa
    prune_stale: true
  register: entra

- name: The same for an application that must exist
  crosscloud.aks_amp.entra_federated_credential:
    app_id: 11111111-2222-3333-4444-555555555555
    name: aks-prometheus-federation-aks-prod-1
    issuer: "{{ cluster.issuer }}"
    namespace: monitoring
    service_account: prometheus-sa
    service_principal: false

- name: The same for a managed identity, which needs no right in Microsoft Graph
  crosscloud.aks_amp.entra_federated_credential:
    managed_identity_name: id-prometheus
    resource_group: rg-fleet
    subscription_id: 00000000-0000-0000-0000-000000000000
    name: aks-prometheus-federation-aks-prod-1
    issuer: "{{ cluster.issuer }}"
    namespace: monitoring
    service_account: prometheus-sa

- name: Remove the trust, and the application with its last credential
  crosscloud.aks_amp.entra_federated_credential:
    state: absent
    display_name: Prometheus-AMP-Federation
    name: aks-prometheus-federation-aks-prod-1
    issuer: "{{ cluster.issuer }}"
    namespace: monitoring
    service_account: prometheus-sa
"""

RETURN = r"""
client_id:
  description:
    - Client ID of the application or managed identity. The text C(<known after apply>) in check mode when the
      application is yet to be created, null when there is none any more.
  returned: success
  type: str
object_id:
  description:
    - Object ID of the application, or of the managed identity's service principal; otherwise like RV(client_id).
  returned: success
  type: str
tenant_id:
  description:
    - Tenant of the application, from its service principal, or of the managed identity; without one as O(tenant) names
      it, else null.
  returned: success
  type: str
service_principal_id:
  description:
    - Object ID of the service principal. Null when O(service_principal) is V(false), or when there is none any more.
  returned: success
  type: str
credential:
  description: The federated identity credential. Null with O(state=absent).
  returned: success
  type: dict
  contains:
    id:
      description: ID of the credential, in check mode like RV(client_id).
      type: str
    name:
      description: Its name. It differs from O(name) when another credential has the issuer and subject already.
      type: str
    issuer:
      description: Issuer that it trusts.
      type: str
    subject:
      description: Subject that it trusts.
      type: str
      sample: system:serviceaccount:monitoring:prometheus-sa
    audiences:
      description: Its one audience.
      type: list
      elements: str
    description:
      description: Its description, null when it has none, as those of managed identities.
      type: str
credentials:
  description: RV(credential) and those of O(more_service_accounts), in this order.
  returned: success
  type: list
  elements: dict
kept:
  description: One sentence for each thing that could have been removed, but stays, and why.
  returned: success
  type: list
  elements: str
changes:
  description: What was changed, or would be in check mode, in this order.
  returned: success, and failure after the first write
  type: list
  elements: dict
  contains:
    action:
      description: What is done with the object.
      type: str
      sample: create
    kind:
      description: What the object is.
      type: str
      sample: federated identity credential
    name:
      description: Name of the object.
      type: str
    summary:
      description: One sentence that says what is changed.
      type: str
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

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import entra_federated_credential
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import run_module


def main() -> None:
    """Run the module."""
    run_module(entra_federated_credential.DEFINITION)


if __name__ == "__main__":
    main()
