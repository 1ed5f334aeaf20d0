# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that ARM runs in a cluster (https://learn.microsoft.com/rest/api/aks/managed-clusters/run-command).

On a cluster that authenticates by Entra a command runs as the user of the request's ``clusterToken``, otherwise as an
administrator. Its output is kept and shown again to everybody who asks for the result.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime as dt
import io
import time
import typing as t
import uuid
import zipfile

from sandbox import kubectl
from sandbox.arm import errors

if t.TYPE_CHECKING:
    from sandbox.world import AksCluster, Json, World

OUTPUT_LIMIT = 512 * 1024  # bytes; the rest is lost


@dataclasses.dataclass(frozen=True)
class Result:
    """A command that runs, or has run."""

    cluster: AksCluster
    outcome: kubectl.Outcome
    ends_at: float  # on the monotonic clock
    started: dt.datetime
    id: str = dataclasses.field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def is_running(self) -> bool:
        return time.monotonic() < self.ends_at

    def body(self) -> Json:
        """The CommandResult."""
        started = self.started.strftime("%Y-%m-%dT%H:%M:%SZ")
        if self.is_running:
            return {"id": self.id, "properties": {"provisioningState": "Running", "startedAt": started}}
        return {
            "id": self.id,
            "properties": {
                "provisioningState": "Succeeded",
                "exitCode": self.outcome.exit_code,
                "startedAt": started,
                "finishedAt": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "logs": self.outcome.output.encode()[:OUTPUT_LIMIT].decode(errors="ignore"),
            },
        }


class RunCommands:
    """The commands of a world's clusters. Run them without the world's lock: they are requests to an API server."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._results: dict[str, Result] = {}

    def start(self, cluster: AksCluster, sent: Json) -> Result:
        """Run a command at once; its result shows after ``settings.aks_run_command_seconds``. Raises ArmError."""
        line = sent.get("command")
        if not isinstance(line, str) or not line:
            raise errors.provider(400, "InvalidParameter", "Required parameter command is missing (null).")
        files = _files(sent.get("context"))
        token = self._token(cluster, sent.get("clusterToken"))
        result = Result(
            cluster,
            kubectl.run(line, files, cluster.api_server_app, token),
            time.monotonic() + self._world.settings.aks_run_command_seconds,
            dt.datetime.now(dt.UTC),
        )
        self._results[result.id] = result
        return result

    def find(self, cluster: AksCluster, key: str) -> Result:
        """Raises ArmError 404."""
        result = self._results.get(key)
        if result is None or result.cluster is not cluster:
            raise errors.provider(404, "NotFound", f"The command result '{key}' was not found.")
        return result

    def _token(self, cluster: AksCluster, cluster_token: object) -> str:
        properties = cluster.body["properties"]
        # No recorded answer is known of this refusal: status and code are those of the provider's other ones.
        if (properties.get("apiServerAccessProfile") or {}).get("disableRunCommand"):
            raise errors.provider(400, "BadRequest", "Run command is disabled for this cluster.")
        power = properties.get("powerState", {}).get("code", "Running")
        if power != "Running":
            raise errors.provider(409, "OperationNotAllowed", f"The cluster is not running (power state {power}).")
        if not (properties.get("aadProfile") or {}).get("managed"):
            return cluster.admin_token
        if not isinstance(cluster_token, str) or not cluster_token:
            raise errors.provider(
                400,
                "MissingAADClusterToken",
                "This cluster have Azure Active Directory enabled, .clusterToken is required.",
            )
        return cluster_token


def _files(context: object) -> dict[str, bytes]:
    if context in (None, ""):
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(str(context), validate=True))) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (binascii.Error, zipfile.BadZipFile) as error:
        raise errors.provider(400, "InvalidParameter", f"context is not a base64 encoded zip file: {error}.") from error
