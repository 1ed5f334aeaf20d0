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

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    AZURE_TOKEN_FILE_NAME,
    WORKLOAD_IDENTITY_LABEL,
    ProjectedToken,
    WebhookToken,
    WebIdentityToken,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    SECRET,
    ObjectKind,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import SET, WAS, kept, section_of
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_environment import LoadedVariables

Json = dict[str, t.Any]

PROMETHEUS: t.Final = "prometheus"
#: The pod's annotation with the containers, separated by semicolons, that the Azure webhook leaves alone.
SKIP_CONTAINERS_ANNOTATION: t.Final = "azure.workload.identity/skip-containers"
TOKEN_FILE: t.Final = "AWS_WEB_IDENTITY_TOKEN_FILE"  # noqa: S105  # the name of a variable
#: The API server's default lifetime of a projected token, in seconds.
_DEFAULT_EXPIRATION: t.Final = 3600
#: The API server's default mode of a projected volume's files, 0644.
_DEFAULT_MODE: t.Final = 420

#: Variables by which the AWS SDKs take other credentials before they look for a web identity (SDK for Go, v1 and v2).
#: AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE are none of them: without a profile that is asked for, the SDKs look
#: into these files only after the web identity in the environment (config/resolve_credentials.go, session/session.go).
STRAY_VARIABLES = (
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
    token: WebIdentityToken
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


def choose_container(spec: t.Mapping[str, t.Any], name: str | None, place: str) -> str:
    """The container of Prometheus in a pod spec: the named one, else the one called so, else the only one, else the
    only one with an image of Prometheus. Init containers, sidecars among them, are none."""
    names = [str(container["name"]) for container in spec["containers"]]
    if name is not None:
        if name not in names:
            if any(container["name"] == name for container in spec.get("initContainers") or ()):
                raise errors.NotFound(
                    f"{place} has '{name}' among its init containers only, which run before Prometheus or beside it.",
                    fix=f"Name the container of Prometheus by 'container': {', '.join(names)}.",
                )
            raise errors.NotFound(
                f"{place} has no container '{name}', but {', '.join(names)}.", fix="Name one of these by 'container'."
            )
        return name
    if PROMETHEUS in names:
        return PROMETHEUS
    if len(names) == 1:
        return names[0]
    by_image = [str(item["name"]) for item in spec["containers"] if _repository(item) == PROMETHEUS]
    if len(by_image) == 1:
        return by_image[0]
    raise errors.Ambiguous(
        f"{place} has no container '{PROMETHEUS}', but several others: {', '.join(names)}.",
        fix="Name that of Prometheus by 'container'.",
    )


def _repository(container: t.Mapping[str, t.Any]) -> str:
    """The last part of a container's image without tag and digest: ``prometheus`` of ``quay.io/x/prometheus:v3``."""
    return str(container.get("image", "")).partition("@")[0].rpartition("/")[2].partition(":")[0]


def image_of(template: t.Mapping[str, t.Any], container: str) -> str:
    """The image of one of a template's containers."""
    return next(str(item.get("image", "")) for item in template["spec"]["containers"] if item["name"] == container)


def refuse_twins(spec: t.Mapping[str, t.Any], place: str) -> None:
    """Containers and volumes are changed by their names, so these must be unique; an API server sees to it mostly."""
    containers = [*spec["containers"], *(spec.get("initContainers") or ())]
    for what, items in (("containers", containers), ("volumes", spec.get("volumes") or ())):
        names = [str(item["name"]) for item in items]
        twins = sorted({name for name in names if names.count(name) > 1})
        if twins:
            raise errors.Refused(
                f"{place} has several {what} called {', '.join(twins)}.",
                fix="Give each of them a name of its own.",
                kind="twins",
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


def merge_pod_template(
    template: t.Mapping[str, t.Any],
    wish: PodWish,
    place: str,
    record: t.Mapping[str, t.Any] | None = None,
    loaded: t.Sequence[LoadedVariables] = (),
) -> PodChange:
    """Decide. ``place`` names the workload for messages; ``record`` tells what of the template the collection set;
    ``loaded`` are the variables that the container takes from elsewhere. Raises NotFound, Ambiguous or Refused."""
    refuse_twins(template["spec"], place)
    planner = _Planner(template, wish, place, loaded)
    planner.set_service_account()
    planner.refuse_stray_credentials()
    planner.refuse_doubles()
    accepted = planner.has_equivalent_token()
    if isinstance(wish.token, WebhookToken):
        planner.refuse_skipping_webhook()
        planner.drop_own_token(record or {})
    elif not accepted:
        planner.set_volume(wish.token)
        planner.set_mount(wish.token)
    for name, value in wish.token.environment().items():
        if name != TOKEN_FILE or not accepted:
            planner.set_variable(name, value)
    if wish.pod_label or isinstance(wish.token, WebhookToken):
        planner.set_label()
    return planner.change()


class _Planner:
    """Collects the changes of one template."""

    def __init__(
        self, template: t.Mapping[str, t.Any], wish: PodWish, place: str, loaded: t.Sequence[LoadedVariables]
    ) -> None:
        self._spec: t.Mapping[str, t.Any] = template["spec"]
        self._loaded = loaded
        metadata = template.get("metadata") or {}
        self._labels: dict[str, str] = dict(metadata.get("labels") or {})
        self._annotations: dict[str, str] = dict(metadata.get("annotations") or {})
        self._wish = wish
        self._place = place
        containers = self._spec["containers"]
        self._name = choose_container(self._spec, wish.container, place)
        self._index = next(index for index, container in enumerate(containers) if container["name"] == self._name)
        self._variables: list[Json] = list(self._container.get("env") or [])
        self._mounts: list[Json] = list(self._container.get("volumeMounts") or [])
        self._volumes: list[Json] = list(self._spec.get("volumes") or [])
        self._changed: set[str] = set()
        self._before: Json = {}
        self._after: Json = {}
        self._summaries: list[str] = []
        self._kept: list[str] = []

    @property
    def _container(self) -> Json:
        return t.cast("Json", self._spec["containers"][self._index])

    def set_service_account(self) -> None:
        current, wanted = service_account_of(self._spec), self._wish.service_account
        if current != wanted:
            self._note("serviceAccountName", self._spec.get("serviceAccountName"), wanted)
            self._summaries.append(f"run as the service account {wanted} (it was {current})")

    def refuse_stray_credentials(self) -> None:
        stray = [name for name in STRAY_VARIABLES if _is_set(self._variable(name))]
        if stray:
            raise errors.Refused(
                f"{self._place} sets {' and '.join(stray)} in the container {self._name}, which the AWS SDK takes "
                "before the web identity.",
                fix="Remove them from the pod template; the federated role needs no static credentials.",
                kind="static_credentials",
            )
        for variables in self._loaded:
            names = [name for name in STRAY_VARIABLES if name in (variables.names or ())]
            # A variable of the container's own comes before one of the same name from elsewhere, even when it is empty.
            stray = [name for name in names if self._variable(name) is None]
            if stray:
                raise errors.Refused(
                    f"{self._place} loads {' and '.join(stray)} from {variables.bundle.reference} into the container "
                    f"{self._name}, which the AWS SDK takes before the web identity.",
                    fix="Take them out of there, or no longer load that object; the federated role needs no static "
                    "credentials.",
                    kind="static_credentials",
                )

    def refuse_doubles(self) -> None:
        """Which of two counts depends on their order, so what is asked for is not said by either."""
        names = [str(variable["name"]) for variable in self._variables]
        twins = [name for name in self._wish.token.environment() if names.count(name) > 1]
        if twins:
            raise errors.Refused(
                f"{self._place} sets {' and '.join(twins)} more than once in the container {self._name}.",
                fix="Keep one of each.",
                kind="variables_doubled",
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
        return bool(mount["name"] == ProjectedToken.volume_name and _path(mount) == ProjectedToken.mount_path)

    def _token_sources(self, volume_name: str) -> list[Json]:
        volume = self._find_volume(volume_name)
        tokens = _projected_tokens(volume) if volume is not None else []
        return [token for token in tokens if token.get("audience") == self._wish.token.audience]

    def refuse_skipping_webhook(self) -> None:
        """The webhook leaves out the containers of an annotation, and its versions up to 1.5.1 every pod in which a
        projected token has the webhook's own file name."""
        if self._name in [name.strip() for name in self._annotations.get(SKIP_CONTAINERS_ANNOTATION, "").split(";")]:
            raise errors.Refused(
                f"{self._place} keeps the Azure webhook from the container {self._name} by the annotation "
                f"{SKIP_CONTAINERS_ANNOTATION}, so no token would be mounted there.",
                fix="Take the container out of that annotation, or use token_source: projected.",
                kind="webhook_kept_out",
            )
        names = [
            volume["name"]
            for volume in self._volumes
            if any(token["path"] == AZURE_TOKEN_FILE_NAME for token in _projected_tokens(volume))
        ]
        if names:
            self._kept.append(
                f"{self._place} has a token called {AZURE_TOKEN_FILE_NAME} in the volume {', '.join(names)}: the Azure "
                "webhook mounts none of its own beside it before version 1.6.0."
            )

    def drop_own_token(self, record: t.Mapping[str, t.Any]) -> None:
        """Our projected token goes when another source takes its place; one of others is left alone."""
        name, path = ProjectedToken.volume_name, ProjectedToken.mount_path
        if _was_added(record, f"volumeMounts/{self._name}", path, name):
            others = [mount for mount in self._mounts if mount["name"] != name or _path(mount) != path]
            if len(others) < len(self._mounts):
                self._mounts = others
                self._changed.add("volumeMounts")
                self._note_in("volumeMounts", path, name, None)
                self._summaries.append(f"no longer mount {path}")
        present = self._find_volume(name)
        projected = (present or {}).get("projected") or {}
        if present is None or not _was_added(record, "volumes", name, projected.get("sources")):
            return
        users = self._other_users(name)
        if users or any(mount["name"] == name for mount in self._mounts):
            self._kept.append(
                kept(f"The volume {name} of {self._place}", f"it is mounted by {', '.join(users) or self._name}")
            )
            return
        self._volumes = [volume for volume in self._volumes if volume is not present]
        self._note_in("volumes", name, projected, None)
        self._summaries.append(f"remove the volume {name}, whose token is not needed any more")

    def _other_users(self, volume: str) -> list[str]:
        """The containers that mount a volume beside the one of Prometheus."""
        return [
            str(container["name"])
            for container in (*self._spec["containers"], *(self._spec.get("initContainers") or ()))
            if container["name"] != self._name
            and any(mount["name"] == volume for mount in container.get("volumeMounts") or ())
        ]

    def set_volume(self, token: ProjectedToken) -> None:
        wanted = token.volume()
        present = self._find_volume(token.volume_name)
        if present is None:
            # What the API server would fill in stands in the plan, so that check mode shows the volume as it will be.
            projected = {**wanted["projected"], "defaultMode": _DEFAULT_MODE}
            self._volumes.append({**wanted, "projected": projected})
            self._note_in("volumes", token.volume_name, None, projected)
            self._summaries.append(f"add the volume {token.volume_name} with a token for {token.audience}")
            return
        tokens = _projected_tokens(present)
        only_ours = [source["path"] for source in tokens] == [token.file_name]
        if not only_ours or len(present["projected"]["sources"]) != 1:
            raise errors.Refused(
                f"{self._place} has a volume {token.volume_name} with other content.",
                fix="Rename that volume; this name is needed for the web identity token.",
                kind="volume_taken",
            )
        found = {"expirationSeconds": _DEFAULT_EXPIRATION, **tokens[0]}
        if found == wanted["projected"]["sources"][0]["serviceAccountToken"]:
            return
        self._refuse_shared_volume(token)
        projected = {**present["projected"], "sources": wanted["projected"]["sources"]}  # a mode of its own stays
        self._volumes = [
            {**volume, "projected": projected} if volume is present else volume for volume in self._volumes
        ]
        self._note_in("volumes", token.volume_name, present["projected"], projected)
        self._summaries.append(
            f"project the token in the volume {token.volume_name} for {token.audience} and {token.expiration_seconds} "
            f"seconds (it was for {found.get('audience') or 'the API server'} and {found['expirationSeconds']})"
        )

    def _refuse_shared_volume(self, token: ProjectedToken) -> None:
        others = self._other_users(token.volume_name)
        if others:
            raise errors.Refused(
                f"{self._place} mounts the volume {token.volume_name}, whose token is another one than needed, into "
                f"{', '.join(others)} too.",
                fix="Give those containers a volume of another name.",
                kind="token_shared",
            )

    def set_mount(self, token: ProjectedToken) -> None:
        file = token.environment()[TOKEN_FILE]
        for mount in self._mounts:
            if _path(mount) not in (token.mount_path, file):
                continue
            if mount["name"] != token.volume_name or mount.get("subPath") or mount.get("subPathExpr"):
                raise errors.Refused(
                    f"{self._place} mounts the volume {mount['name']} at {_path(mount)} in the container {self._name}, "
                    "where the web identity token belongs.",
                    fix="Mount it elsewhere.",
                    kind="mount_taken",
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
                kind="variable_from_elsewhere",
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
            # The deprecated name is a mirror that the API server keeps itself, and that is to be predicted.
            spec |= dict.fromkeys(("serviceAccountName", "serviceAccount"), self._after["serviceAccountName"])
        if "volumes" in self._after or "volumes" in self._before:
            spec["volumes"] = self._volumes or None
        if self._changed:
            lists = {"env": self._variables, "volumeMounts": self._mounts}
            container = {**self._container, **{key: lists[key] for key in sorted(self._changed)}}
            # The API server keeps no empty lists.
            container = {key: value for key, value in container.items() if key not in self._changed or value}
            spec["containers"] = list(self._spec["containers"])
            spec["containers"][self._index] = container
        if spec:
            patch["spec"] = spec
        if "labels" in self._after:
            patch["metadata"] = {"labels": self._after["labels"]}
        warnings = (*self._warnings(), *self._kept) if self._summaries else ()
        return PodChange(
            self._name, patch, self._shown(self._before), self._shown(self._after), tuple(self._summaries), warnings
        )

    def _warnings(self) -> tuple[str, ...]:
        return tuple(
            f"{self._place} loads variables from {variables.bundle.reference} into the container {self._name}, which "
            "can't be read here; if AWS_ACCESS_KEY_ID or AWS_PROFILE is among them, the AWS SDK takes it before the "
            f"web identity. {variables.advice}".strip()
            for variables in self._loaded
            if variables.names is None
        )

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
        if after is not None:
            self._after.setdefault(section, {})[key] = after

    def _find_volume(self, name: str) -> Json | None:
        return next((volume for volume in self._volumes if volume["name"] == name), None)

    def _variable(self, name: str) -> Json | None:
        """The entry that counts: the last one of that name."""
        return next((variable for variable in reversed(self._variables) if variable["name"] == name), None)


def service_account_of(spec: t.Mapping[str, t.Any]) -> str:
    """The service account that pods of a pod spec run as."""
    return str(spec.get("serviceAccountName") or spec.get("serviceAccount") or "default")


class SourceMount(enum.Enum):
    """How a pod mounts the ConfigMap or Secret with Prometheus' configuration."""

    NONE = "none"
    WHOLE = "whole"  # as a folder, which follows the object's changes
    SINGLE_FILE = "file"  # by subPath, which does not


def how_mounted(template: t.Mapping[str, t.Any], source: ObjectReference, container: str | None = None) -> SourceMount:
    """By the named container if it mounts the object, else by any other: a reloader may unpack it for Prometheus."""
    spec = template["spec"]
    names = {volume["name"] for volume in spec.get("volumes") or () if source.name in _objects_in(volume, source.kind)}
    containers = [*spec["containers"], *(spec.get("initContainers") or ())]
    mounts = [
        (item["name"], mount)
        for item in containers
        for mount in item.get("volumeMounts") or ()
        if mount["name"] in names
    ]
    chosen = [mount for name, mount in mounts if name == container] or [mount for _name, mount in mounts]
    if not chosen:
        return SourceMount.NONE
    single = all(mount.get("subPath") or mount.get("subPathExpr") for mount in chosen)
    return SourceMount.SINGLE_FILE if single else SourceMount.WHOLE


def _objects_in(volume: t.Mapping[str, t.Any], kind: ObjectKind) -> list[str]:
    """The names of the objects of a kind in a volume. A secret's volume names it otherwise than a projected source."""
    field = "secret" if kind == SECRET else "configMap"
    found = [volume[field]] if volume.get(field) else []
    found += [source[field] for source in (volume.get("projected") or {}).get("sources") or () if source.get(field)]
    return [str(item.get("secretName") or item.get("name") or "") for item in found]


def token_lifetime(template: t.Mapping[str, t.Any], volume_name: str) -> int | None:
    """The lifetime in seconds of the token that a volume projects; None without such a volume."""
    volumes = [volume for volume in template["spec"].get("volumes") or () if volume["name"] == volume_name]
    tokens = [token for volume in volumes for token in _projected_tokens(volume)]
    return int(tokens[0].get("expirationSeconds") or _DEFAULT_EXPIRATION) if tokens else None


def _projected_tokens(volume: t.Mapping[str, t.Any]) -> list[Json]:
    sources = (volume.get("projected") or {}).get("sources") or ()
    return [source["serviceAccountToken"] for source in sources if source.get("serviceAccountToken")]


def _was_added(record: t.Mapping[str, t.Any], section: str, name: str, value: object) -> bool:
    """Whether the collection put a value there where none was, and it still stands."""
    entry = section_of(record, section).get(name)
    return entry is not None and entry[WAS] is None and bool(entry[SET] == value)


def _path(mount: t.Mapping[str, t.Any]) -> str:
    return str(mount["mountPath"]).rstrip("/")


def _is_set(variable: t.Mapping[str, t.Any] | None) -> bool:
    return variable is not None and bool(variable.get("value") or variable.get("valueFrom"))
