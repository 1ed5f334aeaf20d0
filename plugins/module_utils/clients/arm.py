# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AKS clusters through Azure Resource Manager by azure-mgmt-containerservice.

https://learn.microsoft.com/rest/api/aks/managed-clusters. There is no partial update: a cluster is changed by reading
all of it and putting all of it back. So the library's model of the answer is kept for the PUT, because it carries the
properties that this library version doesn't know.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import typing as t
from collections.abc import Mapping

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients import azure

try:
    from azure.core import MatchConditions
    from azure.core.exceptions import AzureError, HttpResponseError
    from azure.mgmt.containerservice import ContainerServiceClient
    from azure.mgmt.containerservice import models as sdk
    from azure.mgmt.core.polling.arm_polling import ARMPolling
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.core.polling import LROPoller

SERVICE = "Azure Resource Manager"
LIBRARY = "azure-mgmt-containerservice"

#: The first version whose models keep unknown properties and whose PUT takes an ETag.
LIBRARY_SINCE = "41.0.0"

#: Another writer was faster. ``EtagMismatch`` also comes without an If-Match, ``OperationNotAllowed`` while another
#: operation runs on the cluster or on one of its pools; the last two end an operation that had been accepted.
_CONFLICT_CODES = frozenset({"EtagMismatch", "OperationNotAllowed", "OriginalEtagNotExpect", "OperationPreempted"})


@dataclasses.dataclass(frozen=True)
class ClusterRef:
    """Which cluster. Resource group and name are case-insensitive."""

    subscription_id: str
    resource_group: str
    name: str

    def __str__(self) -> str:
        return f"AKS cluster {self.name} in resource group {self.resource_group}"


@dataclasses.dataclass(frozen=True)
class Flags:
    """The two switches of a cluster; None leaves one as it is."""

    oidc_issuer: bool | None = None
    workload_identity: bool | None = None


@dataclasses.dataclass(frozen=True)
class Cluster:
    """What matters of a cluster, and the whole of it for the way back.

    ``issuer_url`` is as ARM shows it, not necessarily as tokens carry it. ``etag`` is None where the service sends
    none. Empty strings stand for what the answer lacks.
    """

    id: str
    location: str
    tenant_id: str
    provisioning_state: str
    power_state: str
    etag: str | None
    issuer_enabled: bool
    issuer_url: str
    workload_identity_enabled: bool
    model: t.Any = dataclasses.field(default=None, repr=False, compare=False)  # sdk.ManagedCluster


def connect(session: azure.AzureSession, subscription_id: str) -> ContainerServiceClient:
    """The library's client for the clusters of one subscription. Raises MissingLibrary."""
    if IMPORT_ERROR is not None:
        raise errors.MissingLibrary(LIBRARY, IMPORT_ERROR)
    if not issubclass(sdk.ManagedCluster, Mapping):
        old = ImportError("an older version is installed, which would drop properties that it doesn't know")
        raise errors.MissingLibrary(f"{LIBRARY} {LIBRARY_SINCE}", old)
    return ContainerServiceClient(
        session.credential,
        subscription_id,
        base_url=f"https://{session.cloud.arm}",
        credential_scopes=[session.cloud.arm_scope],
        **session.transport_options,
    )


class ArmClient:
    """The clusters of one subscription. Use it as a context manager, which closes its connections."""

    def __init__(
        self, session: azure.AzureSession, subscription_id: str, *, poll_interval: float, wait_timeout: float
    ) -> None:
        """``poll_interval`` and ``wait_timeout`` are seconds; a Retry-After header of the service wins over the first.

        Raises MissingLibrary when the library is missing or too old to give back what it doesn't know.
        """
        self._poll_interval = poll_interval
        self._wait_timeout = wait_timeout
        self._client = connect(session, subscription_id)

    def __enter__(self) -> ArmClient:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._client.close()

    def get_cluster(self, ref: ClusterRef) -> Cluster:
        """The cluster as it is. Raises NotFound when it, its group or the subscription is not there or not visible."""
        with arm_errors(f"reading {ref}", ref, "Microsoft.ContainerService/managedClusters/read"):
            return _snapshot(self._client.managed_clusters.get(ref.resource_group, ref.name))

    def set_flags(self, ref: ClusterRef, cluster: Cluster, flags: Flags) -> Cluster:
        """Put the cluster back with these switches, wait for the operation, and return what is there then.

        Raises Conflict when the cluster has changed since it was read or another operation runs on it.
        """
        model = _with_flags(cluster.model, flags)
        # The pipeline repeats refused requests that carry a Retry-After. Under an ETag that is safe; without one it
        # could put an outdated cluster over what somebody else has just finished, so then it is planned anew instead.
        options: dict[str, t.Any] = {} if cluster.etag else {"retry_total": 0}
        with arm_errors(f"changing {ref}", ref, "Microsoft.ContainerService/managedClusters/write"):
            poller = self._client.managed_clusters.begin_create_or_update(
                ref.resource_group,
                ref.name,
                model,
                etag=cluster.etag,
                match_condition=MatchConditions.IfNotModified if cluster.etag else None,
                polling=ARMPolling(self._poll_interval),
                **options,
            )
        with _accepted(), arm_errors(f"changing {ref}", ref, "Microsoft.ContainerService/managedClusters/read"):
            return _snapshot(self._result(ref, poller))

    def _result(self, ref: ClusterRef, poller: LROPoller[t.Any]) -> t.Any:
        poller.wait(self._wait_timeout)
        if not poller.done():
            raise errors.NotReady(
                f"The change of {ref} was accepted, but is not finished after {self._wait_timeout / 60:g} minutes. "
                "It goes on in Azure.",
                fix="Run again when the cluster's provisioning state is Succeeded, or raise wait_timeout.",
            )
        return poller.result()


def _snapshot(model: t.Any) -> Cluster:
    profile = _at(model, "properties", "oidcIssuerProfile")
    return Cluster(
        id=_text(model, "id"),
        location=_text(model, "location"),
        tenant_id=_text(model, "identity", "tenantId"),
        provisioning_state=_text(model, "properties", "provisioningState"),
        power_state=_text(model, "properties", "powerState", "code"),
        etag=_text(model, "eTag") or None,
        issuer_enabled=bool(_at(profile, "enabled")),
        issuer_url=_text(profile, "issuerURL"),
        workload_identity_enabled=bool(_at(model, "properties", "securityProfile", "workloadIdentity", "enabled")),
        model=model,
    )


def _at(node: t.Any, *path: str) -> t.Any:
    """A value by the names that ARM uses; None when any step is missing."""
    for name in path:
        node = node.get(name) if isinstance(node, Mapping) else None
    return node


def _text(node: t.Any, *path: str) -> str:
    value = _at(node, *path)
    return "" if value is None else str(value)


def _with_flags(model: sdk.ManagedCluster, flags: Flags) -> sdk.ManagedCluster:
    """A copy of the model with these switches set and everything else as it was."""
    changed = copy.deepcopy(model)
    properties = changed.properties
    if properties is None:
        properties = changed.properties = sdk.ManagedClusterProperties()
    if flags.oidc_issuer is not None:
        if properties.oidc_issuer_profile is None:
            properties.oidc_issuer_profile = sdk.ManagedClusterOIDCIssuerProfile()
        properties.oidc_issuer_profile.enabled = flags.oidc_issuer
    if flags.workload_identity is not None:
        if properties.security_profile is None:
            properties.security_profile = sdk.ManagedClusterSecurityProfile()
        if properties.security_profile.workload_identity is None:
            properties.security_profile.workload_identity = sdk.ManagedClusterSecurityProfileWorkloadIdentity()
        properties.security_profile.workload_identity.enabled = flags.workload_identity
    return changed


@contextlib.contextmanager
def _accepted() -> Iterator[None]:
    """Mark errors as coming after the service had accepted the write. A lost race has changed nothing."""
    try:
        yield
    except errors.Conflict:
        raise
    except errors.AksAmpError as error:
        error.accepted = True
        raise


@contextlib.contextmanager
def arm_errors(action: str, ref: ClusterRef, permission: str) -> Iterator[None]:
    """Turn what the library raises inside the block into the collection's errors."""
    try:
        with azure.login_errors(SERVICE, action):
            yield
    except HttpResponseError as error:
        raise _refusal(error, action, ref, permission) from error
    except AzureError as error:
        raise errors.CloudError(service=SERVICE, action=action, detail=str(error)) from error


def _refusal(error: HttpResponseError, action: str, ref: ClusterRef, permission: str) -> errors.AksAmpError:
    code, message = _answer(error)
    status = error.status_code or 0
    if status == 404:
        return _not_found(code, message, ref)
    kind: type[errors.CloudError] = errors.CloudError
    fix = ""
    if code in _CONFLICT_CODES or status in (412, 429):
        kind = errors.Conflict
        fix = "Wait until nobody else changes the cluster and run again."
    elif status == 403:
        kind = errors.Forbidden
        fix = f"Allow {permission} on the cluster to the login, for example by the role Azure Kubernetes Service "
        fix += "Contributor; where the message names another right, that one."
    elif status == 401:
        fix = "The login's token is not accepted: check tenant (AZURE_TENANT_ID) and cloud_environment."
    refusal = kind(
        service=SERVICE,
        action=action,
        code=code,
        status=status,
        detail=message,
        request_id=_header(error, "x-ms-request-id") or _header(error, "x-ms-correlation-request-id"),
        fix=fix,
    )
    if isinstance(refusal, errors.Conflict):
        advised = _header(error, "Retry-After")
        refusal.retry_after = float(advised) if advised.isdecimal() else None
    return refusal


def _not_found(code: str, message: str, ref: ClusterRef) -> errors.NotFound:
    what, option = f"{ref} of subscription {ref.subscription_id}", "name"
    if "Subscription" in code:
        what, option = f"Subscription {ref.subscription_id}", "subscription_id"
    elif code == "ResourceGroupNotFound":
        what, option = f"Resource group {ref.resource_group} of subscription {ref.subscription_id}", "resource_group"
    elif code != "ResourceNotFound":
        what += f" ({code or 'HTTP 404'}: {message.rstrip('.')})"
    return errors.NotFound(f"{what} was not found.", fix=f"Correct {option}, or log in as somebody who may see it.")


def _answer(error: HttpResponseError) -> tuple[str, str]:
    """The service's own code and message.

    ARM's gateway puts them into an ``error`` envelope, AKS's resource provider doesn't, and a failed operation has
    them beside its status.
    """
    body: object = None
    if error.response is not None:
        with contextlib.suppress(ValueError, AzureError):
            body = json.loads(error.response.text())
    inner = body.get("error", body) if isinstance(body, dict) else None
    code, message = _text(inner, "code"), _text(inner, "message")
    if not code:
        return "", " ".join(str(error.message).split())
    details = _at(inner, "details")
    extra = _text(details[0], "message") if isinstance(details, list) and details else ""
    return code, f"{message.rstrip('.')} ({extra})" if extra and extra != message else message


def _header(error: HttpResponseError, name: str) -> str:
    headers = getattr(error.response, "headers", None)  # azure-core's base class of responses doesn't declare it
    return str(headers.get(name, "")) if headers is not None else ""
