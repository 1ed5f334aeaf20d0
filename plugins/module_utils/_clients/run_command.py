# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a private cluster's API server by AKS' run command: Azure runs ``kubectl`` in a pod of the cluster.

https://learn.microsoft.com/azure/aks/access-private-cluster. One request becomes one command, whose output carries the
API's own JSON, or kubectl's words for the API's refusal, from which the same answer is made as HTTP would give. Azure
stores what a command prints, so nothing is asked for whose answer is a secret.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import io
import json
import re
import shlex
import typing as t
import urllib.parse
import zipfile
from collections.abc import Mapping

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.arm_errors import accepted, arm_errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube_http import (
    DRY_RUN,
    JSON_TYPE,
    MERGE_PATCH,
    SERVICE,
    STRICT,
    Advice,
    Answer,
    Json,
)

try:
    from azure.mgmt.containerservice import models as sdk
    from azure.mgmt.core.polling.arm_polling import ARMPolling
except ImportError:  # said by aks_access, which makes the client that this needs
    pass

if t.TYPE_CHECKING:
    from azure.mgmt.containerservice import ContainerServiceClient

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef

#: How much of a command's output Azure keeps; the rest is cut off without a word.
OUTPUT_LIMIT_BYTES: t.Final = 512 * 1000

_BODY_FILE: t.Final = "body.json"
_SHOWN_CHARACTERS: t.Final = 500
_RIGHT: t.Final = "Microsoft.ContainerService/managedClusters/runcommand/action"
_RESULT_RIGHT: t.Final = "Microsoft.ContainerService/managedClusters/commandResults/read"
_READ_RIGHT: t.Final = "Microsoft.ContainerService/managedClusters/read"

#: Requests whose answer is a secret: a service account's token, and secrets themselves.
_SECRET_PATH: t.Final = re.compile(r"/serviceaccounts/[^/]+/token(\?|$)|/secrets(/|\?|$)")

_RAW_VERBS: t.Final[Mapping[str, str]] = {"GET": "get", "POST": "create", "PUT": "replace", "DELETE": "delete"}
_OBJECT_PATH: t.Final = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)(?:/namespaces/(?P<namespace>[^/]+))?"
    rf"/(?P<plural>[^/]+)/(?P<name>[^/?]+)(?:\?(?P<dry_run>{DRY_RUN})?&?(?:{STRICT})?)?"
)

#: HTTP's status for each of the API's reasons (k8s.io/apimachinery, pkg/apis/meta/v1/types.go).
_STATUS_OF: t.Final[Mapping[str, int]] = {
    "BadRequest": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "MethodNotAllowed": 405,
    "NotAcceptable": 406,
    "AlreadyExists": 409,
    "Conflict": 409,
    "Gone": 410,
    "Expired": 410,
    "RequestEntityTooLarge": 413,
    "UnsupportedMediaType": 415,
    "Invalid": 422,
    "TooManyRequests": 429,
    "InternalError": 500,
    "ServiceUnavailable": 503,
    "Timeout": 504,
    "ServerTimeout": 500,
}

#: How kubectl words the API's refusals (k8s.io/kubectl, pkg/cmd/util/helpers.go): the reason, unless the words say it
#: by themselves, and the message.
_REFUSALS: t.Final = (
    (re.compile(r"^Error from server \((\w+)\): (.*)", re.MULTILINE | re.DOTALL), ""),
    # Of admission webhooks, which may leave out the reason.
    (re.compile(r"^Error from server: ()(admission webhook .*)", re.MULTILINE | re.DOTALL), "BadRequest"),
    (re.compile(r"^error: You must be logged in to the server()(.*)", re.MULTILINE | re.DOTALL), "Unauthorized"),
    (re.compile(r"^()(The (?:\S+ \"[^\"]*\"|request) is invalid\b.*)", re.MULTILINE | re.DOTALL), "Invalid"),
)


_QUOTED_ANSWER: t.Final = re.compile(r'an error on the server \("(.*)"\) has prevented the request', re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Command:
    """What a pod shall run: a line for its shell, and the files that lie in its working folder."""

    line: str
    files: Mapping[str, str]

    def context(self) -> str:
        """The files as Azure takes them: a zip in base64; empty without files."""
        if not self.files:
            return ""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in self.files.items():
                archive.writestr(name, text)
        return base64.b64encode(buffer.getvalue()).decode("ascii")


def command_for(method: str, path: str, body: Json | None, content_type: str) -> Command:
    """The kubectl command that sends a request. Raises ValueError for one that kubectl has no command for.

    ``kubectl patch`` can't ask the API server to be strict about unknown fields.
    """
    files = {} if body is None else {_BODY_FILE: json.dumps(body)}
    if method in _RAW_VERBS and content_type == JSON_TYPE:
        words = ["kubectl", _RAW_VERBS[method], "--raw", path, *(["-f", _BODY_FILE] if files else [])]
    elif method == "PATCH" and content_type == MERGE_PATCH and (match := _OBJECT_PATH.fullmatch(path)):
        resource = f"{match['plural']}.{match['version']}.{match['group']}" if match["group"] else match["plural"]
        words = ["kubectl", "patch", resource, urllib.parse.unquote(match["name"])]
        if match["namespace"]:
            words += ["--namespace", urllib.parse.unquote(match["namespace"])]
        words += ["--type", "merge", "--patch-file", _BODY_FILE, "--output", "json"]
        words += ["--dry-run=server"] if match["dry_run"] else []
    else:
        raise ValueError(f"kubectl has no command for {method} {path} with {content_type}")
    return Command(shlex.join(words), files)


def answer_of(exit_code: int, logs: str) -> Answer | None:
    """The API's answer in a command's output; None when there is none in it.

    Warnings of the API, which kubectl prints too, may stand around it.
    """
    if exit_code == 0:
        body = _object_in(logs)
        return None if body is None else Answer(200, body)
    for pattern, fixed_reason in _REFUSALS:
        match = pattern.search(logs)
        if match is not None:
            reason = fixed_reason or match[1]
            return Answer(_STATUS_OF.get(reason, 500), _status(reason, _one_line(match[2])))
    return None


def _object_in(logs: str) -> Json | None:
    decoder = json.JSONDecoder()
    for match in re.finditer(r"^\{", logs, re.MULTILINE):
        try:
            value, _end = decoder.raw_decode(logs, match.start())
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return None


def _status(reason: str, message: str) -> Json:
    # kubectl keeps the causes to itself; this one decides what to do.
    causes = [{"reason": "NamespaceTerminating"}] if "because it is being terminated" in message else []
    return {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "details": {"causes": causes}}


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_SHOWN_CHARACTERS]


def _stores(method: str, path: str) -> bool:
    """Whether a request is for a lasting change: no read, no rehearsal, no review of rights."""
    return method != "GET" and DRY_RUN not in path and not path.endswith("reviews")


def _own_words(message: str) -> str:
    """What a pod answered, in what kubectl makes of it (k8s.io/apimachinery, NewGenericServerResponse)."""
    match = _QUOTED_ANSWER.search(message)
    return re.sub(r"\\(.)", lambda found: " " if found[1] in "nrt" else found[1], match[1]) if match else message


class RunCommandTransport:
    """Requests as run commands on one cluster."""

    def __init__(
        self,
        client: ContainerServiceClient,
        ref: ClusterRef,
        cluster_token: t.Callable[[], str],
        *,
        poll_interval: float,
        wait_timeout: float,
    ) -> None:
        """Read whether the cluster runs commands at all. ``poll_interval`` is seconds, ``wait_timeout`` minutes.

        ``cluster_token`` gives an access token for the AKS server application, as which commands run on a cluster with
        Entra. Raises NotFound, NotReady, Refused, or what Azure refuses.
        """
        self._client = client
        self._ref = ref
        self._cluster_token = cluster_token
        self._poll_interval = poll_interval
        self._wait_timeout = wait_timeout
        with arm_errors(f"reading {ref}", ref, _READ_RIGHT):
            cluster = client.managed_clusters.get(ref.resource_group, ref.name)
        properties = cluster.get("properties") or {}
        self._entra = bool((properties.get("aadProfile") or {}).get("managed"))
        if (properties.get("apiServerAccessProfile") or {}).get("disableRunCommand"):
            raise errors.Refused(
                f"{ref} has run commands disabled (apiServerAccessProfile.disableRunCommand).",
                fix="Enable them, or run from a machine with a route to the cluster and set aks.access to user.",
            )
        power = str((properties.get("powerState") or {}).get("code") or "Running")
        if power != "Running":
            raise errors.NotReady(f"{ref} is not running (power state {power}).", fix="Start it ('az aks start').")

    @property
    def server(self) -> str:
        return str(self._ref)

    @property
    def advice(self) -> Advice:
        return Advice(
            unreachable="Look at the cluster's state in Azure.",
            unauthorized="Log in to the tenant that the cluster trusts (aks.tenant), as somebody whom it knows.",
            forbidden=" or, where the cluster uses Azure RBAC, by a role such as Azure Kubernetes Service RBAC Writer "
            "on it",
            no_api="Look at the cluster's state in Azure.",
        )

    def send(
        self, method: str, path: str, action: str, body: Json | None = None, content_type: str = JSON_TYPE
    ) -> Answer:
        """Run the command that sends the request, wait for it, and give the API's answer.

        Raises Forbidden for a request whose answer is a secret, NotReady when the command takes too long, CloudError
        when its output is none of the API's - Interrupted for a write, which may be done - and what Azure refuses.
        """
        if _SECRET_PATH.search(path):
            raise errors.Forbidden(
                service=SERVICE,
                action=action,
                detail="Azure stores what a run command prints, and neither a token nor a secret must be stored there",
                fix="Run this from a machine with a route to the cluster, with aks.access set to user.",
            )
        result = self._run(command_for(method, path, body, content_type), action, write=method != "GET")
        exit_code, logs = int(result.get("exitCode") or 0), str(result.get("logs") or "")
        answer = answer_of(exit_code, logs)
        if answer is not None:
            return answer
        kind = errors.Interrupted if _stores(method, path) else errors.CloudError
        detail, fix = _no_answer(result, exit_code, logs)
        raise kind(service=SERVICE, action=action, detail=detail, fix=fix)

    def ask_pod(self, method: str, path: str, action: str) -> Answer:
        """What a pod answers, or its log, as kubectl prints it. Raises what :meth:`send` does."""
        body: Json | None = None if method == "GET" else {}
        result = self._run(command_for(method, path, body, JSON_TYPE), action, write=method != "GET")
        exit_code, logs = int(result.get("exitCode") or 0), str(result.get("logs") or "")
        if exit_code == 0:
            return Answer(200, _object_in(logs) or {}, text=logs)
        answer = answer_of(exit_code, logs)
        if answer is not None:
            return dataclasses.replace(answer, text=_own_words(answer.message))
        detail, fix = _no_answer(result, exit_code, logs)
        raise errors.CloudError(service=SERVICE, action=action, detail=detail, fix=fix)

    def _run(self, command: Command, action: str, *, write: bool) -> Mapping[str, t.Any]:
        """The properties of the finished command's result."""
        ref = self._ref
        request = sdk.RunCommandRequest(
            command=command.line,
            context=command.context(),
            cluster_token=self._cluster_token() if self._entra else None,
        )
        # A write is not sent twice without looking: its command may run although no answer came.
        once: dict[str, t.Any] = {"retry_connect": 0, "retry_read": 0, "retry_status": 0} if write else {}
        running = f"{action} by a run command on {ref}"
        with arm_errors(running, ref, _RIGHT, sends_write=write):
            poller = self._client.managed_clusters.begin_run_command(
                ref.resource_group, ref.name, request, polling=ARMPolling(self._poll_interval), **once
            )
        with accepted() if write else contextlib.nullcontext(), arm_errors(running, ref, _RESULT_RIGHT):
            poller.wait(self._wait_timeout * 60)
            if not poller.done():
                raise errors.NotReady(
                    f"The run command for {action} on {ref} is not finished after {self._wait_timeout:g} minutes. It "
                    "goes on in Azure.",
                    fix="Run again later, which finds what it did, or raise aks.wait_timeout.",
                )
            result = poller.result()
        return t.cast("Mapping[str, t.Any]", result.get("properties") or {})


def _no_answer(result: Mapping[str, t.Any], exit_code: int, logs: str) -> tuple[str, str]:
    """Why a command's output holds no answer of the API's, and what to do about it."""
    detail = f"kubectl ended with exit code {exit_code} and printed: {_one_line(logs) or 'nothing'}"
    fix = "Look at the pod of the run command in the namespace aks-command."
    if len(logs.encode()) >= OUTPUT_LIMIT_BYTES:
        detail = "the answer is longer than the 512 kB that Azure keeps of a run command's output, and was cut off"
        fix = "Run this from a machine with a route to the cluster, with aks.access set to user."
    elif result.get("provisioningState") not in (None, "Succeeded"):
        state, reason = result["provisioningState"], _one_line(str(result.get("reason") or "no reason given"))
        detail = f"the run command ended as {state} ({reason})"
        fix = "See that the cluster has a node with room for the pod of the run command."
    elif exit_code == 0:
        # What was printed without being the API's may be anything.
        detail = "kubectl printed no object of the API's"
    return detail, fix
