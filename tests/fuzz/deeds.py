# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done with an input: all that the collection does with it from its reading on."""

from __future__ import annotations

import functools
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _federation as federation
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _last_change as last_change
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _prometheus_versions as prometheus_versions
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _text_file as text_file
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure import azure_workload_identity
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import (
    iam_roles,
    kube_context,
    kube_http,
    tls_chain,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift import (
    files,
    history,
    model,
    render_html,
    render_text,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import (
    aws_tags,
    iam_decision,
    policy,
    policy_findings,
    trust_merge,
    trust_policy,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube import (
    gitops,
    kube_objects,
    kube_record,
    kube_shapes,
    pod_template,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._operator import (
    operator_plan,
    operator_resource,
    operator_schema,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Transport
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus import (
    prometheus_config,
    prometheus_record,
    prometheus_removal,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.remote_write_options import RemoteWrites
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.common import FileWish
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.helm import kube_prometheus_stack
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_source import TextSource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout import rollout_loaded
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text import (
    foreign_text,
    values_merge,
    yaml_secrets,
    yaml_text,
)
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._templates import Plain
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._walk import Book, Walk
from tests.fuzz import inputs

if t.TYPE_CHECKING:
    from collections.abc import Callable

_ISSUER = federation.Issuer.parse(inputs.ISSUER)
_ACCOUNT = federation.ServiceAccount("monitoring", "prometheus-sa")
_TRUST = federation.WebIdentityTrust(
    _ISSUER, federation.AWS_AUDIENCE, (_ACCOUNT,), federation.AwsAccount("aws", "123456789012")
)
_WRITE = federation.RemoteWrite(inputs.URL, "eu-central-1", inputs.ROLE)
_WISH = pod_template.PodWish("prometheus-sa", federation.ProjectedToken(inputs.ROLE, "eu-central-1"))
SOURCE = TextSource(kube_objects.CONFIG_MAP.at("prometheus-config", "monitoring"), "prometheus.yml")
PACKED = TextSource(kube_objects.SECRET.at("prometheus-config", "monitoring"), "prometheus.yml")
_STACK = kube_prometheus_stack(FileWish(_ACCOUNT, RemoteWrites((_WRITE,), {}, None), _WISH.token)).fragment


def issuer(url: str) -> object:
    issuer = federation.Issuer.parse(url)
    return issuer.host, issuer.discovery_url, issuer.audience_key, issuer.differs_by_slash_or_case(url)


def arns(arn: str) -> object:
    found: list[object] = [federation.workspace_account(arn)]
    for parse in (
        federation.RoleArn.parse,
        federation.parse_workspace_arn,
        lambda text: federation.Workspace.parse(text, inputs.URL).query_url,
        lambda text: federation.Workspace.parse(inputs.WORKSPACE, text).query_url,
    ):
        try:
            found.append(parse(arn))
        except federation.FederationError as error:
            found.append(str(error))
    return found


def names(pair: tuple[str, str]) -> object:
    federation.parse_audience(pair[0])
    return federation.ServiceAccount.parse(*pair).subject


def trust(document: object) -> object:
    found = iam_roles.document_of(document, "a trust policy")
    trust_policy.examine(found, _TRUST, _ACCOUNT)
    policy_findings.of_trust_policy(found)
    for statement in policy.statements(found):
        trust_merge.written_for(statement, _TRUST.account)
    merged = trust_merge.merge(found, _TRUST)
    assert not trust_merge.merge(merged.document, _TRUST).changed
    policy.equivalent(trust_merge.remove(merged.document, _TRUST), found)
    return policy.size(found)


def permission(document: object) -> object:
    found = iam_roles.document_of(document, "a policy")
    policy_findings.of_permission_policy("p", found)
    federation.is_permission_policy(found)
    assert policy.equivalent(found, found)
    named = [iam_decision.NamedDocument("p", found)]
    return iam_decision.decide(named, "aps:RemoteWrite", inputs.WORKSPACE)


def certificates(content: bytes) -> object:
    return tls_chain._described(content)


def anchors(content: bytes) -> object:
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(content)
        file.flush()
        return tls_chain.ChainReader(Transport(), [file.name])


def _in_text(text: str, *path: str) -> list[t.Any]:
    """A list in a text, as plain data."""
    root = yaml_text.compose(text, marks=True)
    found: t.Any = None if root is None else yaml_text.data_of(root)
    for name in path:
        found = found[name]
    assert isinstance(found, list)
    return found


def _assert_taken(entries: list[t.Any]) -> None:
    """Prometheus does not start with two entries that are equal, nor with two of one name."""
    mappings = [entry for entry in entries if isinstance(entry, dict)]
    own = [entry for entry in mappings if federation.is_same_url(str(entry.get("url")), inputs.URL)]
    assert own
    assert not any(entry in own[:number] for number, entry in enumerate(own))
    names = [entry["name"] for entry in own if entry.get("name")]
    assert not any(name in names[:number] for number, name in enumerate(names))


def tags(given: dict[str, str]) -> object:
    """Those of a provider, and then those of a role, which are held to more."""
    return [aws_tags.parse_tags(given, case) for case in (aws_tags.KeyCase.COUNTS, aws_tags.KeyCase.IGNORED)]


def config(text: str) -> object:
    yaml_secrets.secret_values(text)
    rollout_loaded.likeness(inputs.CONFIG, text)
    prometheus_removal.entries_of_others(text, ())
    merged = prometheus_config.merge_remote_writes(text, (_WRITE,), place="the file")
    again = prometheus_config.merge_remote_writes(merged.text, (_WRITE,), place="the file", recorded=merged.additions)
    assert again.text == merged.text
    _assert_taken(_in_text(merged.text, "remote_write"))
    if not merged.summaries:
        assert merged.text == text
    if set(merged.additions) and not any("sigv4" in summary for summary in merged.summaries[1:]):
        prometheus_removal.remove_remote_write(merged.text, merged.additions, place="the file")
    return merged


def record(annotation: str) -> object:
    record = kube_record.read_record({kube_record.RECORD_ANNOTATION: annotation})
    additions = prometheus_record.additions_in(record, "config")
    return prometheus_removal.remove_remote_write(inputs.CONFIG, additions, place="the file")


def stored(source: TextSource, kind: kube_objects.ObjectKind) -> Callable[[object], object]:
    def parse(body: object) -> object:
        found = kube_shapes.shaped(kind, body)
        text = source.text_of(found)
        return source.is_in(found), source.patch(found, text), last_change.of_object(found, ("data", source.key))

    return parse


def workload(body: object) -> object:
    found = kube_shapes.shaped(kube_objects.DEPLOYMENT, body)
    template = found["spec"]["template"]
    gitops.keeper(found)
    azure_workload_identity.mutated_pods([{"metadata": found["metadata"], "spec": template["spec"]}])
    pod_template.how_mounted(template, SOURCE.reference)
    change = pod_template.merge_pod_template(template, _WISH, "the workload", kube_record.read_record({}))
    after = pod_template.patched(template, change.patch)
    assert not pod_template.merge_pod_template(after, _WISH, "the workload", {}).summaries
    return change


def resource(body: object) -> object:
    found = kube_shapes.shaped(kube_objects.PROMETHEUS, body)
    reference = kube_objects.PROMETHEUS.at("k8s", "monitoring")
    operator_resource.generated_workloads(reference, found)
    writes = RemoteWrites((_WRITE,), {"team": "a"}, None)
    change = operator_plan.merge_resource(found, {}, writes, _WISH, "the resource")
    after = {**found, "spec": pod_template.patched(found["spec"], change.spec)}
    _assert_taken(after["spec"]["remoteWrite"])
    assert not operator_plan.merge_resource(after, change.record, writes, _WISH, "the resource").summaries
    return operator_plan.remove_from_resource(found, change.record, None, "the resource")


def values(text: str) -> object:
    """A chart's, into which a whole fragment is merged."""
    assert _STACK is not None
    merged = values_merge.merge_values(text, _STACK, place="the file")
    assert values_merge.merge_values(merged.text, _STACK, place="the file").text == merged.text
    _assert_taken(_in_text(merged.text, "prometheus", "prometheusSpec", "remoteWrite"))
    values_merge.remove_values(merged.text, _STACK, place="the file")
    return merged


def definition(bodies: tuple[object, object]) -> object:
    found = kube_shapes.shaped(kube_objects.CUSTOM_RESOURCE_DEFINITION, bodies[0])
    known = operator_schema.KnownFields.of_definition(found, "monitoring.coreos.com/v1")
    if known is None or not isinstance(bodies[1], dict):
        return None
    operator_schema.dropped_fields({"metadata": inputs.METADATA}, known)
    return known.unknown(bodies[1])


def versions(image: str) -> object:
    found = prometheus_versions.PrometheusVersion.of_image(image), azure_workload_identity.file_of_version(image)
    return found, prometheus_versions.PrometheusVersion.parse(image)


def kubeconfig(text: str) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config")
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return kube_context.find(str(path), None)


def answer(body: object) -> object:
    answer = kube_http.Answer(200, body if isinstance(body, dict) else {})
    return answer.reason, answer.message, answer.causes


def report(values: object) -> object:
    report = model.Report.from_json(foreign_text.all_plain(values))
    for render in (files.as_json, render_html.page, render_text.markdown, render_text.junit, render_text.openmetrics):
        render(report).encode()
    return report


def merged(values: tuple[object, object]) -> object:
    one, other = (model.Report.from_json(foreign_text.all_plain(value)) for value in values)
    merged = history.merge([one, other])
    files.as_json(history.compare(merged, one))
    return files.as_json(history.complete(merged, ["c"]))


@functools.cache
def _book() -> Book:
    return Book()


def walk(given: tuple[dict[str, object], object]) -> object:
    """The steps as ``federation_plan`` walks through them, with odd variables and odd results of modules."""
    values, result = given
    answer = result if isinstance(result, dict) else {"changed": False, "msg": result}
    selected = {"aks_amp_selected_steps": ["aks_oidc_issuer", "iam_web_identity", "service_account"]}
    walk = Walk(
        _book(), Plain({**selected, **values}), Plain({}), lambda _module, _arguments: dict(answer), lambda _facts: None
    )
    walk.steps()
    return walk.results


def file(content: bytes) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        path.write_bytes(content)
        text_file.read_file(str(path))
        return files.earlier_report(str(path))
