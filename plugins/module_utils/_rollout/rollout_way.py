# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a running Prometheus comes to a changed configuration, as its pod template tells; pure.

A reloader beside it does it by itself; with ``--web.enable-lifecycle`` it can be asked to; else its pods are replaced,
by an annotation in the pod template that names the configuration that they shall have.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import typing as t
import urllib.parse

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import SourceMount, how_mounted

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import ObjectReference

Json = dict[str, t.Any]

#: On the configuration's object: the change that the collection made last where pods must be replaced to follow it; in
#: the pod template: the change that the pods were replaced for. Where they differ, a replacement is due.
RESTART_ANNOTATION: t.Final = "aks-amp.crosscloud.io/configuration"

#: On the configuration's object while a running Prometheus has not loaded it yet.
RELOAD_ANNOTATION: t.Final = "aks-amp.crosscloud.io/reload"
RELOAD_DUE: t.Final = "due"

DEFAULT_PORT: t.Final = 9090

#: Programs that watch configuration files and have Prometheus reload them, by their images' names.
_RELOADERS = ("prometheus-config-reloader", "config-reloader", "configmap-reload")
#: Arguments by which such programs are told whom to call.
_RELOAD_ARGUMENTS = ("--reload-url", "--webhook-url", "-webhook-url", "-reload-url", "--reload-method=signal")
_LIFECYCLE = "web.enable-lifecycle"


class Way(enum.Enum):
    """What makes a running Prometheus load a changed configuration."""

    RELOADER = "reloader"
    LIFECYCLE = "lifecycle"
    RESTART = "restart"


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Where Prometheus answers in its pod. ``prefix`` is a path without a slash at its end."""

    port: int = DEFAULT_PORT
    prefix: str = ""
    scheme: str = "http"
    local_only: bool = False  # it listens on the pod's loopback address, which no proxy reaches

    def path(self, namespace: str, pod: str, tail: str) -> str:
        """The path on the API server by which a path of Prometheus' is reached; ``tail`` begins with a slash.

        https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-connect-proxy-path
        """
        name = f"https:{pod}:{self.port}" if self.scheme == "https" else f"{pod}:{self.port}"
        place = urllib.parse.quote(namespace, safe="")
        return f"/api/v1/namespaces/{place}/pods/{name}/proxy{self.prefix}{tail}"


def way_to_follow(template: t.Mapping[str, t.Any], container: str, source: ObjectReference) -> Way:
    """What makes the container of Prometheus load what changes in the configuration's object."""
    if how_mounted(template, source, container) is SourceMount.SINGLE_FILE:
        return Way.RESTART
    found = _container(template, container)
    if has_reloader(template, container, source):
        return Way.RELOADER
    return Way.LIFECYCLE if _may_be_asked(found) else Way.RESTART


def has_reloader(template: t.Mapping[str, t.Any], container: str, source: ObjectReference) -> bool:
    """Whether another container watches the configuration's object for Prometheus.

    One that calls a Prometheus without the lifecycle API only reports that it was refused.
    """
    spec = template["spec"]
    volumes = {volume["name"]: volume for volume in spec.get("volumes") or ()}
    for other in (*spec["containers"], *(spec.get("initContainers") or ())):
        if other["name"] == container or not _is_reloader(other):
            continue
        signals = "--reload-method=signal" in _words(other)
        if not (signals or _may_be_asked(_container(template, container))):
            continue
        mounts = [mount for mount in other.get("volumeMounts") or () if not mount.get("subPath")]
        if any(_holds(volumes.get(mount["name"]), source) for mount in mounts):
            return True
    return False


def endpoint_of(template: t.Mapping[str, t.Any], container: str) -> Endpoint:
    """Where Prometheus answers, by its arguments (https://prometheus.io/docs/prometheus/latest/command-line/prometheus/)."""
    found = _container(template, container)
    arguments = _arguments(found)
    host, port = _split(arguments.get("web.listen-address", ""))
    prefix = arguments.get("web.route-prefix")
    if prefix is None:
        prefix = urllib.parse.urlsplit(arguments.get("web.external-url", "")).path
    prefix = f"/{prefix.strip('/')}" if prefix.strip("/") else ""
    secure = any(
        ((found.get(probe) or {}).get("httpGet") or {}).get("scheme") == "HTTPS"
        for probe in ("readinessProbe", "livenessProbe", "startupProbe")
    )
    return Endpoint(
        port or DEFAULT_PORT,
        prefix,
        "https" if secure else "http",
        local_only=host in ("localhost", "::1") or host.startswith("127."),
    )


def restart_digest(template: t.Mapping[str, t.Any], before: str, after: str) -> str:
    """A name for a change of the configuration: of the change, not of the text, because pods that were started
    between two equal changes have to follow the second one too."""
    parts = (restart_mark(template) or "", before, after)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def restart_mark(described: t.Mapping[str, t.Any]) -> str | None:
    """The annotation of an object or of a pod template."""
    return _annotation(described, RESTART_ANNOTATION)


def reload_mark(described: t.Mapping[str, t.Any]) -> str | None:
    """The annotation of an object whose Prometheus has to load it yet."""
    return _annotation(described, RELOAD_ANNOTATION)


def _annotation(described: t.Mapping[str, t.Any], name: str) -> str | None:
    mark = ((described.get("metadata") or {}).get("annotations") or {}).get(name)
    return None if mark is None else str(mark)


def _container(template: t.Mapping[str, t.Any], name: str) -> t.Mapping[str, t.Any]:
    return next((item for item in template["spec"]["containers"] if item["name"] == name), {})


def _words(container: t.Mapping[str, t.Any]) -> list[str]:
    """Command and arguments; a shell's script is taken apart too."""
    given = (*(container.get("command") or ()), *(container.get("args") or ()))
    return [word.strip("'\"") for text in given for word in str(text).split()]


def _arguments(container: t.Mapping[str, t.Any]) -> dict[str, str]:
    """The flags with their values; a flag without one has an empty text."""
    words = _words(container)
    flags: dict[str, str] = {}
    for index, word in enumerate(words):
        if not word.startswith("-"):
            continue
        name, equals, value = word.lstrip("-").partition("=")
        following = words[index + 1] if index + 1 < len(words) else ""
        flags[name] = value.strip("'\"") if equals or following.startswith("-") else following
    return flags


def _may_be_asked(container: t.Mapping[str, t.Any]) -> bool:
    words = [word.lstrip("-") for word in _words(container) if word.startswith("-")]
    return _LIFECYCLE in words or f"{_LIFECYCLE}=true" in words


def _is_reloader(container: t.Mapping[str, t.Any]) -> bool:
    image = str(container.get("image") or "").partition("@")[0].rpartition("/")[2].partition(":")[0]
    if image in _RELOADERS or container["name"] in _RELOADERS:
        return True
    return any(word.startswith(_RELOAD_ARGUMENTS) for word in _words(container))


def _holds(volume: t.Mapping[str, t.Any] | None, source: ObjectReference) -> bool:
    """Whether a volume shows the object."""
    if volume is None:
        return False
    sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    config_maps = [item["configMap"].get("name") for item in sources if item.get("configMap")]
    secrets = [item["secret"].get("secretName") or item["secret"].get("name") for item in sources if item.get("secret")]
    return source.name in (secrets if source.kind.name == "Secret" else config_maps)


def _split(address: str) -> tuple[str, int | None]:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal():
        return address.strip("[]"), None
    return host.strip("[]"), int(port)
