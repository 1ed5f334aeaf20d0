# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: entra_federated_credential
short_description: Let an Entra application trust a Kubernetes service account
version_added: "0.1.0"
description:
  - Finds or creates a Microsoft Entra application, its service principal, and the federated identity credential with
    which a Kubernetes service account logs in as that application.
  - An application that is named by O(object_id) or O(app_id) must exist. One that is named by O(unique_name) or
    O(display_name) is created when there is none. What is created is marked by a tag or by its description; what
    existed is changed where it is wrong, and never marked.
  - The credential is looked for by its trust, that is issuer and subject, which an application can hold once only, and
    then by O(name). A credential that has the trust under another name is used as it is. One that has the name is given
    the right issuer, subject and audience.
options:
  object_id:
    description: Object ID of the application. Exactly one of the four ways to name the application is given.
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
      - A new application gets it as its unique name, too, if it consists of letters, digits, dots, hyphens and
        underscores only. Thereby parallel runs for several clusters can't create the application twice.
    type: str
  name:
    description:
      - Name of the federated identity credential, 3 to 120 letters, digits, hyphens and underscores.
      - Clusters that share an application need a name each.
    type: str
    required: true
  issuer:
    description:
      - The cluster's OIDC issuer, verbatim, with its trailing slash.
      - In check mode also C(<known after apply>), for a cluster whose issuer is yet to be enabled.
    type: str
    required: true
  namespace:
    description: Namespace of the service account.
    type: str
    required: true
  service_account:
    description: Name of the service account.
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
  - The login needs the Microsoft Graph application permission C(Application.ReadWrite.OwnedBy), which is enough for
    applications that it owns, or C(Application.ReadWrite.All).
  - Entra allows 20 federated identity credentials for an application.
requirements:
  - msgraph-sdk >= 1.6
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
  register: entra

- name: The same for an application that must exist
  crosscloud.aks_amp.entra_federated_credential:
    app_id: 11111111-2222-3333-4444-555555555555
    name: aks-prometheus-federation-aks-prod-1
    issuer: "{{ cluster.issuer }}"
    namespace: monitoring
    service_account: prometheus-sa
    service_principal: false
"""

RETURN = r"""
client_id:
  description: Application (client) ID. The text C(<known after apply>) in check mode when it is yet to be created.
  returned: success
  type: str
object_id:
  description: Object ID of the application, in check mode like RV(client_id).
  returned: success
  type: str
tenant_id:
  description:
    - Tenant of the application, from its service principal; without one as O(tenant) names it, else null.
  returned: success
  type: str
service_principal_id:
  description: Object ID of the service principal. Null when O(service_principal) is V(false).
  returned: success
  type: str
credential:
  description: The federated identity credential.
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
      description: Its description, null when it has none.
      type: str
changes:
  description: What was changed, or would be in check mode, in this order.
  returned: always
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
"""

from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources import entra_federated_credential
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.runner import run_module


def main() -> None:
    """Run the module."""
    run_module(entra_federated_credential.DEFINITION)


if __name__ == "__main__":
    main()
