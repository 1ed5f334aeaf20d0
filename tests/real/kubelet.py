# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node's kubelet would do, as far as the tests need it: it takes pods, says how they fare and hands out logs.

No container runs. A pod is Running and Ready at once, unless a test says how it fails. The API server fetches logs from
here, as it does from a real kubelet. A pod's own port can't be reached: the API server's proxy refuses loopback.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import fnmatch
import json
import logging
import threading
import typing as t
import urllib.parse

import trustme
from werkzeug.wrappers import Request, Response

from sandbox.kubernetes.external import ExternalApi
from sandbox.listener import LOOPBACK, Listener

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from sandbox.kubernetes.external import ExternalServer
    from sandbox.world import Json

NODE = "aks-nodepool1-real-vmss000000"
_PERIOD_SECONDS = 0.25
_PODS = "/api/v1/pods"
_STATUS_PATCH = "application/strategic-merge-patch+json"

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Failure:
    """How a container of pods fails: the reason for which it waits (``CrashLoopBackOff``) and what it logged."""

    pods: str  # a pattern of pods' names, as of shells
    container: str
    reason: str
    message: str = ""
    log: str = ""
    text: str = ""  # only pods in whose specification it is
    restarts: int = 4


class Kubelet:
    """The kubelet of the cluster's only node."""

    def __init__(self, server: ExternalServer) -> None:
        self._api = ExternalApi(server)
        self._failures: list[Failure] = []
        self._logs: dict[tuple[str, str, str], str] = {}
        self._lock = threading.Lock()
        self._end = threading.Event()
        certificate = trustme.CA().issue_cert("localhost", LOOPBACK)
        context = _server_context(certificate)
        self._listener = Listener("kubelet", self._serve, context)
        self._thread = threading.Thread(target=self._run, name="kubelet", daemon=True)

    def start(self) -> None:
        self._register()
        self._thread.start()

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        self._listener.close()

    def fail(self, failure: Failure) -> None:
        """Let pods that fit fail from now on."""
        with self._lock:
            self._failures.append(failure)

    def heal(self) -> None:
        """No pod fails any more."""
        with self._lock:
            self._failures.clear()

    def write_log(self, namespace: str, pod: str, container: str, text: str) -> None:
        with self._lock:
            key = (namespace, pod, container)
            self._logs[key] = self._logs.get(key, "") + text

    # -----------------------------------------------------------------------------------------------------------------

    def _register(self) -> None:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE}, "spec": {}}
        self._api.send_json("POST", "/api/v1/nodes", node)
        status = {
            "addresses": [{"type": "InternalIP", "address": LOOPBACK}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._listener.port}},
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "KubeletReady", **_times("lastHeartbeatTime")}
            ],
            "allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110"},
            "capacity": {"cpu": "4", "memory": "16Gi", "pods": "110"},
        }
        self._api.send_json("PATCH", f"/api/v1/nodes/{NODE}/status", {"status": status}, _STATUS_PATCH)
        # The admission plugin marks a new node until the node controller, which does not run here, has seen it.
        self._api.send_json("PATCH", f"/api/v1/nodes/{NODE}", {"spec": {"taints": []}}, "application/merge-patch+json")

    def _run(self) -> None:
        while not self._end.wait(_PERIOD_SECONDS):
            try:
                for pod in self._api.send("GET", _PODS).json()["items"]:
                    self._care_for(pod)
            except (OSError, ValueError, KeyError) as error:  # the server is about to end, or the pod has gone
                _log.debug("A look at the pods failed: %r", error)

    def _care_for(self, pod: Json) -> None:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        if "deletionTimestamp" in metadata:
            self._api.send_json("DELETE", path, {"kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0})
            return
        if not pod["spec"].get("nodeName"):
            binding = {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": metadata["name"]},
                "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
            }
            self._api.send_json("POST", f"{path}/binding", binding)
            return
        wanted = self._status(pod)
        if _summary(pod.get("status", {})) != _summary(wanted):
            self._api.send_json("PATCH", f"{path}/status", {"status": wanted}, _STATUS_PATCH)
            for failure in self._failures_of(pod).values():
                self._report(pod, failure)

    def _report(self, pod: Json, failure: Failure) -> None:
        """The event that a kubelet makes of it."""
        metadata = pod["metadata"]
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "fieldPath": f"spec.containers{{{failure.container}}}",
            },
            "type": "Warning",
            "reason": "BackOff",
            "message": failure.message or failure.reason,
            "source": {"component": "kubelet", "host": NODE},
            "count": 1,
            **_times("firstTimestamp", "lastTimestamp"),
        }
        self._api.send_json("POST", f"/api/v1/namespaces/{metadata['namespace']}/events", event)

    def _status(self, pod: Json) -> Json:
        failures = self._failures_of(pod)
        containers = [self._container(pod, container, failures) for container in pod["spec"]["containers"]]
        ready = all(container["ready"] for container in containers)
        condition = "True" if ready else "False"
        return {
            "phase": "Running" if ready or len(containers) > 1 else "Pending",
            "podIP": LOOPBACK,
            "hostIP": LOOPBACK,
            "startTime": pod["metadata"]["creationTimestamp"],
            "containerStatuses": containers,
            "conditions": [
                {"type": "PodScheduled", "status": "True", **_times("lastTransitionTime")},
                {"type": "ContainersReady", "status": condition, **_times("lastTransitionTime")},
                {"type": "Ready", "status": condition, **_times("lastTransitionTime")},
            ],
        }

    def _failures_of(self, pod: Json) -> dict[str, Failure]:
        """By container."""
        with self._lock:
            return {
                failure.container: failure
                for failure in self._failures
                if fnmatch.fnmatchcase(pod["metadata"]["name"], failure.pods)
                and (not failure.text or failure.text in json.dumps(pod["spec"]))
            }

    def _container(self, pod: Json, container: Json, failures: dict[str, Failure]) -> Json:
        name = container["name"]
        failure = failures.get(name)
        status: Json = {"name": name, "image": container["image"], "imageID": "", "restartCount": 0}
        if failure is None:
            started = {"startedAt": pod["metadata"]["creationTimestamp"]}
            return {**status, "ready": True, "started": True, "state": {"running": started, "waiting": None}}
        waiting = {"reason": failure.reason, "message": failure.message}
        return {
            **status,
            "ready": False,
            "started": False,
            "restartCount": failure.restarts,
            "state": {"waiting": waiting, "running": None},
            "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
        }

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """``/containerLogs/<namespace>/<pod>/<container>``, as the API server asks a kubelet."""
        request = Request(environ)
        parts = [urllib.parse.unquote(part) for part in request.path.strip("/").split("/")]
        if len(parts) != 4 or parts[0] != "containerLogs":
            return Response("404 page not found\n", 404)(environ, start_response)
        namespace, pod, container = parts[1:]
        with self._lock:
            text = self._logs.get((namespace, pod, container), "")
            text += "".join(
                f.log for f in self._failures if f.container == container and fnmatch.fnmatchcase(pod, f.pods)
            )
        tail = request.args.get("tailLines")
        if tail is not None:
            text = "".join(text.splitlines(keepends=True)[-int(tail) :] if int(tail) else [])
        return Response(text, content_type="text/plain")(environ, start_response)


@contextlib.contextmanager
def running(server: ExternalServer) -> Iterator[Kubelet]:
    """A kubelet until the end of the block."""
    node = Kubelet(server)
    node.start()
    try:
        yield node
    finally:
        node.close()


def _summary(status: Json) -> tuple[t.Any, ...]:
    """What matters of a pod's status: its phase and its containers' states."""
    containers = [
        (one["name"], one["ready"], (one.get("state", {}).get("waiting") or {}).get("reason"))
        for one in status.get("containerStatuses", [])
    ]
    return status.get("phase"), sorted(containers, key=str)


def _times(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _server_context(certificate: trustme.LeafCert) -> t.Any:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
