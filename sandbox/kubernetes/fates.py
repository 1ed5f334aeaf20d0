# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fates on request: which pods do not come to run, and how that shows.

A fate strikes pods that are made after it was set; those that run already go on. The statuses, reasons and texts are
those of kubelet and scheduler (``pkg/kubelet/kuberuntime``, ``pkg/kubelet/images``, ``pkg/scheduler``).
"""

from __future__ import annotations

import dataclasses
import enum
import fnmatch
import json
import typing as t

from sandbox.world import Json


class FateKind(enum.Enum):
    """What becomes of a pod."""

    CRASH = "crash"  # the container ends with ``message`` in its log, again and again
    IMAGE = "image"  # its image can't be pulled
    UNSCHEDULABLE = "unschedulable"  # no node takes it
    MOUNT = "mount"  # a volume can't be set up
    CONFIG_ERROR = "config_error"  # an object that its environment names is missing
    UNREADY = "unready"  # it runs, but its readiness probe fails
    REFUSED = "refused"  # a quota keeps it from being made
    RELOAD = "reload"  # its Prometheus refuses to reload its configuration, with ``message``
    UNSYNCED = "unsynced"  # the kubelet has not brought a changed configuration into it yet; strikes running pods too
    SILENT = "silent"  # nothing answers on its port; strikes running pods too


#: Fates that show in how a pod starts.
STARTING = (
    FateKind.CRASH,
    FateKind.IMAGE,
    FateKind.UNSCHEDULABLE,
    FateKind.MOUNT,
    FateKind.CONFIG_ERROR,
    FateKind.UNREADY,
)


_NO_SECRET = 'secret "nowhere" not found'


@dataclasses.dataclass(frozen=True)
class Fate:
    """One fate.

    ``pods`` is a shell pattern of ``namespace/name``. With ``text`` only pods in whose specification, labels or
    annotations the text occurs are struck. ``container`` is by default the first one.
    """

    kind: FateKind
    pods: str = "*"
    text: str = ""
    container: str = ""
    message: str = ""

    @classmethod
    def from_json(cls, values: Json) -> Fate:
        """Raises ValueError with a sentence for an unknown field, kind or a value that is no text."""
        names = [field.name for field in dataclasses.fields(cls)]
        for name, value in values.items():
            if name not in names:
                raise ValueError(f"A fate has no field {name!r}; the fields are {', '.join(names)}.")
            if not isinstance(value, str):
                raise ValueError(f"The field {name!r} of a fate cannot be {value!r}.")  # noqa: TRY004  # as documented
        kinds = [kind.value for kind in FateKind]
        if values.get("kind") not in kinds:
            raise ValueError(f"The 'kind' of a fate is one of {', '.join(kinds)}.")
        return cls(**{**values, "kind": FateKind(values["kind"])})

    def strikes(self, pod: Json) -> bool:
        metadata = pod["metadata"]
        name = f"{metadata.get('namespace', '')}/{metadata.get('name') or metadata.get('generateName', '')}"
        if not fnmatch.fnmatchcase(name, self.pods):
            return False
        shown = {"spec": pod["spec"], "labels": metadata.get("labels"), "annotations": metadata.get("annotations")}
        return not self.text or self.text in json.dumps(shown)


class Fates:
    """The fates that are set in one cluster."""

    def __init__(self) -> None:
        self._all: list[Fate] = []

    def add(self, fate: Fate) -> None:
        self._all.append(fate)

    def clear(self) -> None:
        self._all.clear()

    def of(self, pod: Json, *kinds: FateKind) -> Fate | None:
        """The first fate of these kinds that strikes a pod."""
        return next((fate for fate in self._all if fate.kind in kinds and fate.strikes(pod)), None)


@dataclasses.dataclass(frozen=True)
class Struck:
    """How a struck pod looks: changes of its running status, and the event that tells why."""

    waiting: Json | None = None  # the state of its container
    crashed: bool = False
    scheduled: bool = True
    event: tuple[str, str] | None = None


def struck(pod: Json, container: Json, fate: Fate) -> Struck:
    """What a fate of :data:`STARTING` does to a pod."""
    name, image = container["name"], container["image"]
    place = f"{pod['metadata']['name']}_{pod['metadata']['namespace']}({pod['metadata']['uid']})"
    looks: dict[FateKind, t.Callable[[], Struck]] = {
        FateKind.CRASH: lambda: Struck(
            {
                "reason": "CrashLoopBackOff",
                "message": f"back-off 40s restarting failed container={name} pod={place}",
            },
            crashed=True,
            event=("BackOff", f"Back-off restarting failed container {name} in pod {place}"),
        ),
        FateKind.IMAGE: lambda: Struck(
            {
                "reason": "ImagePullBackOff",
                "message": f'Back-off pulling image "{image}": {fate.message or "NotFound"}',
            },
            event=("Failed", f'Failed to pull image "{image}": {fate.message or "NotFound: not found"}'),
        ),
        FateKind.UNSCHEDULABLE: lambda: Struck(
            scheduled=False,
            event=("FailedScheduling", fate.message or "0/1 nodes are available: 1 Insufficient memory."),
        ),
        FateKind.MOUNT: lambda: Struck(
            {"reason": "ContainerCreating"},
            event=(
                "FailedMount",
                fate.message or 'MountVolume.SetUp failed for volume "config" : configmap "nowhere" not found',
            ),
        ),
        FateKind.CONFIG_ERROR: lambda: Struck(
            {"reason": "CreateContainerConfigError", "message": fate.message or _NO_SECRET},
            event=("Failed", f"Error: {fate.message or _NO_SECRET}"),
        ),
        FateKind.UNREADY: lambda: Struck(
            event=("Unhealthy", fate.message or "Readiness probe failed: HTTP probe failed with statuscode: 503")
        ),
    }
    return looks[fate.kind]()
