# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a rollout fails: the pod's state, its events and the lines of its log that matter, with the cause first."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    EVENT,
    POD,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_logs import (
    Cause,
    cause_in,
    cause_of,
    clean,
    telling_events,
    telling_lines,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_subject import (
    UNKNOWN_ISSUER,
    UNKNOWN_PROVIDER,
    with_issuer,
)

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_judge import Trouble
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_subject import Subject

Json = dict[str, t.Any]

#: How much of events and log stands in the message itself, where the cause is not known; the result has more.
_SHOWN_EVENTS = 2
_SHOWN_LINES = 3
_SHOWN_CHARACTERS = 240


class Stuck(Exception):
    """A rollout does not come to its end. Whoever follows it reports why; the run says what that means.

    ``trouble`` is a pod's, ``pod`` that pod; ``refusal`` is what Prometheus answered to a reload; ``message`` is what
    is known without both. ``fix`` is what to do where nothing better is found.
    """

    def __init__(
        self,
        message: str,
        *,
        trouble: Trouble | None = None,
        pod: Json | None = None,
        refusal: str = "",
        about: ObjectReference | None = None,
        about_uid: str = "",
        fix: str = "",
        running: int = 0,
        notes: t.Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.trouble = trouble
        self.pod = pod
        self.refusal = refusal
        self.about = about
        self.about_uid = about_uid
        self.fix = fix
        self.running = running  # pods that are ready all the same
        self.notes = tuple(notes)  # what could not be seen


@dataclasses.dataclass(frozen=True)
class Report:
    """Why a rollout failed. ``cause`` is one sentence, ``kind`` the name of the log's cause, empty for none known."""

    cause: str
    details: tuple[str, ...]
    fix: str
    events: tuple[str, ...]
    log: tuple[str, ...]
    kind: str = ""


class Reporter:
    """Reads what a report needs. What it may not read is named in the report and keeps it from nothing."""

    def __init__(self, client: KubeClient, subject: Subject) -> None:
        self._client = client
        self._subject = subject
        self._unread: list[str] = []

    def report(self, stuck: Stuck) -> Report:
        """Raises nothing that the API server answers with."""
        events = self._events(stuck)
        log = self._log(stuck)
        lines = telling_lines(log)
        cause = self._cause(stuck, log)
        told = cause is not None and not stuck.refusal
        trouble = clean(stuck.trouble.sentence()) if stuck.trouble is not None else ""
        first = self._first(stuck, cause, trouble, events)
        details = [
            _sentence(cause.explanation) if cause is not None else "",
            _sentence(trouble[:1].upper() + trouble[1:]) if trouble and trouble not in first else "",
            f"Events: {'; '.join(_short(event) for event in events[:_SHOWN_EVENTS])}." if events and not told else "",
            f"Log: {' | '.join(_short(line) for line in lines[-_SHOWN_LINES:])}" if lines and not told else "",
            *stuck.notes,
            *self._unread,
        ]
        fix = (cause.fix if cause is not None else "") or stuck.fix
        kind = cause.kind if cause is not None else ""
        return Report(first, tuple(part for part in details if part), fix, events, lines, kind)

    def _cause(self, stuck: Stuck, log: str) -> Cause | None:
        chain = self._subject.chain
        found = cause_in(stuck.refusal, chain) if stuck.refusal else cause_of(log, chain)
        shown = "" if found is None else found.explanation + found.fix
        if UNKNOWN_ISSUER not in shown and UNKNOWN_PROVIDER not in shown:
            return found
        # Only now is it worth a request to know the issuer.
        issuer = self._read("the cluster's issuer", self._client.issuer)
        if not issuer:
            return found
        known = with_issuer(chain, issuer)
        return cause_in(stuck.refusal, known) if stuck.refusal else cause_of(log, known)

    def _first(self, stuck: Stuck, cause: Cause | None, trouble: str, events: tuple[str, ...]) -> str:
        if stuck.refusal:
            what = cause.text if cause is not None else clean(stuck.refusal)
            return _sentence(f"Prometheus refuses its new configuration: {what}")
        if stuck.trouble is None:
            return _sentence(clean(stuck.message) or f"{self._subject.name} does not come to its end")
        of_prometheus = stuck.trouble.container in ("", self._subject.container)
        does_not = "does not start" if stuck.trouble.crashed or not _runs(stuck) else "does not become ready"
        who = "Prometheus" if of_prometheus else f"The container {stuck.trouble.container} beside Prometheus"
        if cause is not None:
            return _sentence(f"{who} {does_not}: {cause.text}")
        told = f" ({_short(events[0])})" if events and not stuck.trouble.crashed else ""
        return _sentence(f"{who} {does_not}: {trouble}{told}")

    def _events(self, stuck: Stuck) -> tuple[str, ...]:
        uid = stuck.pod["metadata"]["uid"] if stuck.pod is not None else stuck.about_uid
        about = _reference(stuck.pod) if stuck.pod is not None else stuck.about
        if not uid or about is None or about.namespace is None:
            return ()
        namespace = about.namespace
        found = self._read(
            f"the events of {about}",
            lambda: self._client.list_in(EVENT, namespace, fields=f"involvedObject.uid={uid},type=Warning"),
        )
        return telling_events(found or ())

    def _log(self, stuck: Stuck) -> str:
        """The log of the container in trouble: of the run before its last restart, and of the present one."""
        if stuck.pod is None:
            return ""
        container = (stuck.trouble.container if stuck.trouble is not None else "") or self._subject.container
        if not _was_started(stuck.pod, container):
            return ""
        pod = _reference(stuck.pod)

        def both() -> str:
            former = self._client.log(pod, container, previous=True) if _was_restarted(stuck.pod, container) else ""
            return f"{former}\n{self._client.log(pod, container)}"

        return self._read(f"the log of {pod}", both) or ""

    ReadT = t.TypeVar("ReadT")

    def _read(self, what: str, read: t.Callable[[], ReadT]) -> ReadT | None:
        try:
            return read()
        except errors.AksAmpError as error:
            reason = f"{error.detail.rstrip('.')}" if isinstance(error, errors.CloudError) else error.message
            right = f" {error.fix}" if isinstance(error, errors.Forbidden) else ""
            self._unread.append(f"It was not possible to read {what}: {clean(reason).rstrip('.')}.{right}")
            return None


def _reference(pod: t.Mapping[str, t.Any]) -> ObjectReference:
    return POD.at(str(pod["metadata"]["name"]), str(pod["metadata"]["namespace"]))


def _status_of(pod: t.Mapping[str, t.Any] | None, container: str) -> t.Mapping[str, t.Any]:
    status = (pod or {}).get("status") or {}
    items = (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ()))
    return next((item for item in items if item.get("name") == container), {})


def _was_started(pod: t.Mapping[str, t.Any], container: str) -> bool:
    status = _status_of(pod, container)
    state = status.get("state") or {}
    return bool(state.get("running") or state.get("terminated") or status.get("restartCount"))


def _was_restarted(pod: t.Mapping[str, t.Any] | None, container: str) -> bool:
    return bool(_status_of(pod, container).get("restartCount"))


def _runs(stuck: Stuck) -> bool:
    """Whether the container in trouble runs, ready or not."""
    container = stuck.trouble.container if stuck.trouble is not None else ""
    return bool((_status_of(stuck.pod, container).get("state") or {}).get("running"))


def in_minutes(seconds: float) -> str:
    minutes = f"{seconds / 60:.3g}"
    return f"{minutes} minute{'' if minutes == '1' else 's'}"


def _sentence(text: str) -> str:
    return f"{text.rstrip('.')}." if text else ""


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 4].rstrip()} ..."
