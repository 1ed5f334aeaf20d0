# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs in pods: what a container of a job does when somebody wants it to be run, and how the pod looks afterwards.

A program is a function of the pod and of the files that its volumes put into it. :class:`ShellProgram` runs the
container's own command on this machine.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import tempfile
import typing as t
from pathlib import Path

from sandbox.kubernetes.objects import now
from sandbox.world import Json

#: The paths of files in the pod, with their content.
Files: t.TypeAlias = "t.Mapping[str, str]"

_LONGEST_SECONDS = 120


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a container ended."""

    exit_code: int
    log: str
    reason: str = ""  # by default the kubelet's for the exit code

    def status_of(self, pod: Json) -> Json:
        """The pod's status then."""
        moment = now()
        reason = self.reason or ("Completed" if self.exit_code == 0 else "Error")
        status: Json = pod["status"]
        terminated = {"exitCode": self.exit_code, "reason": reason, "startedAt": moment, "finishedAt": moment}
        return status | {
            "phase": "Succeeded" if self.exit_code == 0 else "Failed",
            "conditions": [
                item | {"status": "False", "reason": "PodCompleted" if self.exit_code == 0 else "PodFailed"}
                if item["type"] in ("Ready", "ContainersReady")
                else item
                for item in status["conditions"]
            ],
            "containerStatuses": [
                item | {"ready": False, "started": False, "state": {"terminated": terminated}}
                for item in status["containerStatuses"]
            ],
        }


Program: t.TypeAlias = "t.Callable[[Json, Files], Ended]"


def token_sources(pod: Json) -> list[tuple[str, Json]]:
    """The projected tokens of a pod's first container: the path of each file, and its ``serviceAccountToken``."""
    found = []
    for mount in pod["spec"]["containers"][0].get("volumeMounts", []):
        volume = next(item for item in pod["spec"]["volumes"] if item["name"] == mount["name"])
        for source in volume.get("projected", {}).get("sources", []):
            token = source.get("serviceAccountToken")
            if token and token.get("audience"):
                found.append((f"{mount['mountPath']}/{token['path']}", token))
    return found


class ShellProgram:
    """Runs a container's command in a folder of its own, with the variables of the container and no others.

    ``proxy_url`` and ``ca_file`` stand for a network that leads to the clouds. Paths below a mount of the container are
    those below the folder. ``variables`` come on top; ``PATH`` among them lets other programs be found.
    """

    def __init__(self, proxy_url: str, ca_file: Path, variables: t.Mapping[str, str] | None = None) -> None:
        self._network = {"https_proxy": proxy_url, "CURL_CA_BUNDLE": str(ca_file)}
        self._variables = dict(variables or {})

    def __call__(self, pod: Json, files: Files) -> Ended:
        container = pod["spec"]["containers"][0]
        mounts = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
        with tempfile.TemporaryDirectory(prefix="aks-amp-pod-") as root:
            for mount in mounts:
                Path(f"{root}{mount}").mkdir(parents=True, exist_ok=True)
            for path, content in files.items():
                Path(f"{root}{path}").write_text(content, encoding="utf-8")

            def moved(value: str) -> str:
                inside = any(value == mount or value.startswith(f"{mount}/") for mount in mounts)
                return f"{root}{value}" if inside else value

            given = {item["name"]: moved(item.get("value", "")) for item in container.get("env", [])}
            ended = subprocess.run(  # noqa: S603 - the command of the pod that a test made
                [*container["command"], *container.get("args", [])],
                env={"PATH": os.environ["PATH"], **given, **self._network, **self._variables},
                cwd=root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_LONGEST_SECONDS,
                check=False,
            )
        return Ended(ended.returncode, ended.stdout.decode("utf-8", "replace"))
