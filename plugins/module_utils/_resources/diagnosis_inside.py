# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain tried from inside the cluster: exchange and write in a pod of the service account, by a job that goes.

So the way from the nodes to AWS is proven too, which nothing outside of the cluster can tell.
"""

from __future__ import annotations

import dataclasses
import secrets
import time
import typing as t
import urllib.parse

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import Access
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis import links
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.diagnosis_part import (
    failed_part,
    finding,
    link_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.inside_job import (
    CONTAINER,
    NAME_PREFIX,
    Answered,
    Attempt,
    Tried,
    read_log,
    sts_url,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.link_errors import (
    ABOUT_A_LINK,
    message_and_fix,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Link, LinkName, Status
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    EVENT,
    JOB,
    POD,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus import remote_write
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals import explain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.federation_wish import METRIC
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_judge import (
    Trouble,
    Urgency,
    trouble_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_logs import clean, telling_events
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.diagnosis_chain import ClusterChain
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_wish import InsideLook

Json = dict[str, t.Any]

_NAME: t.Final = LinkName.INSIDE
_POLL_SECONDS: t.Final = 1.0
#: How long a trouble is watched that may pass, such as an image that is not pulled at once. Seconds.
_GRACE_SECONDS: t.Final = 20.0
#: The shortest time that a job is given, in seconds: two requests with their time limits.
_SHORTEST_SECONDS: t.Final = 60

#: The end of a kind for what keeps the pod from starting.
WAITING: t.Final = {
    "Unschedulable": "not_scheduled",
    "ImagePullBackOff": "image_not_pulled",
    "ErrImagePull": "image_not_pulled",
    "ErrImageNeverPull": "image_not_pulled",
    "InvalidImageName": "image_not_pulled",
}
OTHERWISE: t.Final = "pod_not_started"
_IMAGE: t.Final = "Give 'inside.image' an image with a shell and curl 7.75 or later, such as curlimages/curl."

_LET_THROUGH: t.Final = (
    "Let the nodes reach {host} on port 443 (firewall, network security group, network policy), or name their proxy by "
    "'inside.https_proxy' (aks_amp_inside_https_proxy)."
)

#: What curl's exit codes mean for the way to AWS: the end of a kind, the cause, and the advice
#: (https://curl.se/libcurl/c/libcurl-errors.html).
UNREACHED: t.Final[dict[int, tuple[str, str, str]]] = {
    5: ("proxy_unknown", "its proxy has no address", "Correct the proxy of the nodes."),
    6: (
        "no_address",
        "the name {host} has no address there",
        "See that the cluster's DNS resolves {host}; a DNS proxy or firewall has to let it through.",
    ),
    7: (
        "refused",
        "the connection to {host} is refused there",
        _LET_THROUGH,
    ),
    28: (
        "timeout",
        "{host} does not answer there in time",
        _LET_THROUGH,
    ),
    35: (
        "tls_failed",
        "TLS with {host} can't be set up there",
        "See what stands between the nodes and {host}: something opens or breaks off its TLS connections.",
    ),
    60: (
        "certificate_unknown",
        "the certificate shown for {host} is not trusted there",
        "Something opens TLS connections on their way: exempt {host} from it, or give the pods its authority.",
    ),
}
NO_ANSWER: t.Final = (
    "no_answer",
    "{host} gives no answer there",
    "Let the nodes reach {host} on port 443, and see what stands between them.",
)


def try_inside(
    client: KubeClient,
    chain: ClusterChain,
    look: InsideLook,
    *,
    sleep: Callable[[float], None],
    monotonic: Callable[[], float],
    now: Callable[[], float] = time.time,
    chained_role_arn: str | None = None,
    external_id: str | None = None,
) -> Link:
    """Run the job and judge what it found. Role and region are known. The job is deleted whatever happens.

    ``chained_role_arn`` is another role that writes, assumed with the federated session. A right that is missing leaves
    the link unknown, and nothing is made.
    """
    chaining = (chained_role_arn or "", external_id or "")
    trial = _Trial(client, chain, look, sleep, monotonic, chaining)
    missing = trial.missing_rights()
    if missing:
        return links.unknown(
            _NAME,
            "The exchange could not be tried from inside the cluster: rights are missing.",
            fix=" ".join(f"Grant the right {access} by an RBAC role." for access in missing),
        )
    return trial.run(now())


class _Trial:
    """One job, from its creation to its deletion."""

    def __init__(
        self,
        client: KubeClient,
        chain: ClusterChain,
        look: InsideLook,
        sleep: Callable[[float], None],
        monotonic: Callable[[], float],
        chaining: tuple[str, str],
    ) -> None:
        """``chaining`` are the chained role and its external ID, empty without."""
        self._client = client
        self._chain = chain
        self._look = look
        self._sleep = sleep
        self._monotonic = monotonic
        self._chained_role, self._external_id = chaining
        self._job = JOB.at(f"{NAME_PREFIX}{secrets.token_hex(4)}", chain.account.namespace)

    def missing_rights(self) -> list[Access]:
        """Those that the caller is known to lack; what can't be asked for is taken for granted."""
        namespace = self._chain.account.namespace
        needed = (
            Access("create", JOB.plural, JOB.group, namespace),
            Access("get", JOB.plural, JOB.group, namespace),
            Access("delete", JOB.plural, JOB.group, namespace),
            Access("list", POD.plural, POD.group, namespace),
            Access("get", f"{POD.plural}/log", POD.group, namespace),
        )
        try:
            return [access for access in needed if not self._client.may(access)]
        except errors.CloudError:
            return []

    def run(self, now: float) -> Link:
        left = ""
        try:
            link = self._tried(now)
        finally:
            left = self._remove()
        if not left:
            return link
        remains = finding(
            _NAME,
            "job_left",
            f"{self._job} could not be deleted: {left}",
            severity=Severity.LOW,
            expected="no job",
            found=str(self._job),
            fix=f"Delete it: kubectl delete job {self._job.name} --namespace {self._job.namespace}.",
        )
        return dataclasses.replace(link, findings=(*link.findings, remains), summary=f"{link.summary} {remains.cause}")

    def _tried(self, now: float) -> Link:
        try:
            job = self._client.create(self._job, self._attempt(now).manifest())
            return self._watch(str(job["metadata"]["uid"]))
        except ABOUT_A_LINK as error:
            if isinstance(error, errors.CloudError) and _is_refusal(error):
                refused = f"The cluster refuses the job: {clean(error.detail).rstrip('.')}."
                return _broken("job_refused", refused, error.fix or "Satisfy the policy that it names.", error.detail)
            return link_of(_NAME, failed_part(_NAME, error))

    def _attempt(self, now: float) -> Attempt:
        chain = self._chain
        account, role, region = chain.account, chain.role, chain.region or ""
        labels = (
            ("issuer", chain.issuer.url),
            ("namespace", account.namespace),
            ("role", role.name if role is not None else ""),
            ("service_account", account.name),
            ("tried_from", "inside"),
        )
        sample = remote_write.Sample(METRIC, labels, value=1.0, timestamp=int(now * 1000))
        return Attempt(
            service_account=account.name,
            audience=chain.audience,
            role_arn=str(role),
            region=region,
            sts_url=sts_url(role.partition if role is not None else "", region),
            write_url=chain.remote_write_url,
            body=remote_write.body(sample),
            image=self._look.image,
            deadline=max(_SHORTEST_SECONDS, int(self._look.wait_timeout * 60)),
            chained_role_arn=self._chained_role,
            external_id=self._external_id,
            https_proxy=self._look.https_proxy or "",
        )

    # Waiting ------------------------------------------------------------------------------------------------------

    def _watch(self, uid: str) -> Link:
        """Until the pod has ended, or will not."""
        end = self._monotonic() + self._look.wait_timeout * 60
        since: dict[str, float] = {}
        while True:
            pods = self._client.list_in(POD, self._chain.account.namespace, labels=f"job-name={self._job.name}")
            pod = pods[0] if pods else None
            if pod is not None and (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
                return self._ended(pod)
            late = self._monotonic() >= end
            trouble = trouble_of(pod, CONTAINER) if pod is not None else None
            if pod is not None and trouble is not None:
                first = since.setdefault(trouble.reason, self._monotonic())
                lasts = trouble.reason in WAITING and self._monotonic() - first >= _GRACE_SECONDS
                if late or lasts or trouble.urgency is Urgency.NOW:
                    return self._stuck(trouble, pod)
            elif pod is None:
                refusal = self._events(uid)
                if refusal and self._monotonic() - since.setdefault("", self._monotonic()) >= _GRACE_SECONDS:
                    return _broken(
                        "pod_refused",
                        f"The cluster does not make the job's pod: {refusal}.",
                        "Let the namespace take one more pod of the restricted pod security standard.",
                        refusal,
                    )
            if late:
                return self._late(pod)
            self._sleep(_POLL_SECONDS)

    def _late(self, pod: Json | None) -> Link:
        what = "has not ended" if pod is not None else "has not been made"
        return _broken(
            "not_finished",
            f"The pod of the job {what} within {self._look.wait_timeout:g} minutes.",
            "Raise 'inside.wait_timeout', or see what keeps the cluster from running it.",
        )

    def _stuck(self, trouble: Trouble, pod: Json) -> Link:
        events = self._events(str(pod["metadata"].get("uid") or ""))
        ending = WAITING.get(trouble.reason, OTHERWISE)
        fix = _IMAGE if ending == "image_not_pulled" else "See that a node takes the pod, and that it may start there."
        if ending == "image_not_pulled":
            fix = f"See that the nodes may pull it from its registry. {_IMAGE}"
        told = f": {events}" if events else ""
        cause = f"The job's pod does not start: it {clean(trouble.message).rstrip('.')}{told}."
        return _broken(ending, cause, fix, events or trouble.message)

    def _events(self, uid: str) -> str:
        """The newest warning about an object; empty where there is none or it may not be read."""
        fields = f"involvedObject.uid={uid},type=Warning"
        try:
            found = self._client.list_in(EVENT, self._chain.account.namespace, fields=fields)
        except ABOUT_A_LINK:
            return ""
        return next(iter(telling_events(found)), "").rstrip(".")

    # Judging ------------------------------------------------------------------------------------------------------

    def _ended(self, pod: Json) -> Link:
        reference = POD.at(str(pod["metadata"]["name"]), self._chain.account.namespace)
        log = self._client.log(reference, CONTAINER)
        tried = read_log(log)
        if tried.finished:
            return self._judged(tried)
        statuses = (pod.get("status") or {}).get("containerStatuses") or ()
        ended: Json = next(
            (item["state"]["terminated"] for item in statuses if (item.get("state") or {}).get("terminated")), {}
        )
        code, reason = ended.get("exitCode", "none"), clean(str(ended.get("reason") or ""))
        said = clean(log.strip()[-400:]) or clean(str(ended.get("message") or ""))
        told = f": {said.rstrip('.')}" if said else ""
        cause = f"The program in the pod broke off (exit code {code}{f', {reason}' if reason else ''}){told}."
        return _broken("image_unsuitable", cause, _IMAGE, said)

    def _judged(self, tried: Tried) -> Link:
        if not tried.has_curl:
            return _broken("image_without_curl", f"The image {self._look.image} has no curl.", _IMAGE)
        if not tried.has_token or tried.exchange is None:
            return _broken(
                "token_file_missing",
                "The token of the service account is not in the pod, or its user may not read it.",
                "See what changes pods of this namespace (admission webhooks), and that the kubelet serves tokens.",
            )
        chain = self._chain.explained()
        exchange, chaining, write = tried.exchange, tried.chaining, tried.write
        host = _host(sts_url(self._chain.role.partition if self._chain.role else "", chain.region))
        if not exchange.accepted:
            explained = explain.token_exchange(exchange.code, exchange.message, chain)
            return _refused("exchange", "STS", host, exchange, explained)
        if chaining is not None and not chaining.accepted:
            explained = explain.role_chaining(chaining.code, chaining.message, chain)
            return _refused("chaining", "STS", host, chaining, explained)
        if write is None:
            return links.ok(_NAME, "A pod of the service account got a session of the role from STS.")
        if not write.accepted:
            writer = dataclasses.replace(chain, role_arn=self._chained_role or chain.role_arn)
            explained = explain.remote_write(write.status, write.message, writer)
            return _refused("write", "AMP", _host(self._chain.remote_write_url), write, explained)
        return links.ok(
            _NAME,
            "A pod of the service account got a session of the role from STS and wrote a sample to the workspace.",
            found=self._chain.remote_write_url,
        )

    # Cleaning up --------------------------------------------------------------------------------------------------

    def _remove(self) -> str:
        """Delete the job with its pod. Why that was not possible; empty when it is gone."""
        try:
            found = self._client.get(self._job)
            if found is not None:
                self._client.delete_whole(self._job, uid=str(found["metadata"]["uid"]))
        except ABOUT_A_LINK as error:
            return clean(message_and_fix(error)[0])
        return ""


def _is_refusal(error: errors.CloudError) -> bool:
    """Whether admission or validation refused the job, and not the caller's lack of a right."""
    return not isinstance(error, errors.Forbidden | errors.Unreachable) and error.status in (400, 403, 422)


def _refused(step: str, service: str, host: str, answered: Answered, explained: explain.Explanation) -> Link:
    if answered.exit_code == 2:
        return _broken("curl_too_old", f"The curl of the image does not sign requests: {answered.error}.", _IMAGE)
    if answered.exit_code != 0:
        ending, what, fix = UNREACHED.get(answered.exit_code, NO_ANSWER)
        cause = f"A pod of the cluster does not reach {service}: {what.format(host=host)}."
        return _broken(f"{step}_{ending}", cause, fix.format(host=host), answered.error, expected=f"{host}:443 reached")
    source = ": ".join(part for part in (answered.code or f"HTTP {answered.status}", answered.message) if part)
    cause = f"{service} refused a pod of the service account ({source.rstrip('.')}). {explained.cause}"
    return _broken(f"{step}_{explained.kind}", cause, explained.fix, source)


def _broken(ending: str, cause: str, fix: str, source: str = "", *, expected: str = "") -> Link:
    found = finding(_NAME, ending, cause, expected=expected, found=source, fix=fix, source=source)
    return Link(_NAME, Status.BROKEN, cause, found.expected, found.found, fix, findings=(found,))


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or url
