# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a pod template, by what the step for Prometheus would change in it. Pure."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.diagnosis_part import finding
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import LinkName, run_step
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    WORKLOAD_IDENTITY_LABEL,
    is_known,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import TOKEN_FILE
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Finding
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import PodChange

Json = t.Mapping[str, t.Any]

STEP: t.Final = run_step("prometheus_remote_write")

#: Without these the SDK finds no web identity; the others only choose region and endpoint.
_DECISIVE: t.Final = frozenset({"AWS_ROLE_ARN", TOKEN_FILE})


def template_findings(
    name: LinkName, change: PodChange, place: str, *, fix: str = STEP, label_on_account: bool = False
) -> tuple[Finding, ...]:
    """One finding for each thing that the change would mend; none for a change without summaries.

    ``label_on_account`` tells that the service account has the label that the pods lack.
    """
    if not change.summaries:
        return ()
    before, after = change.before, change.after
    found = (
        *_account(name, before, after, place, fix),
        *_volumes(name, before, after, place, fix),
        *_mounts(name, change, place, fix),
        *_variables(name, change, place, fix),
        *_label(name, before, after, place, fix, label_on_account=label_on_account),
    )
    return tuple(dataclasses.replace(one, cause=f"{one.cause[0].upper()}{one.cause[1:]}") for one in found)


def refusal(name: LinkName, error: errors.Refused) -> Finding:
    """What the step would not overwrite; a refusal without a name is about reading."""
    return finding(name, error.kind or "not_readable", error.message, fix=error.fix)


def _account(name: LinkName, before: Json, after: Json, place: str, fix: str) -> list[Finding]:
    if "serviceAccountName" not in after:
        return []
    present, wanted = str(before.get("serviceAccountName") or "default"), str(after["serviceAccountName"])
    cause = f"{place} runs as the service account {present}, and the role trusts the tokens of {wanted} only."
    return [finding(name, "other_service_account", cause, expected=wanted, found=present, fix=fix)]


def _volumes(name: LinkName, before: Json, after: Json, place: str, fix: str) -> list[Finding]:
    was, wanted = before.get("volumes") or {}, after.get("volumes") or {}
    found = []
    for volume, content in wanted.items():
        if volume not in was:
            cause = (
                f"{place} has no volume with a token for AWS, so nothing can be exchanged for a session of the role."
            )
            expected = f"volume {volume}: {_token(content)}"
            found.append(finding(name, "token_volume_missing", cause, expected=expected, found="none", fix=fix))
            continue
        other = _audience(was[volume]) != _audience(content)
        cause = (
            f"The token in the volume {volume} of {place} is for another audience, so STS refuses it."
            if other
            else f"The token in the volume {volume} of {place} has another lifetime than is set for it."
        )
        found.append(
            finding(
                name,
                "token_audience" if other else "token_lifetime",
                cause,
                severity=Severity.HIGH if other else Severity.LOW,
                expected=_token(content),
                found=_token(was[volume]),
                fix=fix,
            )
        )
    for volume in was:
        if volume not in wanted:
            cause = f"{place} still has the volume {volume}, whose token is not needed any more."
            found.append(
                finding(
                    name, "token_volume_surplus", cause, severity=Severity.LOW, expected="none", found=volume, fix=fix
                )
            )
    return found


def _mounts(name: LinkName, change: PodChange, place: str, fix: str) -> list[Finding]:
    was = _of_container(change.before, change.container, "volumeMounts")
    wanted = _of_container(change.after, change.container, "volumeMounts")
    cause = f"The container {change.container} of {place} does not mount the token, so it finds no file."
    return [
        finding(name, "token_mount_missing", cause, expected=f"{volume} at {path}", found="not mounted", fix=fix)
        for path, volume in wanted.items()
        if path not in was
    ]


def _variables(name: LinkName, change: PodChange, place: str, fix: str) -> list[Finding]:
    was = _of_container(change.before, change.container, "env")
    wanted = _of_container(change.after, change.container, "env")
    found = []
    for decisive in (True, False):
        for missing in (True, False):
            names = [n for n in wanted if (n in _DECISIVE) is decisive and (n not in was) is missing]
            if not names:
                continue
            what = f"lacks {' and '.join(names)}" if missing else f"has other values of {' and '.join(names)}"
            effect = (
                "so the AWS SDK does not find the role's web identity"
                if decisive
                else "by which the AWS SDK chooses region and STS endpoint"
            )
            found.append(
                finding(
                    name,
                    "variables_missing" if missing else "variables_other",
                    f"The container {change.container} of {place} {what}, {effect}.",
                    severity=Severity.HIGH if decisive else Severity.MEDIUM,
                    expected=", ".join(f"{n}={_shown(wanted[n])}" for n in names),
                    found="not set" if missing else ", ".join(f"{n}={was[n] or 'empty'}" for n in names),
                    fix=fix,
                )
            )
    return found


def _label(name: LinkName, before: Json, after: Json, place: str, fix: str, *, label_on_account: bool) -> list[Finding]:
    if WORKLOAD_IDENTITY_LABEL not in (after.get("labels") or {}):
        return []
    present = (before.get("labels") or {}).get(WORKLOAD_IDENTITY_LABEL)
    cause = f"The pods of {place} lack the label {WORKLOAD_IDENTITY_LABEL}, so the Azure webhook leaves them alone."
    if label_on_account:
        cause += " The service account has it, but since version 1.0.0 the webhook looks at pods only."
    expected = f"{WORKLOAD_IDENTITY_LABEL}: true"
    found = f"{WORKLOAD_IDENTITY_LABEL}: {present}" if present is not None else "no label"
    return [finding(name, "label_missing", cause, expected=expected, found=found, fix=fix)]


def _shown(value: str) -> str:
    return value if is_known(value) else "<the file that the Azure webhook mounts>"


def _of_container(side: Json, container: str, part: str) -> dict[str, t.Any]:
    parts: dict[str, t.Any] = ((side.get("containers") or {}).get(container) or {}).get(part) or {}
    return parts


def _source(projected: Json) -> Json:
    sources = projected.get("sources") or ()
    return next((item["serviceAccountToken"] for item in sources if item.get("serviceAccountToken")), {})


def _audience(projected: Json) -> str:
    return str(_source(projected).get("audience") or "")


def _token(projected: Json) -> str:
    source = _source(projected)
    lifetime = source.get("expirationSeconds")
    return f"token for {source.get('audience') or 'the API server'}" + (f", {lifetime} seconds" if lifetime else "")
