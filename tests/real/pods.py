# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs Prometheus as a pod of a real API server says: its arguments, its environment, its volumes at their own paths.

ConfigMaps and Secrets are read from the API server, and the token comes from its TokenRequest for that pod, with
audience and lifetime of the projected volume, as a kubelet does it
(https://kubernetes.io/docs/concepts/storage/projected-volumes/#serviceaccounttoken).
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import typing as t
import urllib.parse
from pathlib import Path

from sandbox import estate
from sandbox.kubernetes.external import ExternalApi
from tests.real import mapped, pod_namespace
from tests.real.programs import LOOPBACK, Program, started, wait_until

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server import Sandbox
    from sandbox.world import Json
    from tests.real.cluster import Cluster

_POD_SECONDS = 30.0
_CHUNK = 65536
_PROGRAM_FOLDER = "/opt/program"
_TRUST_FOLDER = "/opt/trust"
#: What Prometheus calls; the addresses are 127.0.1.1, 127.0.1.2 and so on. Before 3.5 it asks the global STS unless the
#: environment tells it otherwise.
_NAMES = (
    "sts.amazonaws.com",
    f"sts.{estate.AWS_REGION}.amazonaws.com",
    f"aps-workspaces.{estate.AWS_REGION}.amazonaws.com",
)


@dataclasses.dataclass(frozen=True)
class Token:
    """A projected token as it lies in its volume."""

    file: Path
    claims: Json
    sha256: str


class Pod:
    """A pod of the API server, and the files that its containers see."""

    def __init__(self, api: ExternalApi, pod: Json, container: str, folder: Path) -> None:
        self._api = api
        self._pod = pod
        self._folder = folder
        self.container = next(one for one in pod["spec"]["containers"] if one["name"] == container)
        self.tokens: list[Token] = []
        folder.mkdir()
        self.mounts = {
            mount["mountPath"]: str(self._volume(mount["name"])) for mount in self.container.get("volumeMounts", [])
        }

    @classmethod
    def of(cls, cluster: Cluster, namespace: str, selector: str, container: str, folder: Path) -> Pod:
        """The running pod that a selector of labels finds, when there is exactly one that is not on its way out."""
        api = ExternalApi(cluster.external)
        query = urllib.parse.urlencode({"labelSelector": selector})
        found: list[Json] = []

        def one_runs() -> bool:
            items = api.send("GET", f"/api/v1/namespaces/{namespace}/pods", query).json()["items"]
            found[:] = [item for item in items if "deletionTimestamp" not in item["metadata"]]
            return len(found) == 1 and found[0].get("status", {}).get("phase") == "Running"

        if not wait_until(one_runs, _POD_SECONDS):
            raise AssertionError(f"{namespace} has not one running pod of {selector}: {found}")
        return cls(api, found[0], container, folder)

    @property
    def environment(self) -> dict[str, str]:
        """The container's variables, those of the downward API included."""
        return {one["name"]: self._value(one) for one in self.container.get("env", [])}

    def project_tokens(self) -> list[Token]:
        """Fetch the tokens of all projected volumes anew, as a kubelet does before they expire."""
        self.tokens = []
        for volume in self._pod["spec"].get("volumes", []):
            for source in volume.get("projected", {}).get("sources", []):
                if "serviceAccountToken" in source and (self._folder / volume["name"]).is_dir():
                    self.tokens.append(self._project(volume["name"], source["serviceAccountToken"]))
        return self.tokens

    def _value(self, variable: Json) -> str:
        path = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "")
        for name in ("name", "namespace"):
            if path == f"metadata.{name}":
                return str(self._pod["metadata"][name])
        return str(variable.get("value", ""))

    def _volume(self, name: str) -> Path:
        """The folder of a volume, filled."""
        place = self._folder / name
        if place.is_dir():
            return place
        place.mkdir()
        volume = next(one for one in self._pod["spec"]["volumes"] if one["name"] == name)
        if "configMap" in volume:
            self._fill(place, "configmaps", volume["configMap"]["name"])
        elif "secret" in volume:
            self._fill(place, "secrets", volume["secret"]["secretName"])
        elif "projected" in volume:
            for source in volume["projected"]["sources"]:
                if "serviceAccountToken" in source:
                    self.tokens.append(self._project(name, source["serviceAccountToken"]))
        return place

    def _fill(self, place: Path, plural: str, name: str) -> None:
        answer = self._api.send("GET", f"/api/v1/namespaces/{self._namespace}/{plural}/{name}")
        stored = answer.json()
        for key, text in (stored.get("data") or {}).items():
            (place / key).write_bytes(base64.b64decode(text) if plural == "secrets" else text.encode())
        for key, encoded in (stored.get("binaryData") or {}).items():
            (place / key).write_bytes(base64.b64decode(encoded))

    def _project(self, volume: str, wanted: Json) -> Token:
        metadata = self._pod["metadata"]
        account = self._pod["spec"].get("serviceAccountName") or "default"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [wanted["audience"]] if wanted.get("audience") else [],
                "expirationSeconds": wanted.get("expirationSeconds", 3600),
                "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]},
            },
        }
        path = f"/api/v1/namespaces/{self._namespace}/serviceaccounts/{account}/token"
        answer = self._api.send_json("POST", path, request)
        if answer.status >= 300:
            raise AssertionError(answer.body.decode())
        token = str(answer.json()["status"]["token"])
        file = self._folder / volume / wanted["path"]
        draft = file.with_name(f".{file.name}.new")
        draft.write_text(token, encoding="ascii")
        draft.replace(file)
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        return Token(file, claims, hashlib.sha256(token.encode()).hexdigest())

    @property
    def _namespace(self) -> str:
        return str(self._pod["metadata"]["namespace"])


@contextlib.contextmanager
def running_container(
    pod: Pod, program: Path, sandbox: Sandbox, folder: Path, environment: dict[str, str] | None = None
) -> Iterator[Program]:
    """Run a program in place of the container's image, with its arguments, until the end of the block.

    ``environment`` is added to the container's. All that is not the pod's own is the trust in the sandbox's root, and
    where the clouds' names lead; without namespaces, paths and port too.
    """
    folder.mkdir()
    own = {**pod.environment, **(environment or {})}
    run = _running_in_namespaces if namespaces_allowed() else mapped.running
    with run(pod, program, sandbox, folder, own) as container:
        yield container


@contextlib.contextmanager
def _running_in_namespaces(
    pod: Pod, program: Path, sandbox: Sandbox, folder: Path, environment: t.Mapping[str, str]
) -> Iterator[Program]:
    trust = folder / "trust"
    trust.mkdir()
    shutil.copy(sandbox.ca_file, trust / "ca.pem")
    (folder / "root").mkdir()
    variables = {"SSL_CERT_FILE": f"{_TRUST_FOLDER}/ca.pem", "HOME": "/", **environment}
    with _bridge(folder / "proxy", sandbox.proxy_url) as unix_socket:
        spec = {
            "root": str(folder / "root"),
            "socket": str(unix_socket),
            "hosts": {name: f"127.0.1.{number}" for number, name in enumerate(_NAMES, 1)},
            "mounts": {**pod.mounts, _TRUST_FOLDER: str(trust), _PROGRAM_FOLDER: str(program.parent)},
            "command": [f"{_PROGRAM_FOLDER}/{program.name}", *pod.container.get("args", [])],
            "environment": variables,
        }
        (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
        command: list[str | Path] = [
            "unshare",
            "-rmn",
            sys.executable,
            "-I",
            pod_namespace.__file__,
            folder / "spec.json",
        ]
        with started(program.name, command, folder / "log") as container:
            yield container


def namespaces_allowed() -> bool:
    """Whether this user may make user, mount and network namespaces on this machine."""
    try:
        return subprocess.run(("unshare", "-rmn", "true"), capture_output=True, timeout=10, check=False).returncode == 0  # noqa: S607  # on the PATH
    except (OSError, subprocess.TimeoutExpired):
        return False


@contextlib.contextmanager
def _bridge(path: Path, proxy_url: str) -> Iterator[Path]:
    """A Unix socket that leads to the sandbox's proxy."""
    # The path of a socket is short by its definition (unix(7)), and folders of tests are long.
    alias = Path(f"/tmp/aks-amp-{os.getpid()}-{abs(hash(path)) % 10**8}.sock")  # noqa: S108  # made and removed here
    address = urllib.parse.urlsplit(proxy_url)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(alias))
    listener.listen()
    thread = threading.Thread(target=_accept, args=(listener, int(address.port or 0)), daemon=True)
    thread.start()
    try:
        yield alias
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        alias.unlink()


def _accept(listener: socket.socket, port: int) -> None:
    while True:
        try:
            connection, _unused = listener.accept()
        except OSError:  # the end of the block
            return
        threading.Thread(target=_carry, args=(connection, port), daemon=True).start()


def _carry(connection: socket.socket, port: int) -> None:
    with connection, socket.create_connection((LOOPBACK, port)) as proxy:
        back = threading.Thread(target=_pump, args=(proxy, connection), daemon=True)
        back.start()
        _pump(connection, proxy)
        back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other end has gone
        while data := source.recv(_CHUNK):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
