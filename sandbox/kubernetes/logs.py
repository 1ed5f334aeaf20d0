# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pods have logged: what a test wrote into their logs, or a program that ran for them.

Shape: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-read-log-of-the-specified-pod
"""

from __future__ import annotations

import time
import typing as t

from sandbox.kubernetes import errors
from sandbox.world import Json


class Logs:
    """The logs of one cluster's containers, by the pod's uid and the container's name."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], list[tuple[float, str]]] = {}
        self._former: dict[tuple[str, str], str] = {}

    def clear(self) -> None:
        self._texts.clear()
        self._former.clear()

    def append(self, pod: Json, container: str, text: str, *, age: float = 0.0) -> None:
        """Add text that was logged so many seconds ago."""
        key = (pod["metadata"]["uid"], container)
        self._texts.setdefault(key, []).append((time.time() - age, text))

    def end(self, pod: Json, container: str, text: str) -> None:
        """A container has logged this text and ended; the one that takes its place has logged nothing yet."""
        key = (pod["metadata"]["uid"], container)
        self._former[key] = text
        self._texts[key] = []

    def read(self, pod: Json, query: t.Mapping[str, str]) -> str:
        """The text that a request for a log asks for: ``container``, ``previous``, ``sinceSeconds``, ``tailLines``,
        ``limitBytes``.

        :raises ApiError: 400, no container is named where there are several, or there is none of the name.
        """
        container = choose_container(pod, query.get("container", ""))
        since = _count(query, "sinceSeconds")
        first = 0.0 if since is None else time.time() - since
        written = self._texts.get((pod["metadata"]["uid"], container), [])
        text = "".join(part for moment, part in written if moment >= first)
        if query.get("previous") == "true":
            former = self._former.get((pod["metadata"]["uid"], container))
            name = pod["metadata"]["name"]
            if former is None:
                raise errors.bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
            text = former
        tail, limit = _count(query, "tailLines"), _count(query, "limitBytes")
        if tail is not None:
            lines = text.splitlines(keepends=True)
            text = "".join(lines[len(lines) - min(tail, len(lines)) :])
        return text if limit is None else text.encode()[:limit].decode(errors="ignore")


def choose_container(pod: Json, wanted: str) -> str:
    """The container that a request means.

    :raises ApiError: 400.
    """
    name = pod["metadata"]["name"]
    names = [container["name"] for container in pod["spec"]["containers"]]
    initial = [container["name"] for container in pod["spec"].get("initContainers", [])]
    if wanted:
        if wanted not in names + initial:
            raise errors.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(names) > 1:
        choices = " ".join(names)
        raise errors.bad_request(f"a container name must be specified for pod {name}, choose one of: [{choices}]")
    return str(names[0])


def _count(query: t.Mapping[str, str], name: str) -> int | None:
    value = query.get(name)
    if value is None:
        return None
    if not value.isdigit():
        raise errors.bad_request(f'strconv.ParseInt: parsing "{value}": invalid syntax')
    return int(value)
