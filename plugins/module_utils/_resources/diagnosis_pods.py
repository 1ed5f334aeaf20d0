# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pods of a Prometheus show: whether they have come to run, what they have, and what they complain of."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.diagnosis_part import (
    Part,
    failed_part,
    finding,
    together,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.diagnosis_template import (
    refusal,
    template_findings,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.link_errors import ABOUT_A_LINK
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Finding, LinkName
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import is_same_url
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    DEPLOYMENT,
    EVENT,
    POD,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import image_of, merge_pod_template
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_resource import generated_workloads
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import SIGNING, PrometheusVersion
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals.explain import UNEXPLAINED
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_follow import pods_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_trouble import Reporter, Stuck
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_judge import (
    Trouble,
    is_going,
    is_ready,
    made_from,
    progress_of,
    trouble_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_logs import (
    Failure,
    clean,
    last_failure,
    telling_events,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_subject import (
    ExpectedEntries,
    Subject,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.diagnosis_chain import ClusterChain
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_prometheus import Observed

Json = dict[str, t.Any]

_NAME: t.Final = LinkName.PODS
#: How far back a log is read, in seconds: what was mended before that must not alarm.
LOG_SECONDS: t.Final = 600
#: Of how many pods that run the log is read; each costs a request.
MAX_LOGS: t.Final = 5
#: So often a failure that may pass has to recur in that time before it counts as one that does not.
RECURRING: t.Final = 3

#: Failures of remote write that hinder something now and then, or only some samples.
_PASSING: t.Final = frozenset({"quota_exceeded", "service_in_trouble", "sample_refused", ""})
#: Failures that Prometheus overcomes by itself, unless they recur.
_DOUBTFUL: t.Final = frozenset({"aws_not_reached"})

#: The end of a kind for what keeps a container from starting.
WAITING: t.Final = {
    "Unschedulable": "unschedulable",
    "ImagePullBackOff": "image_not_pulled",
    "ErrImagePull": "image_not_pulled",
    "ErrImageNeverPull": "image_not_pulled",
    "InvalidImageName": "image_not_pulled",
    "CreateContainerConfigError": "object_missing",
}
NOT_READY: t.Final = "not_ready"
CRASHING: t.Final = "crashing"
VOLUME_NOT_MOUNTED: t.Final = "volume_not_mounted"
_MOUNT_EVENTS: t.Final = ("FailedMount", "FailedAttachVolume")


@dataclasses.dataclass(frozen=True)
class Running:
    """A workload with its pods, those that are being deleted left out. ``workload`` is None when there is none."""

    reference: ObjectReference
    workload: Json | None
    pods: tuple[Json, ...] = ()

    @property
    def restart(self) -> str:
        """How its pods are replaced."""
        kind, name = self.reference.kind.name.lower(), self.reference.name
        return f"Replace the pods: kubectl rollout restart {kind}/{name} --namespace {self.reference.namespace}."


def running(client: KubeClient, observed: Observed) -> tuple[Running, ...]:
    """The workloads of a Prometheus with their pods. Raises what the API server refuses."""
    look, resource = observed.look, observed.workload
    if resource is None:
        return ()
    if not look.is_operators:
        return (_with_pods(client, look.workload, resource),)
    return tuple(
        _with_pods(client, reference, client.get(reference))
        for reference in generated_workloads(look.workload, resource)
    )


def _with_pods(client: KubeClient, reference: ObjectReference, workload: Json | None) -> Running:
    if workload is None:
        return Running(reference, None)
    pods = tuple(pod for pod in pods_of(client, reference, workload) if _counts(pod, reference))
    return Running(reference, workload, pods)


def _counts(pod: Json, reference: ObjectReference) -> bool:
    """Whether a pod is one that the workload runs: not one that goes or has ended, as evicted ones that are left have,
    nor another one that a Deployment's selector finds too."""
    if is_going(pod) or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    if reference.kind != DEPLOYMENT:
        return True
    owners = pod["metadata"].get("ownerReferences") or ()
    return any(one.get("kind") == "ReplicaSet" and one["name"].startswith(f"{reference.name}-") for one in owners)


def pods_part(client: KubeClient, chain: ClusterChain, observed: Observed, found: t.Sequence[Running]) -> Part:
    """What all pods of a Prometheus show."""
    if observed.workload is None:
        return Part(unseen=(f"There are no pods of {observed.look.workload} to look at.",))
    parts = [_operator(observed)] if observed.look.is_operators else []
    return together(*parts, *(_of_workload(client, chain, observed, one) for one in found))


def _operator(observed: Observed) -> Part:
    """Whether the operator makes of its resource what it says."""
    resource = observed.workload or {}
    for condition in (resource.get("status") or {}).get("conditions") or ():
        if condition.get("type") == "Reconciled" and condition.get("status") == "False":
            message = clean(str(condition.get("message") or condition.get("reason") or ""))
            cause = f"The operator could not make what {observed.look.workload} says."
            fix = f"Mend what it complains of in {observed.look.workload}, or update the operator."
            return Part((finding(_NAME, "operator_failed", cause, found=message, fix=fix, source=message),))
    return Part()


def _of_workload(client: KubeClient, chain: ClusterChain, observed: Observed, one: Running) -> Part:
    if one.workload is None:
        cause = f"The operator has not made {one.reference} of {observed.look.workload}."
        fix = "Look whether the operator runs and watches the namespace."
        return Part((finding(_NAME, "workload_missing", cause, expected=str(one.reference), found="none", fix=fix),))
    if not one.pods:
        return _nothing_runs(client, one.reference, one.workload)
    looker = _PodLooker(client, chain, observed, one)
    parts = [looker.look(pod) for pod in one.pods]
    return dataclasses.replace(together(*parts), findings=_grouped(parts), holds=_holds(one, observed))


def _holds(one: Running, observed: Observed) -> str:
    count = len(one.pods)
    pods = "1 pod runs" if count == 1 else f"{count} pods run"
    identity = " with the web identity" if observed.has_identity else ""
    return f"Of {one.reference} {pods}{identity}."


def _grouped(parts: t.Sequence[Part]) -> tuple[Finding, ...]:
    """Each kind once: of the first pod, with the number of the others."""
    first: dict[str, Finding] = {}
    more: dict[str, int] = {}
    for item in (item for part in parts for item in part.findings):
        if item.kind in first:
            more[item.kind] = more.get(item.kind, 0) + 1
        else:
            first[item.kind] = item
    return tuple(
        dataclasses.replace(item, cause=f"{item.cause} The same holds for {more[kind]} more.") if kind in more else item
        for kind, item in first.items()
    )


def _nothing_runs(client: KubeClient, reference: ObjectReference, workload: Json) -> Part:
    """Why a workload has no pods."""
    progress = progress_of(reference.kind.name, workload)
    if progress.wanted == 0:
        cause = f"{reference} runs no pods, because none are asked for."
        fix = "Scale it up, or see that a node takes its pods."
        return Part((finding(_NAME, "none_wanted", cause, expected="1 pod at least", found="0", fix=fix),))
    uid, namespace = str(workload["metadata"].get("uid") or ""), reference.namespace or ""
    unseen: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    told = progress.refusal
    try:
        events = client.list_in(EVENT, namespace, fields=f"involvedObject.uid={uid},type=Warning")
        told = told or next(iter(telling_events(events)), "")
    except errors.Forbidden as error:
        unseen, rights = (f"The events of {reference} could not be read.",), (error.fix,)
    told = clean(told).rstrip(".")
    cause = f"{reference} has no pods: {told or progress.message}."
    fix = f"Look at the events of {reference} and remove what keeps its pods from being made."
    wanted = f"{progress.wanted} pod{'s' if progress.wanted > 1 else ''}"
    part = finding(_NAME, "not_made", cause, expected=wanted, found="0", fix=fix, source=told)
    return Part((part,), unseen, rights)


class _PodLooker:
    """Looks at the pods of one workload, one after the other."""

    def __init__(self, client: KubeClient, chain: ClusterChain, observed: Observed, one: Running) -> None:
        self._client = client
        self._chain = chain.explained()
        self._url = chain.remote_write_url
        self._observed = observed
        self._container = observed.container
        self._one = one
        self._logs = 0
        self._some_ready = any(is_ready(pod) for pod in one.pods)

    def look(self, pod: Json) -> Part:
        trouble = trouble_of(pod, self._container)
        if trouble is not None:
            return together(self._identity(pod), self._trouble(pod, trouble))
        if all(item["name"] != self._container for item in pod["spec"]["containers"]):
            return self._identity(pod)  # a container of another name is told elsewhere
        return together(self._identity(pod), self._version(pod), self._log(pod))

    # What it has --------------------------------------------------------------------------------------------------

    def _identity(self, pod: Json) -> Part:
        """What the pod lacks of the web identity though its template has it, and whether the template is newer."""
        observed, name = self._observed, str(pod["metadata"]["name"])
        workload = self._one.workload or {}
        current = made_from(pod, workload["spec"]["template"], self._container)
        lacking = self._lacking(pod) if observed.has_identity else ()
        if lacking:
            why = (
                "The template is in order, so something changed the pod when it was made (an admission webhook)."
                if current
                else "It was made from an older template."
            )
            fix = self._one.restart
            if current:
                fix = f"Find out which admission webhook changes pods of this namespace. {fix}"
            return Part(tuple(dataclasses.replace(item, cause=f"{item.cause} {why}", fix=fix) for item in lacking))
        if current:
            return Part()
        cause = f"The pod {name} was made from an older template of {self._one.reference}."
        outdated = finding(
            _NAME,
            "outdated",
            cause,
            severity=Severity.MEDIUM,
            expected="the newest pod template",
            found="an older one",
            fix=f"Wait for the rollout to end. If it does not: {self._one.restart}",
        )
        return Part((outdated,))

    def _lacking(self, pod: Json) -> tuple[Finding, ...]:
        wish = self._observed.wish
        if wish is None:
            return ()
        name = str(pod["metadata"]["name"])
        shown = {"metadata": pod["metadata"], "spec": pod["spec"]}
        try:
            change = merge_pod_template(shown, wish, f"Pod {name}")
        except errors.Refused as error:
            return (refusal(_NAME, error),)
        except errors.NotFound:  # the container has another name in the template of before
            return ()
        return template_findings(_NAME, change, f"pod {name}")

    def _version(self, pod: Json) -> Part:
        version = PrometheusVersion.of_image(image_of(pod, self._container))
        if version is None or version >= SIGNING:
            return Part()
        cause = f"The pod {pod['metadata']['name']} runs Prometheus {version}, which can't sign requests to AWS."
        fix = f"Update Prometheus to {SIGNING} at least; newer releases are recommended."
        old = finding(_NAME, "prometheus_too_old", cause, expected=f"{SIGNING} at least", found=str(version), fix=fix)
        return Part((old,))

    # What keeps it from running -----------------------------------------------------------------------------------

    def _trouble(self, pod: Json, trouble: Trouble) -> Part:
        subject = Subject((self._one.reference,), self._container, None, ExpectedEntries(), self._chain)
        stuck = Stuck("", trouble=trouble, pod=pod, about=self._one.reference)
        report = Reporter(self._client, subject).report(stuck)
        ending = WAITING.get(trouble.reason, NOT_READY)
        if report.kind:
            ending = f"log_{report.kind}"
        elif trouble.crashed:
            ending = CRASHING
        elif any(event.startswith(_MOUNT_EVENTS) for event in report.events):
            ending = VOLUME_NOT_MOUNTED
        grave = trouble.crashed or not self._some_ready
        said = report.log[-1:] if trouble.crashed else report.events[:1]
        one = finding(
            _NAME,
            ending,
            f"Pod {trouble.pod}: {report.cause} {' '.join(report.details)}".strip(),
            severity=Severity.HIGH if grave else Severity.MEDIUM,
            expected="a pod that is ready",
            found=trouble.reason,
            fix=report.fix or f"Remove what keeps the pod from running; look at it: {_describe(pod)}",
            source=next(iter(said), ""),
        )
        return Part((one,))

    # What it complains of -----------------------------------------------------------------------------------------

    def _log(self, pod: Json) -> Part:
        if self._logs >= MAX_LOGS:
            return Part()
        self._logs += 1
        reference = POD.at(str(pod["metadata"]["name"]), str(pod["metadata"]["namespace"]))
        try:
            text = self._client.log(reference, self._container, since=LOG_SECONDS)
        except ABOUT_A_LINK as error:
            return failed_part(_NAME, error)
        failure = last_failure(text, self._chain, self._concerns)
        return Part() if failure is None else Part((self._complaint(reference.name, failure),))

    def _concerns(self, address: str) -> bool:
        return not self._url or is_same_url(address, self._url)

    def _complaint(self, pod: str, failure: Failure) -> Finding:
        cause = failure.cause
        told = cause.explanation or "The cause is not one that this check knows."
        return finding(
            _NAME,
            f"log_{cause.kind or UNEXPLAINED}",
            f"Prometheus in the pod {pod} fails to write: {told}",
            severity=_severity(failure),
            expected="no error about remote_write, sigv4 or credentials",
            found=cause.text,
            fix=cause.fix or f"Look at the log: kubectl logs {pod} -c {self._container}.",
            source=cause.text,
        )


def _severity(failure: Failure) -> Severity:
    kind = failure.cause.kind
    passes = kind in _PASSING or (kind in _DOUBTFUL and failure.count < RECURRING)
    return Severity.MEDIUM if passes else Severity.HIGH


def _describe(pod: t.Mapping[str, t.Any]) -> str:
    return f"kubectl describe pod {pod['metadata']['name']} --namespace {pod['metadata']['namespace']}."
