# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the webhook of Microsoft Entra Workload ID mounts its token, judged from what a cluster shows of it. Pure.

The path moved in version 1.6.0 and stands in a pod only after the webhook has changed it, so a pod template has to be
told (https://github.com/Azure/azure-workload-identity, ``pkg/webhook/consts.go`` of each version).
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    AZURE_TOKEN_FILE_NAME,
    KNOWN_AFTER_APPLY,
    WORKLOAD_IDENTITY_LABEL,
)

#: The names that the webhook's own chart and AKS give to its objects.
WEBHOOK_CONFIGURATION: t.Final = "azure-wi-webhook-mutating-webhook-configuration"
WEBHOOK_DEPLOYMENT: t.Final = "azure-wi-webhook-controller-manager"
#: Where it runs: AKS' add-on, and an installation of one's own.
WEBHOOK_NAMESPACES: t.Final = ("kube-system", "azure-workload-identity-system")
#: The variable that it gives to the containers of labelled pods.
TOKEN_FILE_VARIABLE: t.Final = "AZURE_FEDERATED_TOKEN_FILE"  # noqa: S105 - the name of a variable

_FILE_BEFORE_1_6: t.Final = f"/var/run/secrets/azure/tokens/{AZURE_TOKEN_FILE_NAME}"
_FILE_SINCE_1_6: t.Final = f"/var/run/secrets/azure/wi/token/{AZURE_TOKEN_FILE_NAME}"

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-(.+))?")
_STEP: t.Final = (
    "Run the step aks_oidc_issuer with workload identity (--tags aks_oidc_issuer, aks_amp_workload_identity: true); "
    "right after that the webhook may need a minute."
)


@dataclasses.dataclass(frozen=True)
class MutatedPod:
    """A pod to which the webhook has given its variables. ``created`` is the API's time stamp, which sorts as text."""

    name: str
    created: str
    token_file: str


@dataclasses.dataclass(frozen=True)
class Survey:
    """What a cluster shows of the webhook. None stands for what could not be seen.

    ``place`` names its Deployment, ``running`` counts its pods that are ready, ``image`` is theirs. ``unreadable`` says
    of each missing right what to do about it. ``since`` is when the configuration was made, ``selects`` whether it
    takes pods by the label.
    """

    configured: bool | None
    place: str = ""
    running: int | None = None
    image: str | None = None
    pods: tuple[MutatedPod, ...] = ()
    unreadable: tuple[str, ...] = ()
    since: str = ""
    selects: bool = True


@dataclasses.dataclass(frozen=True)
class TokenFile:
    """The path of the token in the pods to come, and what to know about it."""

    path: str
    warnings: tuple[str, ...] = ()


def mutated_pods(pods: t.Iterable[t.Mapping[str, t.Any]]) -> tuple[MutatedPod, ...]:
    """Those of a list of pods that are labelled and carry the webhook's variable in a container."""
    found = []
    for pod in pods:
        metadata = pod["metadata"]
        if (metadata.get("labels") or {}).get(WORKLOAD_IDENTITY_LABEL) != "true" or "deletionTimestamp" in metadata:
            continue
        files = [
            str(variable["value"])
            for container in pod["spec"]["containers"]
            for variable in container.get("env") or ()
            if variable["name"] == TOKEN_FILE_VARIABLE and variable.get("value")
        ]
        if files:
            found.append(MutatedPod(str(metadata["name"]), str(metadata.get("creationTimestamp") or ""), files[0]))
    return tuple(found)


def file_of_version(image: str | None) -> str | None:
    """The path that a version of the webhook mounts, by its image's tag; None where the tag does not tell.

    A preview of 1.6.0 may have either.
    """
    name = (image or "").partition("@")[0].rpartition("/")[2]
    match = _VERSION.fullmatch(name.partition(":")[2])
    if match is None:
        return None
    version = tuple(int(part) for part in match.groups()[:3])
    if version == (1, 6, 0) and re.match(r"(alpha|beta|rc|preview)", match[4] or ""):
        return None
    return _FILE_SINCE_1_6 if version >= (1, 6, 0) else _FILE_BEFORE_1_6


def token_file(survey: Survey, given: str | None, *, check_mode: bool) -> TokenFile:
    """Decide. ``given`` is the option and wins. Raises NotFound, NotReady or Refused.

    A running pod shows what the webhook did when that pod was made, the version what it does now; the version counts
    where they differ, because it is new pods that are asked about. In check mode a webhook that is not there yet leaves
    the path open.
    """
    if survey.configured is False:
        if check_mode:
            warning = "The cluster has no Azure workload identity webhook yet, so the path of its token is not known."
            return TokenFile(given) if given else TokenFile(KNOWN_AFTER_APPLY, (warning,))
        raise errors.NotFound(
            f"There is no MutatingWebhookConfiguration {WEBHOOK_CONFIGURATION} in the cluster, so nothing mounts the "
            "Azure token into Prometheus' pods.",
            fix=_STEP,
        )
    if survey.running == 0:
        if check_mode:
            warning = f"The Azure workload identity webhook ({survey.place}) has no ready pod."
            return TokenFile(given or _seen(survey) or KNOWN_AFTER_APPLY, (warning,))
        raise errors.NotReady(
            f"The Azure workload identity webhook ({survey.place}) has no ready pod, and without it the API server "
            "refuses the pods that need its token.",
            fix=f"Look at the events and logs of {survey.place}, or rerun in a minute if it was just switched on.",
        )
    found = given or _seen(survey)
    if found is None:
        missing = f" Not everything could be read: {' '.join(survey.unreadable)}" if survey.unreadable else ""
        raise errors.Refused(
            "Where the Azure workload identity webhook mounts its token can't be told: no running pod of the namespace "
            f"carries {TOKEN_FILE_VARIABLE}, and the image {survey.image or 'of the webhook'} does not say its version."
            f"{missing}",
            fix=f"Give token_file, for example {_FILE_BEFORE_1_6} (up to 1.5.1) or {_FILE_SINCE_1_6} (since 1.6.0).",
        )
    return TokenFile(found, (*_disagreements(survey, given, found), *_unchecked(survey)))


def _newest(survey: Survey) -> MutatedPod | None:
    return max(survey.pods, key=lambda pod: (pod.created, pod.name), default=None)


def _seen(survey: Survey) -> str | None:
    newest = _newest(survey)
    return file_of_version(survey.image) or (newest.token_file if newest else None)


def _disagreements(survey: Survey, given: str | None, chosen: str) -> list[str]:
    """One sentence where the sources do not agree with what is used."""
    by_version, newest = file_of_version(survey.image), _newest(survey)
    others = []
    if by_version not in (None, chosen):
        others.append(f"the version of the webhook ({survey.image}) says {by_version}")
    if newest is not None and newest.token_file != chosen:
        others.append(f"the pod {newest.name} was given {newest.token_file}")
    if not others:
        return []
    why = "as token_file says" if given else "as the webhook's version says"
    but = " and ".join(others)
    return [f"The Azure token is taken from {chosen}, {why}, but {but}: give token_file if it is wrong."]


def _unchecked(survey: Survey) -> list[str]:
    if survey.configured is None or (survey.running is None and survey.unreadable):
        return [f"Whether the Azure workload identity webhook runs was not checked. {' '.join(survey.unreadable)}"]
    return []
