# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Prometheus' objects in the cluster show of a chain: its pod template and its configuration."""

from __future__ import annotations

import dataclasses
import typing as t
import urllib.parse

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.diagnosis_part import (
    Part,
    failed_part,
    finding,
    together,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.diagnosis_template import (
    STEP,
    refusal,
    template_findings,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.link_errors import ABOUT_A_LINK
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Finding, LinkName
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import FederationError, RemoteWrite
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import (
    PROMETHEUS,
    PodWish,
    SourceMount,
    choose_container,
    how_mounted,
    merge_pod_template,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_entries import Asked, merge_entries
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator.operator_resource import pod_template
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.entry_sentences import (
    Mistake,
    mistakes_in,
    present_in,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.prometheus_config import shortcomings
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_objects import (
    loaded_variables,
    record_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_way import reload_mark
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity

if t.TYPE_CHECKING:
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.azure_workload_identity import Survey
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.diagnosis_chain import ClusterChain
    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_wish import PrometheusLook

Json = dict[str, t.Any]

_TEMPLATE: t.Final = LinkName.POD_TEMPLATE
_CONFIGURATION: t.Final = LinkName.CONFIGURATION

#: The variable of the playbooks for each option that names the object with the configuration.
_VARIABLES: t.Final = {"configmap": "aks_amp_prometheus_configmap", "config_secret": "aks_amp_prometheus_secret"}

#: The end of a kind for each mistake of an entry, and what it means.
MISTAKES: t.Final = {
    Mistake.MISSING: ("entry_missing", "has no remote_write entry for the workspace, so nothing is sent to it"),
    Mistake.URL: ("url_misspelled", "spells the workspace's URL otherwise than AMP knows it"),
    Mistake.UNSIGNED: ("unsigned", "sends to the workspace without signing (no sigv4), which AMP refuses"),
    Mistake.REGION: ("other_region", "does not sign for the workspace's region; Prometheus signs with sigv4.region"),
    Mistake.CHAINED_ROLE: ("other_chained_role", "does not assume the chained role"),
    Mistake.OWN_ROLE: (
        "own_role",
        "assumes the federated role a second time by sigv4.role_arn, and a role can't assume itself",
    ),
}


@dataclasses.dataclass(frozen=True)
class Observed:
    """One Prometheus as its objects show it.

    ``workload`` is None when it was not read or is not there; ``wish`` None where nothing can be held against it.
    """

    look: PrometheusLook
    template_part: Part
    configuration_part: Part
    workload: Json | None = None
    container: str = PROMETHEUS
    wish: PodWish | None = None

    @property
    def has_identity(self) -> bool:
        """Whether its pod template is as it should be, so that its pods are to be like it."""
        return self.wish is not None and not self.template_part.findings


def observe(
    client: KubeClient,
    chain: ClusterChain,
    look: PrometheusLook,
    survey: Survey | None,
    *,
    label_on_account: bool = False,
) -> Observed:
    """Read and judge both. ``label_on_account`` tells that the service account has the webhook's label."""
    try:
        workload = _workload(client, look)
    except ABOUT_A_LINK as error:
        return Observed(look, failed_part(_TEMPLATE, error), _configuration(client, chain, look, None))
    if workload is None:
        return Observed(look, Part((_no_workload(look),)), _configuration(client, chain, look, None))
    configuration = _configuration(client, chain, look, workload)
    template = pod_template(workload) if look.is_operators else workload["spec"]["template"]
    place = str(look.workload)
    try:
        name = PROMETHEUS if look.is_operators else choose_container(template["spec"], look.container, place)
    except (errors.NotFound, errors.Ambiguous) as error:
        part = Part((finding(_TEMPLATE, "container_unknown", error.message, fix=error.fix),))
        return Observed(look, part, configuration, workload)
    wish = chain.pod(template, name, survey)
    part = _template(client, look, workload, template, name, wish, label_on_account=label_on_account)
    return Observed(look, part, configuration, workload, name, wish)


def _workload(client: KubeClient, look: PrometheusLook) -> Json | None:
    try:
        return client.get(look.workload)
    except errors.CloudError as error:
        # An API server has no words of its own for a kind that nobody defined.
        if look.is_operators and error.status == 404:
            return None
        raise


def _no_workload(look: PrometheusLook) -> Finding:
    return finding(
        _TEMPLATE,
        "workload_missing",
        f"There is no {look.workload} in the cluster.",
        expected=str(look.workload),
        found="none",
        fix="Correct aks_amp_prometheus_workload_kind or aks_amp_prometheus_workload_name, or deploy it first.",
    )


# The pod template -----------------------------------------------------------------------------------------------------


def _template(
    client: KubeClient,
    look: PrometheusLook,
    workload: Json,
    template: Json,
    container: str,
    wish: PodWish | None,
    *,
    label_on_account: bool,
) -> Part:
    if wish is None:
        return Part(unseen=(f"The pod template of {look.workload} is judged when role and region are known.",))
    found = next(item for item in template["spec"]["containers"] if item["name"] == container)
    place = f"the pod template of {look.workload}"
    try:
        loaded = loaded_variables(client, found, look.workload.namespace)
        change = merge_pod_template(template, wish, str(look.workload), record_of(workload), loaded)
    except errors.Refused as error:
        return Part((refusal(_TEMPLATE, error),))
    except ABOUT_A_LINK as error:
        return failed_part(_TEMPLATE, error)
    hidden = [variables for variables in loaded if variables.names is None]
    return Part(
        template_findings(_TEMPLATE, change, place, label_on_account=label_on_account),
        unseen=tuple(
            f"What {place} loads from {variables.bundle.reference} could not be read; static credentials there would "
            "come before the web identity."
            for variables in hidden
        ),
        rights=tuple(variables.advice for variables in hidden),
        holds=f"{place[0].upper()}{place[1:]} has token and environment of the web identity.",
    )


# The configuration ----------------------------------------------------------------------------------------------------


def _configuration(client: KubeClient, chain: ClusterChain, look: PrometheusLook, workload: Json | None) -> Part:
    try:
        wanted = chain.entry(look.chained_role_arn)
    except FederationError as error:
        return Part((finding(_CONFIGURATION, "other_chained_role", str(error), fix="Leave chained_role_arn out."),))
    if wanted is None:
        text = f"The configuration of {look.workload} is judged when the workspace's URL and region are known."
        return Part(unseen=(text,))
    try:
        if look.is_operators:
            return _of_resource(look, workload, wanted)
        return together(_of_source(client, look, wanted), _mounted(look, workload))
    except errors.Refused as error:
        return Part((refusal(_CONFIGURATION, error),))
    except ABOUT_A_LINK as error:
        return failed_part(_CONFIGURATION, error)


def _of_resource(look: PrometheusLook, resource: Json | None, wanted: RemoteWrite) -> Part:
    if resource is None:
        return Part(unseen=(f"The entries of {look.workload} could not be looked at.",))
    entries = resource["spec"].get("remoteWrite") or ()
    merged = merge_entries(entries, [Asked.of(wanted, None)], {}, str(look.workload))
    return _judged(str(look.workload), merged.summaries, wanted)


def _of_source(client: KubeClient, look: PrometheusLook, wanted: RemoteWrite) -> Part:
    source = look.source
    if source is None:
        return Part()
    found = client.get(source.reference)
    if found is None:
        cause = f"There is no {source.reference} in the cluster, which should hold the configuration."
        fix = f"Correct 'prometheus.{source.option}' ({_VARIABLES[source.option]}), or create it."
        return Part((finding(_CONFIGURATION, "object_missing", cause, expected=source.place, found="none", fix=fix),))
    if not source.is_in(found):
        keys = ", ".join(sorted({*(found.get("data") or {}), *(found.get("binaryData") or {})})) or "none"
        cause = f"{source.reference} has no key {source.key}."
        fix = f"Correct 'prometheus.key' (aks_amp_prometheus_key) or 'prometheus.{source.option}'."
        return Part((finding(_CONFIGURATION, "key_missing", cause, expected=source.key, found=keys, fix=fix),))
    part = _judged(source.place, shortcomings(source.text_of(found), (wanted,), place=source.place), wanted)
    if reload_mark(found) is None:
        return part
    due = finding(
        _CONFIGURATION,
        "not_loaded",
        f"The running Prometheus had not loaded {source.place} yet when the last run ended.",
        severity=Severity.MEDIUM,
        fix=f"{STEP} It goes on from there.",
    )
    return together(part, Part((due,)))


def _judged(place: str, summaries: t.Sequence[str], wanted: RemoteWrite) -> Part:
    findings = tuple(
        _mistake(place, mistake, summary, wanted) for summary in summaries for mistake in mistakes_in(summary)
    )
    return Part(findings, holds=f"{place} sends to the workspace, signed for {wanted.region}.")


def _mistake(place: str, mistake: Mistake, summary: str, wanted: RemoteWrite) -> Finding:
    ending, what = MISTAKES[mistake]
    present = present_in(summary)
    expected = {
        Mistake.MISSING: wanted.url,
        Mistake.URL: wanted.url,
        Mistake.UNSIGNED: f"sigv4 with region {wanted.region}",
        Mistake.REGION: f"region {wanted.region}",
        Mistake.CHAINED_ROLE: f"role_arn {wanted.chained_role_arn}",
        Mistake.OWN_ROLE: "no role_arn",
    }[mistake]
    harmless = mistake is Mistake.URL and _path(present) == _path(wanted.url)
    severity = Severity.MEDIUM if harmless else Severity.HIGH
    cause = f"{place} {what}."
    return finding(
        _CONFIGURATION, ending, cause, severity=severity, expected=expected, found=present or "none", fix=STEP
    )


def _path(url: str) -> str:
    try:
        return urllib.parse.urlsplit(url).path
    except ValueError:  # not a URL at all
        return ""


def _mounted(look: PrometheusLook, workload: Json | None) -> Part:
    """Whether the workload takes its configuration from the object at all."""
    source = look.source
    if source is None or workload is None:
        return Part()
    if how_mounted(workload["spec"]["template"], source.reference, look.container) is not SourceMount.NONE:
        return Part()
    return Part(
        (
            finding(
                _CONFIGURATION,
                "not_mounted",
                f"{look.workload} does not mount {source.reference}, so it is probably not the configuration of this "
                "Prometheus.",
                severity=Severity.MEDIUM,
                expected=f"a volume of {source.reference}",
                found="none",
                fix=f"Correct 'prometheus.{source.option}' ({_VARIABLES[source.option]}).",
            ),
        )
    )
