# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pods have logged. Nothing runs in this cluster, so a log holds what a test wrote into it.

Shape: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-read-log-of-the-specified-pod
"""

from __future__ import annotations

import typing as t

from sandbox.kubernetes import errors
from sandbox.world import Json


class Logs:
    """The logs of one cluster's containers, by the pod's uid and the container's name."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], str] = {}
        self._former: dict[tuple[str, str], str] = {}

    def clear(self) -> None:
        self._texts.clear()
        self._former.clear()

    def append(self, pod: Json, container: str, text: str) -> None:
        key = (pod["metadata"]["uid"], container)
        self._texts[key] = self._texts.get(key, "") + text

    def end(self, pod: Json, container: str, text: str) -> None:
        """A container has logged this text and ended; the one that takes its place has logged nothing yet."""
        key = (pod["metadata"]["uid"], container)
        self._former[key] = text
        self._texts[key] = ""

    def read(self, pod: Json, query: t.Mapping[str, str]) -> str:
        """The text that a request for a log asks for: ``container``, ``previous``, ``tailLines``, ``limitBytes``.

        :raises ApiError: 400, no container is named where there are several, or there is none of the name.
        """
        container = choose_container(pod, query.get("container", ""))
        text = self._texts.get((pod["metadata"]["uid"], container), "")
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
