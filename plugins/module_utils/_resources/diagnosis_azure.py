# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The link of the AKS cluster: what Azure Resource Manager shows of it, by one request."""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm import ArmClient, Flags
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.azure import AzureSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.link_errors import (
    ABOUT_A_LINK,
    message_and_fix,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import (
    Finding,
    Link,
    LinkName,
    judged,
    not_tried,
    run_step,
    unknown,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import aks_oidc_issuer_plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm import Cluster
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_wish import AzureLook

_NAME: t.Final = LinkName.CLUSTER
_STOPPED: t.Final = "Stopped"
_DELETING: t.Final = "Deleting"
_STEP: t.Final = run_step("aks_oidc_issuer")


class Kind(enum.Enum):
    """What can be wrong with the cluster; the values are the findings' kinds."""

    MISSING = "cluster_missing"
    BEING_DELETED = "cluster_being_deleted"
    STOPPED = "cluster_stopped"
    OPERATION_FAILED = "cluster_operation_failed"
    ISSUER_OFF = "cluster_oidc_issuer_off"
    ISSUER_URL_MISSING = "cluster_issuer_url_missing"
    WORKLOAD_IDENTITY_OFF = "cluster_workload_identity_off"


@dataclasses.dataclass(frozen=True)
class ClusterSeen:
    """The link, and the issuer as ARM reports it: empty when it is not known."""

    link: Link
    issuer: str = ""


def look_at_cluster(look: AzureLook, *, needs_workload_identity: Severity | None) -> ClusterSeen:
    """Read the cluster and judge it.

    ``needs_workload_identity`` is how grave it is when workload identity is off, None when nobody needs it.
    """
    ref = look.cluster
    if ref is None:
        return ClusterSeen(not_tried(_NAME, "no AKS cluster is named"))
    try:
        with ArmClient(AzureSession(look.auth), ref.subscription_id, poll_interval=1.0, wait_timeout=0.0) as arm:
            cluster = arm.get_cluster(ref)
    except errors.NotFound as error:
        finding = Finding(Kind.MISSING.value, Severity.HIGH, error.message, expected=ref.name, fix=error.fix)
        return ClusterSeen(dataclasses.replace(judged(_NAME, [finding], ""), missing=True))
    except ABOUT_A_LINK as error:
        return ClusterSeen(unseen(_NAME, error))
    return ClusterSeen(judge(ref, cluster, needs_workload_identity), cluster.issuer_url)


def unseen(name: LinkName, error: Exception, fix: str = "") -> Link:
    """A link that the management API did not show: metrics may flow all the same, so it is not broken.

    ``fix`` takes the place of the error's own where that is about more than reading.
    """
    message, own = message_and_fix(error)
    return unknown(name, message, fix=fix or own)


def judge(ref: ClusterRef, cluster: Cluster, needs_workload_identity: Severity | None) -> Link:
    """What ARM shows of the cluster, judged."""
    findings = [*_state(ref, cluster), *_flags(ref, cluster, needs_workload_identity)]
    identity = "on" if cluster.workload_identity_enabled else "off"
    summary = f"The cluster has an OIDC issuer, and workload identity is {identity}."
    if cluster.is_busy:
        summary += f" Another operation runs on it (provisioning state {cluster.provisioning_state or 'unknown'})."
    link = judged(_NAME, findings, summary)
    return link if findings else dataclasses.replace(link, found=f"issuer {cluster.issuer_url}")


def _state(ref: ClusterRef, cluster: Cluster) -> t.Iterator[Finding]:
    provisioning, power = cluster.provisioning_state, cluster.power_state
    if provisioning == _DELETING:
        yield Finding(
            Kind.BEING_DELETED.value,
            Severity.HIGH,
            "The cluster is being deleted, and its issuer goes with it.",
            expected="provisioning state Succeeded",
            found=f"provisioning state {provisioning}",
            fix="Take the cluster out of the inventory once teardown.yml has removed what it leaves in AWS and Entra.",
        )
    elif cluster.provisioning_state in aks_oidc_issuer_plan.STATES_BROKEN:
        yield Finding(
            Kind.OPERATION_FAILED.value,
            Severity.MEDIUM,
            "The cluster's last operation did not succeed, so that AKS may not have done all that was asked for.",
            expected="provisioning state Succeeded",
            found=f"provisioning state {provisioning}",
            fix="See the cluster's activity log, and reconcile it: 'az aks update' without options "
            f"(--resource-group {ref.resource_group} --name {ref.name}).",
        )
    if power == _STOPPED:
        yield Finding(
            Kind.STOPPED.value,
            Severity.HIGH,
            "The cluster is stopped: no pod runs, and its API server issues no tokens.",
            expected="power state Running",
            found=f"power state {power}",
            fix=f"Start it: az aks start --resource-group {ref.resource_group} --name {ref.name}.",
        )


def _flags(ref: ClusterRef, cluster: Cluster, needs_workload_identity: Severity | None) -> t.Iterator[Finding]:
    """What the step aks_oidc_issuer would switch on."""
    missing = _missing(ref, cluster, needs_workload_identity)
    if missing.oidc_issuer:
        yield Finding(
            Kind.ISSUER_OFF.value,
            Severity.HIGH,
            "The OIDC issuer is off, so nobody outside of the cluster can verify its service accounts' tokens.",
            expected="oidcIssuerProfile.enabled true",
            found="oidcIssuerProfile.enabled false",
            fix=f"{_STEP} It restarts the API server briefly, and an issuer can't be switched off again.",
        )
    elif not cluster.issuer_url:
        yield Finding(
            Kind.ISSUER_URL_MISSING.value,
            Severity.HIGH,
            "The OIDC issuer is on, but Azure shows no URL of it, as while it is being enabled.",
            expected="oidcIssuerProfile.issuerURL with the issuer's URL",
            found="no oidcIssuerProfile.issuerURL",
            fix="Look again in some minutes; if it stays, reconcile the cluster: 'az aks update' without options "
            f"(--resource-group {ref.resource_group} --name {ref.name}).",
        )
    if missing.workload_identity and needs_workload_identity is not None:
        yield Finding(
            Kind.WORKLOAD_IDENTITY_OFF.value,
            needs_workload_identity,
            "Workload identity is off, so no webhook gives pods the token and the AZURE_ variables of Microsoft Entra "
            "Workload ID.",
            expected="securityProfile.workloadIdentity.enabled true",
            found="securityProfile.workloadIdentity.enabled false",
            fix=f"{_STEP} aks_amp_workload_identity must be true, which it is by default.",
        )


def _missing(ref: ClusterRef, cluster: Cluster, needs_workload_identity: Severity | None) -> Flags:
    """The step's own plan for the cluster, as if nothing kept that from being changed right now."""
    steady = dataclasses.replace(cluster, power_state="Running", provisioning_state="Succeeded")
    wish = aks_oidc_issuer_plan.Wish(
        ref, oidc_issuer=True, workload_identity=None if needs_workload_identity is None else True
    )
    planned = aks_oidc_issuer_plan.plan(aks_oidc_issuer_plan.Current(ref, steady, None), wish)
    operations = [change.operation for change in planned.changes]
    return next((one for one in operations if isinstance(one, Flags)), Flags())
