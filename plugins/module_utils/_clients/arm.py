# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AKS clusters through Azure Resource Manager by azure-mgmt-containerservice.

https://learn.microsoft.com/rest/api/aks/managed-clusters. There is no partial update: a cluster is changed by reading
all of it and putting all of it back. So the library's model of the answer is kept for the PUT, because it carries the
properties that this library version doesn't know.
"""

from __future__ import annotations

import copy
import dataclasses
import time
import typing as t
import urllib.parse
from collections.abc import Mapping, MutableMapping

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef, ClusterScope
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import answers, azure
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm_errors import (
    SERVICE,
    accepted,
    arm_errors,
    changed_meanwhile,
    no_lost_race,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._waiting import seconds_of

try:
    from azure.core import MatchConditions
    from azure.core.exceptions import HttpResponseError
    from azure.core.rest import HttpRequest
    from azure.mgmt.containerservice import ContainerServiceClient
    from azure.mgmt.containerservice import models as sdk
    from azure.mgmt.core.polling.arm_polling import ARMPolling
except ImportError as error:  # the sanity tests import modules without any SDK
    IMPORT_ERROR: ImportError | None = error
else:
    IMPORT_ERROR = None

if t.TYPE_CHECKING:
    from azure.core.polling import LROPoller

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.azure import AzureSession

LIBRARY = "azure-mgmt-containerservice"

#: What an ordinary cluster is made of, by ARM's names.
_ORDINARY: t.Final[Mapping[str, t.Any]] = {
    "identity": {"userAssignedIdentities": {}},
    "properties": {
        "agentPoolProfiles": [{"networkProfile": {}, "powerState": {}, "securityProfile": {}, "upgradeSettings": {}}],
        "addonProfiles": {"any": {"identity": {}}},
        "autoUpgradeProfile": {},
        "azureMonitorProfile": {"metrics": {}},
        "identityProfile": {"any": {}},
        "linuxProfile": {"ssh": {"publicKeys": [{}]}},
        "metricsProfile": {"costAnalysis": {}},
        "networkProfile": {"loadBalancerProfile": {"effectiveOutboundIPs": [{}], "managedOutboundIPs": {}}},
        "oidcIssuerProfile": {},
        "powerState": {},
        "securityProfile": {"workloadIdentity": {}},
        "servicePrincipalProfile": {},
        "storageProfile": {"diskCSIDriver": {}, "fileCSIDriver": {}, "snapshotController": {}},
        "windowsProfile": {},
        "workloadAutoScalerProfile": {},
    },
    "sku": {},
}

#: The first version whose models keep unknown properties and whose PUT takes an ETag.
LIBRARY_SINCE = "41.0.0"

#: What an operation leaves behind; every other provisioning state is that of one that still runs.
TERMINAL_STATES = frozenset({"Succeeded", "Failed", "Canceled"})

_ACTIONS = "Microsoft.ContainerService/managedClusters"

# A request that was sent may have been carried out, and a second PUT of the same body could undo what somebody else has
# finished since: that is read and planned anew. A connection that ends behind a proxy looks to the library like one
# that did not come about, so that is not tried again either.
_WRITE_RETRIES: t.Final[Mapping[str, int]] = {
    "retry_total": 0,
    "retry_connect": 0,
    "retry_read": 0,
    "retry_status": 0,
}

#: Properties that only go in. ARM never shows them; should it ever do so, they are not sent back.
_SECRETS = (("windowsProfile", "adminPassword"), ("servicePrincipalProfile", "secret"))


@dataclasses.dataclass(frozen=True)
class Flags:
    """The two switches of a cluster; None leaves one as it is."""

    oidc_issuer: bool | None = None
    workload_identity: bool | None = None


@dataclasses.dataclass(frozen=True)
class Cluster:
    """What matters of a cluster, and the whole of it for the way back.

    ``issuer_url`` is as ARM shows it, not necessarily as tokens carry it. ``etag`` is None where the service sends
    none. Empty strings stand for what the answer lacks. ``operation_url`` is where an operation that was started and
    not waited for can be followed, else empty.
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
    tags: Mapping[str, str] = dataclasses.field(default_factory=dict, hash=False)
    operation_url: str = ""
    model: t.Any = dataclasses.field(default=None, repr=False, compare=False)  # sdk.ManagedCluster

    @property
    def is_busy(self) -> bool:
        """Whether an operation runs on the cluster."""
        return self.provisioning_state not in TERMINAL_STATES


def load_libraries() -> None:
    """Import what the libraries put off, and have them work out the models of a cluster, which they do when they read
    the first one: once for all workers, if it is done before they are forked."""
    azure.load_libraries()
    if IMPORT_ERROR is None and issubclass(sdk.ManagedCluster, Mapping):
        sdk.ManagedCluster(_ORDINARY)


def connect(session: AzureSession, subscription_id: str) -> ContainerServiceClient:
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
        self,
        session: AzureSession,
        subscription_id: str,
        *,
        poll_interval: float,
        wait_timeout: float,
        sleep: t.Callable[[float], None] = time.sleep,
        monotonic: t.Callable[[], float] = time.monotonic,
    ) -> None:
        """``poll_interval`` and ``wait_timeout`` are seconds; a Retry-After header of the service wins over the first.

        ``wait_timeout`` is the budget for everything that this client ever waits for, beginning now.
        Raises MissingLibrary when the library is missing or too old to give back what it doesn't know.
        """
        self.subscription_id = subscription_id
        self._poll_interval = poll_interval
        self._wait_timeout = wait_timeout
        self._sleep = sleep
        self._monotonic = monotonic
        self._end = monotonic() + wait_timeout
        self._host = session.cloud.arm
        self._client = connect(session, subscription_id)

    def __enter__(self) -> ArmClient:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._client.close()

    def seconds_left(self) -> float:
        """What is left of the budget for waiting, in seconds."""
        return max(0.0, self._end - self._monotonic())

    def get_cluster(self, ref: ClusterRef) -> Cluster:
        """The cluster as it is. Raises NotFound when it, its group or the subscription is not there or not visible."""
        return self._look(ref)[0]

    def list_clusters(self, scope: ClusterScope) -> list[Cluster]:
        """All clusters of the subscription, or of one resource group of it, page by page."""
        clusters = self._client.managed_clusters
        with arm_errors(f"listing the AKS clusters of {scope}", scope, f"{_ACTIONS}/read"):
            pages = clusters.list_by_resource_group(scope.resource_group) if scope.resource_group else clusters.list()
            return [_snapshot(model) for model in pages]

    def wait_until_idle(self, ref: ClusterRef) -> Cluster:
        """The cluster once no operation runs on it any more. Raises NotReady when the budget ends before."""
        while True:
            cluster, advised = self._look(ref)
            if not cluster.is_busy:
                return cluster
            left = self.seconds_left()
            if left <= 0 or (advised is not None and advised > left):
                raise errors.NotReady(
                    f"{ref} is still being changed by another operation (provisioning state "
                    f"{cluster.provisioning_state or 'unknown'}) after {self._wait_timeout / 60:g} minutes.",
                    fix="Run again when it is Succeeded, or raise wait_timeout.",
                )
            self._sleep(min(self._poll_interval, left) if advised is None else advised)

    def follow(self, ref: ClusterRef, url: str) -> Cluster:
        """The cluster at the end of an operation that an earlier call has started and not waited for.

        Raises CloudError when the operation failed, Conflict when another one took its place, NotReady when the budget
        ends before. An operation that the service no longer knows has ended.
        """
        if urllib.parse.urlsplit(url)[:2] != ("https", self._host):  # the token is for nobody else
            raise errors.InvalidInput(
                f"operation_url: {url} does not begin with https://{self._host}/.",
                fix="Give what the module returned when it was called with wait=false.",
            )
        while True:
            running, advised = self._look_at_operation(ref, url)
            if not running:
                return self.wait_until_idle(ref)
            left = self.seconds_left()
            if left <= 0 or (advised is not None and advised > left):
                raise self._unfinished(f"The change of {ref}")
            self._sleep(min(self._poll_interval, left) if advised is None else advised)

    def _look_at_operation(self, ref: ClusterRef, url: str) -> tuple[bool, float | None]:
        """Whether it still runs, and the service's advice when to look again, in seconds."""
        with arm_errors(f"changing {ref}", ref, f"{_ACTIONS}/read"):
            answer = self._client.send_request(HttpRequest("GET", url))
            if answer.status_code == 404:
                return False, None
            answer.raise_for_status()
            body = answer.json() if answer.content else {}
            status = str(body.get("status") or "Succeeded") if answer.status_code != 202 else "InProgress"
            if status in TERMINAL_STATES - {"Succeeded"}:
                raise HttpResponseError(f"Operation returned an invalid status '{status}'", response=answer)
        return status != "Succeeded", seconds_of(str(answer.headers.get("Retry-After", "")))

    def set_flags(self, ref: ClusterRef, cluster: Cluster, flags: Flags, *, wait: bool = True) -> Cluster:
        """Put the cluster back with these switches, wait for the operation, and return what is there then.

        Without ``wait``, return what the service answered when it accepted the change.
        Raises Conflict when the cluster has changed since it was read or another operation runs on it, Interrupted
        when it is not known whether the change was accepted.
        """
        action = f"changing {ref}"
        model = _with_flags(cluster.model, flags)
        if not cluster.etag:
            self._require_unchanged(ref, cluster, action)
        with arm_errors(action, ref, f"{_ACTIONS}/write", sends_write=True):
            poller = self._client.managed_clusters.begin_create_or_update(
                ref.resource_group,
                ref.name,
                model,
                etag=cluster.etag,
                match_condition=MatchConditions.IfNotModified if cluster.etag else None,
                **self._operation_options(wait=wait),
            )
        # Without waiting, it is the answer to the write itself that is read here.
        with accepted(), arm_errors(action, ref, f"{_ACTIONS}/read", sends_write=not wait):
            answer, url = self._result(f"The change of {ref}", poller)
            changed = _snapshot(answer)
            if not changed.id:
                raise answers.malformed(SERVICE, action, writes=True)
            return dataclasses.replace(changed, operation_url="" if wait else url)

    def rotate_signing_keys(self, ref: ClusterRef, *, wait: bool = True) -> Cluster:
        """Give the cluster a new key for signing service-account tokens, wait, and return the cluster then.

        https://learn.microsoft.com/azure/aks/use-oidc-issuer: the key before stays listed for 24 hours, but a second
        rotation drops it. Raises Conflict when the rotation was not accepted, Interrupted when it is not known whether
        it was, or whether it was done before another operation took its place.
        """
        action = f"rotating the signing keys of {ref}"
        permission = f"{_ACTIONS}/rotateServiceAccountSigningKeys/action"
        with arm_errors(action, ref, permission, sends_write=True):
            poller = self._client.managed_clusters.begin_rotate_service_account_signing_keys(
                ref.resource_group, ref.name, **self._operation_options(wait=wait)
            )
        with accepted(), no_lost_race(), arm_errors(action, ref, f"{_ACTIONS}/read"):
            _unused, url = self._result(f"The rotation of the signing keys of {ref}", poller)
            return dataclasses.replace(self.get_cluster(ref), operation_url="" if wait else url)

    def _look(self, ref: ClusterRef) -> tuple[Cluster, float | None]:
        """The cluster, and the service's advice when to look again, in seconds."""
        with arm_errors(f"reading {ref}", ref, f"{_ACTIONS}/read"):
            answer: t.Any = self._client.managed_clusters.get(ref.resource_group, ref.name, cls=_with_response)
            model, response = answer
            return _snapshot(model), seconds_of(str(response.headers.get("Retry-After", "")))

    def _require_unchanged(self, ref: ClusterRef, cluster: Cluster, action: str) -> None:
        """Stand in for the missing ETag: raise Conflict unless the cluster is, right now, as it was read.

        A change within the moment between this look and the write can't be seen; one that is still running then is
        refused by the service.
        """
        now = self.get_cluster(ref)
        if now.etag or now.model.as_dict() != cluster.model.as_dict():
            raise changed_meanwhile(action)

    def _operation_options(self, *, wait: bool) -> dict[str, t.Any]:
        polling = ARMPolling(self._poll_interval) if wait else False
        return {**_WRITE_RETRIES, "polling": polling, "cls": _with_url}

    def _result(self, what: str, poller: LROPoller[t.Any]) -> tuple[t.Any, str]:
        """The answer at the end, or without polling the first one, and the operation's URL.

        An end without a body has neither: the library calls no hook for it.
        """
        poller.wait(self.seconds_left())
        if not poller.done():
            raise self._unfinished(what)
        answer: tuple[t.Any, str] | None = poller.result()
        return answer or (None, "")

    def _unfinished(self, what: str) -> errors.NotReady:
        return errors.NotReady(
            f"{what} was accepted, but is not finished after {self._wait_timeout / 60:g} minutes. It goes on in Azure.",
            fix="Run again, which waits for its end, or raise wait_timeout.",
        )


def _with_response(pipeline: t.Any, model: t.Any, _headers: t.Any) -> tuple[t.Any, t.Any]:
    """The library's hook for answers: what it read, and the HTTP response."""
    return model, pipeline.http_response


def _with_url(pipeline: t.Any, model: t.Any, _headers: t.Any) -> tuple[t.Any, str]:
    """What the library read, and where the operation can be followed."""
    headers = pipeline.http_response.headers
    return model, str(headers.get("Azure-AsyncOperation") or headers.get("Location") or "")


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
        tags={str(name): str(value) for name, value in (_at(model, "tags") or {}).items()},
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
    """A copy of the model with these switches set, everything else as it was, and no secrets."""
    changed = copy.deepcopy(model)
    for profile, secret in _SECRETS:
        node = _at(changed, "properties", profile)
        if isinstance(node, MutableMapping):
            node.pop(secret, None)
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
