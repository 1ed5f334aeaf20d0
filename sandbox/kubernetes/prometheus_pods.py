# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Prometheus in a pod answers through the pod's proxy, and which configuration it has loaded.

Nothing runs: a pod with a container that is given ``--config.file`` has loaded, when it starts, what ConfigMap or
Secret held then, and loads what they hold later when it is asked to, or at once where a reloader runs beside it.
Source: ``web/web.go`` of Prometheus; the texts are its own.
"""

from __future__ import annotations

import base64
import gzip
import json
import typing as t
import urllib.parse

import flask
import yaml

from sandbox.kubernetes import kinds
from sandbox.kubernetes.errors import ApiError
from sandbox.kubernetes.fates import FateKind, Fates
from sandbox.kubernetes.store import Store
from sandbox.world import Json

_RELOADERS = ("config-reloader", "configmap-reload")
_PLAIN = "text/plain; charset=utf-8"


class PrometheusPods:
    """The Prometheus processes of one cluster's pods."""

    def __init__(self, store: Store, fates: Fates, log: t.Callable[[Json, str, str], None]) -> None:
        """``log`` takes a pod, a container's name and a line for its log."""
        self._store = store
        self._fates = fates
        self._log = log
        self._loaded: dict[str, str] = {}
        self._files: dict[str, str] = {}

    def clear(self) -> None:
        self._loaded.clear()
        self._files.clear()

    def started(self, pod: Json) -> None:
        """A pod begins to run."""
        text = self._present_text(pod)
        if text is not None:
            uid = pod["metadata"]["uid"]
            self._files[uid] = self._loaded[uid] = text

    def loaded(self, pod: Json) -> str:
        """The configuration that the pod's Prometheus has loaded."""
        uid = pod["metadata"]["uid"]
        if self._has_reloader(pod) and self._fates.of(pod, FateKind.RELOAD) is None:
            self._loaded[uid] = self._file(pod)
        return self._loaded.get(uid, "")

    def answer(self, pod: Json, method: str, port: str, scheme: str, path: str) -> flask.Response:
        """What comes back through the proxy. ``path`` begins with a slash.

        :raises ApiError: 503, nothing listens there.
        """
        container = _prometheus(pod)
        flags = _flags(container) if container is not None else {}
        listening = flags.get("web.listen-address", "0.0.0.0:9090").rpartition(":")[2]
        silent = self._fates.of(pod, FateKind.SILENT) is not None
        if container is None or silent or pod["status"].get("phase") != "Running" or (port or listening) != listening:
            host = f"{pod['status'].get('podIP', '<nil>')}:{port or 80}"
            raise unreachable(f"dial tcp {host}: connect: connection refused")
        if scheme == "https":
            raise unreachable("tls: first record does not look like a TLS handshake")
        prefix = flags.get("web.route-prefix", urllib.parse.urlsplit(flags.get("web.external-url", "")).path).rstrip(
            "/"
        )
        if not path.startswith(f"{prefix}/"):
            return _text("404 page not found\n", 404)
        return self._serve(pod, container, flags, method, path.removeprefix(prefix))

    def _serve(self, pod: Json, container: Json, flags: t.Mapping[str, str], method: str, path: str) -> flask.Response:
        if path == "/-/reload":
            return self._reload(pod, container, flags, method)
        if method != "GET":
            return _text("Method Not Allowed\n", 405)
        if path in ("/-/ready", "/-/healthy"):
            word = "Ready" if path == "/-/ready" else "Healthy"
            return _text(f"Prometheus Server is {word}.\n")
        if path == "/api/v1/status/config":
            return _data({"yaml": _as_prometheus_writes(self.loaded(pod))})
        if path == "/api/v1/status/flags":
            return _data(dict(flags))
        return _text("404 page not found\n", 404)

    def _reload(self, pod: Json, container: Json, flags: t.Mapping[str, str], method: str) -> flask.Response:
        if flags.get("web.enable-lifecycle", "false") == "false":
            return _text("Lifecycle API is not enabled.", 403)
        if method not in ("POST", "PUT"):
            return _text("Only POST or PUT requests allowed", 405)
        fate = self._fates.of(pod, FateKind.RELOAD)
        if fate is not None:
            file = flags["config.file"]
            line = 'time=2026-01-01T00:00:00.000Z level=ERROR source=main.go:1598 msg="Error reloading config" err={}\n'
            self._log(pod, container["name"], line.format(json.dumps(fate.message)))
            return _text(f'failed to reload config: (--config.file="{file}"): {fate.message}\n', 500)
        self._loaded[pod["metadata"]["uid"]] = self._file(pod)
        return _text("")

    def _file(self, pod: Json) -> str:
        """The configuration as the kubelet has put it into the pod."""
        uid = pod["metadata"]["uid"]
        if self._fates.of(pod, FateKind.UNSYNCED) is None and not _is_single_file(pod):
            self._files[uid] = self._present_text(pod) or self._files.get(uid, "")
        return self._files.get(uid, "")

    def _has_reloader(self, pod: Json) -> bool:
        names = [f"{container['name']} {container['image']}" for container in pod["spec"]["containers"]]
        return any(reloader in name for name in names for reloader in _RELOADERS)

    def _present_text(self, pod: Json) -> str | None:
        """What the object that is mounted where the configuration is expected holds now.

        The operator's reloader unpacks it for Prometheus, from a volume of its own.
        """
        container = _prometheus(pod)
        if container is None:
            return None
        file = _flags(container).get("config.file", "")
        reloader = next((c for c in pod["spec"]["containers"] if _flags(c).get("config-envsubst-file") == file), None)
        if reloader is not None:
            return self._mounted_text(pod, reloader, _flags(reloader).get("config-file", ""))
        return self._mounted_text(pod, container, file)

    def _mounted_text(self, pod: Json, container: Json, file: str) -> str | None:
        """What the object that is mounted where a container expects a file holds now."""
        folder, _slash, name = file.rpartition("/")
        for mount in container.get("volumeMounts", []):
            key = mount.get("subPath") if mount["mountPath"] == file else name
            if key and mount["mountPath"].rstrip("/") in (folder, file):
                volume: Json = next((v for v in pod["spec"].get("volumes", []) if v["name"] == mount["name"]), {})
                for source in (volume, *volume.get("projected", {}).get("sources", [])):
                    text = self._text_in(source, pod["metadata"]["namespace"], key)
                    if text is not None:
                        return text
        return None

    def _text_in(self, source: Json, namespace: str, file: str) -> str | None:
        for kind, part in ((kinds.CONFIG_MAPS, "configMap"), (kinds.SECRETS, "secret")):
            reference = source.get(part)
            if not reference:
                continue
            keys = {item["path"]: item["key"] for item in reference.get("items", [])}
            name = reference.get("name") or reference.get("secretName") or ""
            found = self._store.find(kind, namespace, name)
            key = keys.get(file, "") if keys else file
            if found is not None:
                return _content(found, key)
        return None


def unreachable(why: str) -> ApiError:
    """How the API server says that a pod does not answer."""
    return ApiError(503, "ServiceUnavailable", f"error trying to reach service: {why}", {})


def _content(found: Json, key: str) -> str | None:
    if found["kind"] == "ConfigMap" and key in found.get("data", {}):
        return str(found["data"][key])
    encoded = (found.get("data", {}) if found["kind"] == "Secret" else found.get("binaryData", {})).get(key)
    if encoded is None:
        return None
    data = base64.b64decode(encoded)
    return (gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode()


def _prometheus(pod: Json) -> Json | None:
    containers: list[Json] = pod["spec"]["containers"]
    return next((container for container in containers if "config.file" in _flags(container)), None)


def _flags(container: Json) -> dict[str, str]:
    words = [*container.get("command", []), *container.get("args", [])]
    pairs = [word.lstrip("-").partition("=") for word in words if word.startswith("-")]
    return {name: value if equals else "true" for name, equals, value in pairs}


def _is_single_file(pod: Json) -> bool:
    container = _prometheus(pod) or {}
    file = _flags(container).get("config.file", "")
    return any(mount.get("subPath") and mount["mountPath"] == file for mount in container.get("volumeMounts", []))


def _as_prometheus_writes(text: str) -> str:
    """A configuration with a default and with its secrets blotted out, as ``config.Config.String`` gives it."""
    loaded = yaml.safe_load(text) or {}
    loaded["global"] = {"scrape_interval": "1m", **(loaded.get("global") or {})}
    return yaml.safe_dump(_blotted(loaded), sort_keys=False)


def _blotted(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        secret = ("password", "bearer_token", "secret_key", "credentials")
        return {name: "<secret>" if name in secret else _blotted(inner) for name, inner in value.items()}
    return [_blotted(inner) for inner in value] if isinstance(value, list) else value


def _text(text: str, status: int = 200) -> flask.Response:
    return flask.Response(text, status, content_type=_PLAIN)


def _data(data: Json) -> flask.Response:
    body = json.dumps({"status": "success", "data": data})
    return flask.Response(body, 200, content_type="application/json")
