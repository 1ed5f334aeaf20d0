# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of Azure Resource Manager: the subscriptions that a login sees, and the AKS clusters of one.

https://learn.microsoft.com/rest/api/resources/subscriptions/list and
https://learn.microsoft.com/rest/api/aks/managed-clusters/list. Both come in pages, all of which are read.
"""

from __future__ import annotations

import contextlib
import re
import typing as t
from collections.abc import Mapping

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_inventory import FleetCluster
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import arm, azure
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm_errors import (
    SERVICE,
    answer_of,
    request_id_of,
)

try:
    from azure.core.configuration import Configuration
    from azure.core.exceptions import AzureError, HttpResponseError
    from azure.core.pipeline import policies
    from azure.core.rest import HttpRequest
    from azure.mgmt.core import ARMPipelineClient
    from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

if t.TYPE_CHECKING:
    from collections.abc import Iterator

_SUBSCRIPTIONS_API = "2022-12-01"

#: States in which the clusters of a subscription can be used; in the others they are stopped or gone.
_USABLE_STATES = frozenset({"Enabled", "Warned", "PastDue"})

_RESOURCE_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/(?P<group>[^/]+)/providers/Microsoft\.ContainerService/managedClusters/"
    r"(?P<name>[^/]+)",
    re.IGNORECASE,
)


class FleetClient:
    """What a login sees of Azure's subscriptions and of their clusters. It only reads."""

    def __init__(self, session: azure.AzureSession) -> None:
        """Raises MissingLibrary. It costs no request."""
        if IMPORT_ERROR is not None:
            raise errors.MissingLibrary(arm.LIBRARY, IMPORT_ERROR)
        self._session = session

    def subscriptions(self) -> tuple[str, ...]:
        """The IDs of all usable subscriptions that the login sees, in lower case.

        Raises CloudError for a refusal, Unreachable, MissingCredentials.
        """
        action = "listing the subscriptions"
        found: list[str] = []
        with self._pipeline() as client, _list_errors(action, subscription_id=None):
            url: str | None = f"{self._base_url}/subscriptions?api-version={_SUBSCRIPTIONS_API}"
            while url:
                answer = client.send_request(HttpRequest("GET", url))
                answer.raise_for_status()
                page = answer.json()
                found += [str(one["subscriptionId"]).lower() for one in page["value"] if one["state"] in _USABLE_STATES]
                url = page.get("nextLink")
        return tuple(found)

    def clusters(self, subscription_id: str) -> tuple[FleetCluster, ...]:
        """All clusters of one subscription.

        Raises Forbidden, NotFound (no such subscription in this tenant), CloudError for another refusal, Unreachable,
        MissingCredentials, and MissingLibrary when the library is too old.
        """
        client = arm.connect(self._session, subscription_id)
        with client, _list_errors(f"listing the AKS clusters of subscription {subscription_id}", subscription_id):
            return tuple(_cluster(subscription_id, model) for model in client.managed_clusters.list())

    @property
    def _base_url(self) -> str:
        return f"https://{self._session.cloud.arm}"

    def _pipeline(self) -> ARMPipelineClient[t.Any, t.Any]:
        """The pipeline of the SDK's own clients. A library of its own for one list would be one more requirement."""
        options = self._session.transport_options
        config: Configuration[t.Any, t.Any] = Configuration(**options)
        config.headers_policy = policies.HeadersPolicy()
        config.user_agent_policy = policies.UserAgentPolicy()
        config.proxy_policy = policies.ProxyPolicy(**options)
        config.redirect_policy = policies.RedirectPolicy()
        config.retry_policy = policies.RetryPolicy()
        config.authentication_policy = ARMChallengeAuthenticationPolicy(
            self._session.credential, self._session.cloud.arm_scope
        )
        return ARMPipelineClient(self._base_url, config=config, **options)


def _cluster(subscription_id: str, model: t.Any) -> FleetCluster:
    resource_id = _text(model, "id")
    place = _RESOURCE_ID.fullmatch(resource_id)
    if place is None:
        raise errors.CloudError(
            service=SERVICE,
            action=f"listing the AKS clusters of subscription {subscription_id}",
            detail=f"the answer has a cluster with the resource ID '{resource_id}'",
        )
    properties = _at(model, "properties")
    return FleetCluster(
        subscription_id=subscription_id,
        resource_group=place["group"],
        name=_text(model, "name") or place["name"],
        resource_id=resource_id,
        location=_text(model, "location"),
        tags={str(name): str(value) for name, value in (_at(model, "tags") or {}).items()},
        kubernetes_version=_text(properties, "currentKubernetesVersion") or _text(properties, "kubernetesVersion"),
        provisioning_state=_text(properties, "provisioningState"),
        power_state=_text(properties, "powerState", "code"),
        node_resource_group=_text(properties, "nodeResourceGroup"),
        issuer_enabled=bool(_at(properties, "oidcIssuerProfile", "enabled")),
        issuer_url=_text(properties, "oidcIssuerProfile", "issuerURL"),
        workload_identity_enabled=bool(_at(properties, "securityProfile", "workloadIdentity", "enabled")),
        private_cluster=bool(_at(properties, "apiServerAccessProfile", "enablePrivateCluster")),
        local_accounts_disabled=bool(_at(properties, "disableLocalAccounts")),
        entra_integrated=bool(_at(properties, "aadProfile")),
    )


def _at(node: t.Any, *path: str) -> t.Any:
    """A value by the names that ARM uses; None when any step is missing."""
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node


def _text(node: t.Any, *path: str) -> str:
    value = _at(node, *path)
    return "" if value is None else str(value)


@contextlib.contextmanager
def _list_errors(action: str, subscription_id: str | None) -> Iterator[None]:
    """Turn what the library raises inside the block into the collection's errors."""
    try:
        with azure.login_errors(SERVICE, action):
            yield
    except HttpResponseError as error:
        raise _refusal(error, action, subscription_id) from error
    except AzureError as error:
        raise errors.CloudError(service=SERVICE, action=action, detail=str(error)) from error
    except (KeyError, TypeError, ValueError) as error:
        detail = f"the answer is no list of Azure Resource Manager ({type(error).__name__}: {error})"
        raise errors.CloudError(service=SERVICE, action=action, detail=detail) from error


def _refusal(error: HttpResponseError, action: str, subscription_id: str | None) -> errors.AksAmpError:
    code, message = answer_of(error)
    status = error.status_code or 0
    if status == 404 and code in ("SubscriptionNotFound", "InvalidSubscriptionId"):
        return errors.NotFound(
            f"Subscription {subscription_id} was not found.",
            fix="Correct subscription_ids, or log in to its tenant as somebody who may see it.",
        )
    kind: type[errors.CloudError] = errors.CloudError
    fix = ""
    if status == 403:
        kind = errors.Forbidden
        fix = "Allow Microsoft.ContainerService/managedClusters/read on the subscription to the login, for example by "
        fix += "the role Reader, or leave the subscription out of subscription_ids."
    elif status == 401:
        fix = "The login's token is not accepted: check tenant (AZURE_TENANT_ID) and cloud_environment."
    return kind(
        service=SERVICE,
        action=action,
        code=code,
        status=status,
        detail=message,
        request_id=request_id_of(error),
        fix=fix,
    )
