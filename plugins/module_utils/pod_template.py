# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Prometheus pod template lacks to hold the federated role's session, and the change that gives it.

The AWS SDK in Prometheus takes the role from environment variables and the token from a projected volume. Everything
else of the pod stays as it is; what contradicts is refused, because somebody meant it.
Fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.federation import (
    WORKLOAD_IDENTITY_LABEL,
    ProjectedToken,
)

Json = dict[str, t.Any]

PROMETHEUS: t.Final = "prometheus"
TOKEN_FILE: t.Final = "AWS_WEB_IDENTITY_TOKEN_FILE"  # noqa: S105  # the name of a variable
#: The API server's default lifetime of a projected token, in seconds.
_DEFAULT_EXPIRATION: t.Final = 3600

#: Variables by which the AWS SDKs take other credentials before they look for a web identity (SDK for Go, v1 and v2).
_STRAY_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
)


@dataclasses.dataclass(frozen=True)
class PodWish:
    """What the pod shall have. ``container`` None means the one of Prometheus."""

    service_account: str
    token: ProjectedToken
    container: str | None = None
    pod_label: bool = False


@dataclasses.dataclass(frozen=True)
class PodChange:
    """The parts of a pod template that change. Without summaries there is nothing to do.

    ``patch`` is a JSON merge patch of the template. Such a patch replaces lists whole, so it carries all volumes and
    all containers; that loses nothing, because it is built from one version of the object and sent with that version
    as its precondition: the API server refuses it when anything has been changed since.
    """

    container: str
    patch: Json
    before: Json
    after: Json
    summaries: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def choose_container(containers: t.Sequence[t.Mapping[str, t.Any]], name: str | None, place: str) -> str:
    """The container of Prometheus: the named one, else the one called so, else the only one."""
    names = [str(container["name"]) for container in containers]
    if name is not None:
        if name not in names:
            raise errors.NotFound(
                f"{place} has no container '{name}', but {', '.join(names)}.", fix="Name one of these by 'container'."
            )
        return name
    if PROMETHEUS in names:
        return PROMETHEUS
    if len(names) == 1:
        return names[0]
    raise errors.Ambiguous(
        f"{place} has no container '{PROMETHEUS}', but several others: {', '.join(names)}.",
        fix="Name that of Prometheus by 'container'.",
    )


def patched(template: t.Mapping[str, t.Any], patch: t.Mapping[str, t.Any]) -> Json:
    """What the API server makes of a template by a JSON merge patch, in which None removes (RFC 7386)."""
    merged = dict(template)
    for key, value in patch.items():
        present = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = patched(present if isinstance(present, dict) else {}, value)
        else:
            merged[key] = value
    return merged


def merge_pod_template(template: t.Mapping[str, t.Any], wish: PodWish, place: str) -> PodChange:
    """Decide. ``place`` names the workload for messages. Raises NotFound, Ambiguous or Refused."""
    planner = _Planner(template, wish, place)
    planner.set_service_account()
    planner.refuse_stray_credentials()
    accepted = planner.has_equivalent_token()
    if not accepted:
        planner.set_volume()
        planner.set_mount()
    for name, value in wish.token.environment().items():
        if name != TOKEN_FILE or not accepted:
            planner.set_variable(name, value)
    if wish.pod_label:
        planner.set_label()
    return planner.change()


class _Planner:
    """Collects the changes of one template."""

    def __init__(self, template: t.Mapping[str, t.Any], wish: PodWish, place: str) -> None:
        self._spec: t.Mapping[str, t.Any] = template["spec"]
        self._labels: dict[str, str] = dict((template.get("metadata") or {}).get("labels") or {})
        self._wish = wish
        self._place = place
        containers = self._spec["containers"]
        self._name = choose_container(containers, wish.container, place)
        self._index = next(index for index, container in enumerate(containers) if container["name"] == self._name)
        self._variables: list[Json] = list(self._container.get("env") or [])
        self._mounts: list[Json] = list(self._container.get("volumeMounts") or [])
        self._volumes: list[Json] = list(self._spec.get("volumes") or [])
        self._changed: set[str] = set()
        self._before: Json = {}
        self._after: Json = {}
        self._summaries: list[str] = []

    @property
    def _container(self) -> Json:
        return t.cast("Json", self._spec["containers"][self._index])

    def set_service_account(self) -> None:
        current, wanted = service_account_of(self._spec), self._wish.service_account
        if current != wanted:
            # The deprecated field serviceAccount is a mirror that the API server keeps itself.
            self._note("serviceAccountName", self._spec.get("serviceAccountName"), wanted)
            self._summaries.append(f"run as the service account {wanted} (it was {current})")

    def refuse_stray_credentials(self) -> None:
        stray = [name for name in _STRAY_VARIABLES if _is_set(self._variable(name))]
        if stray:
            raise errors.Refused(
                f"{self._place} sets {' and '.join(stray)} in the container {self._name}, which the AWS SDK takes "
                "before the web identity.",
                fix="Remove them from the pod template; the federated role needs no static credentials.",
            )

    def has_equivalent_token(self) -> bool:
        """Whether the token file variable points already to a projected token of the right audience, whatever its
        volume and path are called."""
        variable = self._variable(TOKEN_FILE)
        file = str((variable or {}).get("value") or "")
        for mount in self._mounts:
            # A file mounted by subPath is never renewed, so its token expires.
            if mount.get("subPath") or mount.get("subPathExpr"):
                continue
            if any(file == f"{_path(mount)}/{source['path']}" for source in self._token_sources(mount["name"])):
                return not self._is_own(mount)
        return False

    def _is_own(self, mount: Json) -> bool:
        """Our own volume is held to the wish, its token's lifetime included."""
        return bool(mount["name"] == self._wish.token.volume_name and _path(mount) == self._wish.token.mount_path)

    def _token_sources(self, volume_name: str) -> list[Json]:
        volume = self._find_volume(volume_name)
        tokens = _projected_tokens(volume) if volume is not None else []
        return [token for token in tokens if token.get("audience") == self._wish.token.audience]

    def set_volume(self) -> None:
        token = self._wish.token
        wanted = token.volume()
        present = self._find_volume(token.volume_name)
        if present is None:
            self._volumes.append(wanted)
            self._note_in("volumes", token.volume_name, None, wanted["projected"])
            self._summaries.append(f"add the volume {token.volume_name} with a token for {token.audience}")
            return
        tokens = _projected_tokens(present)
        only_ours = [source["path"] for source in tokens] == [token.file_name]
        if not only_ours or len(present["projected"]["sources"]) != 1:
            raise errors.Refused(
                f"{self._place} has a volume {token.volume_name} with other content.",
                fix="Rename that volume; this name is needed for the web identity token.",
            )
        found = {"expirationSeconds": _DEFAULT_EXPIRATION, **tokens[0]}
        if found == wanted["projected"]["sources"][0]["serviceAccountToken"]:
            return
        self._refuse_shared_volume()
        projected = {**present["projected"], "sources": wanted["projected"]["sources"]}  # a mode of its own stays
        self._volumes = [
            {**volume, "projected": projected} if volume is present else volume for volume in self._volumes
        ]
        self._note_in("volumes", token.volume_name, present["projected"], projected)
        self._summaries.append(
            f"project the token in the volume {token.volume_name} for {token.audience} and {token.expiration_seconds} "
            f"seconds (it was for {found.get('audience') or 'the API server'} and {found['expirationSeconds']})"
        )

    def _refuse_shared_volume(self) -> None:
        others = [
            str(container["name"])
            for container in (*self._spec["containers"], *(self._spec.get("initContainers") or ()))
            if container["name"] != self._name
            and any(mount["name"] == self._wish.token.volume_name for mount in container.get("volumeMounts") or ())
        ]
        if others:
            raise errors.Refused(
                f"{self._place} mounts the volume {self._wish.token.volume_name}, whose token is another one than "
                f"needed, into {', '.join(others)} too.",
                fix="Give those containers a volume of another name.",
            )

    def set_mount(self) -> None:
        token = self._wish.token
        file = token.environment()[TOKEN_FILE]
        for mount in self._mounts:
            if _path(mount) not in (token.mount_path, file):
                continue
            if mount["name"] != token.volume_name or mount.get("subPath") or mount.get("subPathExpr"):
                raise errors.Refused(
                    f"{self._place} mounts the volume {mount['name']} at {_path(mount)} in the container {self._name}, "
                    "where the web identity token belongs.",
                    fix="Mount it elsewhere.",
                )
            return
        self._mounts.append(token.volume_mount())
        self._changed.add("volumeMounts")
        self._note_in("volumeMounts", token.mount_path, None, token.volume_name)
        self._summaries.append(f"mount it at {token.mount_path}")

    def set_variable(self, name: str, value: str) -> None:
        present = self._variable(name)
        if present is None:
            self._variables.append({"name": name, "value": value})
            self._summaries.append(f"set {name} to {value}")
        elif present.get("valueFrom"):
            source = ", ".join(sorted(present["valueFrom"]))
            raise errors.Refused(
                f"{self._place} takes {name} in the container {self._name} from elsewhere ({source}); wanted is the "
                f"value {value}.",
                fix=f"Remove the variable {name} from the pod template, or give it that value.",
            )
        elif present.get("value", "") == value:
            return
        else:
            replaced = {"name": name, "value": value}
            self._variables = [replaced if variable is present else variable for variable in self._variables]
            self._summaries.append(f"set {name} to {value} (it was {present.get('value') or 'empty'})")
        self._changed.add("env")
        self._note_in("env", name, None if present is None else present.get("value", ""), value)

    def set_label(self) -> None:
        present = self._labels.get(WORKLOAD_IDENTITY_LABEL)
        if present != "true":
            self._note_in("labels", WORKLOAD_IDENTITY_LABEL, present, "true")
            self._summaries.append(f"label the pods {WORKLOAD_IDENTITY_LABEL}: true")

    def change(self) -> PodChange:
        patch: Json = {}
        spec: Json = {}
        if "serviceAccountName" in self._after:
            spec["serviceAccountName"] = self._after["serviceAccountName"]
        if "volumes" in self._after:
            spec["volumes"] = self._volumes
        if self._changed:
            lists = {"env": self._variables, "volumeMounts": self._mounts}
            container = {**self._container, **{key: lists[key] for key in sorted(self._changed)}}
            spec["containers"] = list(self._spec["containers"])
            spec["containers"][self._index] = container
        if spec:
            patch["spec"] = spec
        if "labels" in self._after:
            patch["metadata"] = {"labels": self._after["labels"]}
        warnings = self._warnings() if self._summaries else ()
        return PodChange(
            self._name, patch, self._shown(self._before), self._shown(self._after), tuple(self._summaries), warnings
        )

    def _warnings(self) -> tuple[str, ...]:
        sources = [
            next((str(entry[kind].get("name", "")) for kind in ("secretRef", "configMapRef") if entry.get(kind)), "")
            for entry in self._container.get("envFrom") or ()
        ]
        if not sources:
            return ()
        warning = (
            f"{self._place} loads variables from {', '.join(sources)} into the container {self._name}; if "
            "AWS_ACCESS_KEY_ID or AWS_PROFILE is among them, the AWS SDK takes it before the web identity."
        )
        return (warning,)

    def _shown(self, parts: Json) -> Json:
        """The changed parts for a diff. Variables and mounts stand under their container."""
        shown = {key: value for key, value in parts.items() if key not in ("env", "volumeMounts")}
        inner = {key: value for key, value in parts.items() if key in ("env", "volumeMounts")}
        return {**shown, **({"containers": {self._name: inner}} if inner else {})}

    def _note(self, key: str, before: object, after: object) -> None:
        if before is not None:
            self._before[key] = before
        self._after[key] = after

    def _note_in(self, section: str, key: str, before: object, after: object) -> None:
        if before is not None:
            self._before.setdefault(section, {})[key] = before
        self._after.setdefault(section, {})[key] = after

    def _find_volume(self, name: str) -> Json | None:
        return next((volume for volume in self._volumes if volume["name"] == name), None)

    def _variable(self, name: str) -> Json | None:
        """The entry that counts: the last one of that name."""
        return next((variable for variable in reversed(self._variables) if variable["name"] == name), None)


def service_account_of(spec: t.Mapping[str, t.Any]) -> str:
    """The service account that pods of a pod spec run as."""
    return str(spec.get("serviceAccountName") or spec.get("serviceAccount") or "default")


class ConfigMapMount(enum.Enum):
    """How a container mounts a ConfigMap."""

    NONE = "none"
    WHOLE = "whole"  # as a folder, which follows the ConfigMap's changes
    SINGLE_FILE = "file"  # by subPath, which does not


def mounts_config_map(template: t.Mapping[str, t.Any], container: str, config_map: str) -> ConfigMapMount:
    spec = template["spec"]
    names = {volume["name"] for volume in spec.get("volumes") or () if config_map in _config_maps(volume)}
    found = next(item for item in spec["containers"] if item["name"] == container)
    mounts = [mount for mount in found.get("volumeMounts") or () if mount["name"] in names]
    if not mounts:
        return ConfigMapMount.NONE
    single = all(mount.get("subPath") or mount.get("subPathExpr") for mount in mounts)
    return ConfigMapMount.SINGLE_FILE if single else ConfigMapMount.WHOLE


def _config_maps(volume: t.Mapping[str, t.Any]) -> list[str]:
    sources = [volume, *((volume.get("projected") or {}).get("sources") or ())]
    return [str(source["configMap"].get("name", "")) for source in sources if source.get("configMap")]


def _projected_tokens(volume: t.Mapping[str, t.Any]) -> list[Json]:
    sources = (volume.get("projected") or {}).get("sources") or ()
    return [source["serviceAccountToken"] for source in sources if source.get("serviceAccountToken")]


def _path(mount: t.Mapping[str, t.Any]) -> str:
    return str(mount["mountPath"]).rstrip("/")


def _is_set(variable: t.Mapping[str, t.Any] | None) -> bool:
    return variable is not None and bool(variable.get("value") or variable.get("valueFrom"))
