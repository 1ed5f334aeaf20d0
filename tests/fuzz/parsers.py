# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parsers, each with what it is given and the errors by which it may refuse it."""

from __future__ import annotations

import dataclasses
import functools
import json
import tempfile
import typing as t
from pathlib import Path

from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import (
    aks_ids,
    aks_inventory,
    aws_tags,
    azure_workload_identity,
    entra,
    errors,
    federation,
    foreign_text,
    gitops,
    iam_decision,
    kube_objects,
    kube_record,
    kube_shapes,
    last_change,
    operator_plan,
    operator_resource,
    operator_schema,
    pod_template,
    policy,
    policy_findings,
    prometheus_config,
    prometheus_record,
    prometheus_removal,
    prometheus_versions,
    rollout_loaded,
    rollout_logs,
    text_file,
    thumbprints,
    token_claims,
    trust_merge,
    trust_policy,
    url_secrets,
    values_merge,
    yaml_secrets,
    yaml_text,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients import (
    aks_access,
    iam_roles,
    kube_context,
    kube_http,
    run_command,
    tls_chain,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.http import Transport
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.drift import (
    files,
    history,
    model,
    render_html,
    render_text,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.fragments import Block, Leaf
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.remote_write_options import RemoteWrites
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.render import formats
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources.prometheus_source import TextSource
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils.templates import Plain
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils.walk import Book, Failed, Walk
from tests.fuzz import inputs
from tests.fuzz.inputs import JSON, documents, edited_bytes, texts

if t.TYPE_CHECKING:
    from collections.abc import Callable

Errors = tuple[type[Exception], ...]
#: The collection's own errors, which the modules turn into one sentence.
OWN: t.Final[Errors] = (errors.AksAmpError, federation.FederationError)

_ISSUER = federation.Issuer.parse(inputs.ISSUER)
_ACCOUNT = federation.ServiceAccount("monitoring", "prometheus-sa")
_TRUST = federation.WebIdentityTrust(
    federation.AwsAccount("aws", "123456789012"), _ISSUER, (_ACCOUNT,), federation.AWS_AUDIENCE
)
_WRITE = federation.RemoteWrite(inputs.URL, "eu-central-1", inputs.ROLE)
_WISH = pod_template.PodWish("prometheus-sa", federation.ProjectedToken(inputs.ROLE, "eu-central-1"))
_SOURCE = TextSource(kube_objects.CONFIG_MAP.at("prometheus-config", "monitoring"), "prometheus.yml")
_PACKED = TextSource(kube_objects.SECRET.at("prometheus-config", "monitoring"), "prometheus.yml")
_FRAGMENT = Block({"prometheus": Block({"prometheusSpec": Block({"replicas": Leaf(2)})})})


@dataclasses.dataclass(frozen=True)
class Parser:
    """``refusals`` are the errors that its callers know; anything else is a mistake."""

    name: str
    given: st.SearchStrategy[t.Any]
    parse: Callable[[t.Any], object]
    refusals: Errors = OWN


# --- what is done with an input -----------------------------------------------------------------------------------


def _issuer(url: str) -> object:
    issuer = federation.Issuer.parse(url)
    return issuer.host, issuer.discovery_url, issuer.audience_key, issuer.differs_by_slash_or_case(url)


def _arns(arn: str) -> object:
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


def _names(pair: tuple[str, str]) -> object:
    federation.parse_audience(pair[0])
    return federation.ServiceAccount.parse(*pair).subject


def _trust(document: object) -> object:
    found = iam_roles.document_of(document, "a trust policy")
    trust_policy.examine(found, _TRUST, _ACCOUNT)
    policy_findings.of_trust_policy(found)
    for statement in policy.statements(found):
        trust_merge.written_for(statement, _TRUST.account)
    merged = trust_merge.merge(found, _TRUST)
    assert not trust_merge.merge(merged.document, _TRUST).changed
    policy.equivalent(trust_merge.remove(merged.document, _TRUST), found)
    return policy.size(found)


def _permission(document: object) -> object:
    found = iam_roles.document_of(document, "a policy")
    policy_findings.of_permission_policy("p", found)
    federation.is_permission_policy(found)
    assert policy.equivalent(found, found)
    named = [iam_decision.NamedDocument("p", found)]
    return iam_decision.decide(named, "aps:RemoteWrite", inputs.WORKSPACE)


def _certificates(content: bytes) -> object:
    return tls_chain._described(content)


def _anchors(content: bytes) -> object:
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(content)
        file.flush()
        return tls_chain.ChainReader(Transport(), [file.name])


def _config(text: str) -> object:
    yaml_secrets.secret_values(text)
    rollout_loaded.likeness(inputs.CONFIG, text)
    prometheus_removal.entries_of_others(text, ())
    merged = prometheus_config.merge_remote_write(text, _WRITE, place="the file")
    again = prometheus_config.merge_remote_write(merged.text, _WRITE, place="the file", recorded=merged.additions)
    assert again.text == merged.text
    if not merged.summaries:
        assert merged.text == text
    if set(merged.additions) and not any("sigv4" in summary for summary in merged.summaries[1:]):
        prometheus_removal.remove_remote_write(merged.text, merged.additions, place="the file")
    return merged


def _record(annotation: str) -> object:
    record = kube_record.read_record({kube_record.RECORD_ANNOTATION: annotation})
    additions = prometheus_record.additions_in(record, "config")
    return prometheus_removal.remove_remote_write(inputs.CONFIG, additions, place="the file")


def _stored(source: TextSource, kind: kube_objects.ObjectKind) -> Callable[[object], object]:
    def parse(body: object) -> object:
        found = kube_shapes.shaped(kind, body)
        text = source.text_of(found)
        return source.is_in(found), source.patch(found, text), last_change.of_object(found, ("data", source.key))

    return parse


def _workload(body: object) -> object:
    found = kube_shapes.shaped(kube_objects.DEPLOYMENT, body)
    template = found["spec"]["template"]
    gitops.keeper(found)
    azure_workload_identity.mutated_pods([{"metadata": found["metadata"], "spec": template["spec"]}])
    pod_template.how_mounted(template, _SOURCE.reference)
    change = pod_template.merge_pod_template(template, _WISH, "the workload", kube_record.read_record({}))
    after = pod_template.patched(template, change.patch)
    assert not pod_template.merge_pod_template(after, _WISH, "the workload", {}).summaries
    return change


def _resource(body: object) -> object:
    found = kube_shapes.shaped(kube_objects.PROMETHEUS, body)
    reference = kube_objects.PROMETHEUS.at("k8s", "monitoring")
    operator_resource.generated_workloads(reference, found)
    writes = RemoteWrites((_WRITE,), {"team": "a"}, None)
    change = operator_plan.merge_resource(found, {}, writes, _WISH, "the resource")
    return operator_plan.remove_from_resource(found, change.record, None, "the resource")


def _definition(bodies: tuple[object, object]) -> object:
    found = kube_shapes.shaped(kube_objects.CUSTOM_RESOURCE_DEFINITION, bodies[0])
    known = operator_schema.KnownFields.of_definition(found, "monitoring.coreos.com/v1")
    if known is None or not isinstance(bodies[1], dict):
        return None
    operator_schema.dropped_fields({"metadata": inputs.METADATA}, known)
    return known.unknown(bodies[1])


def _versions(image: str) -> object:
    found = prometheus_versions.PrometheusVersion.of_image(image), azure_workload_identity.file_of_version(image)
    return found, prometheus_versions.PrometheusVersion.parse(image)


def _kubeconfig(text: str) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config")
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return kube_context.find(str(path), None)


def _answer(body: object) -> object:
    answer = kube_http.Answer(200, body if isinstance(body, dict) else {})
    return answer.reason, answer.message, answer.causes


def _report(values: object) -> object:
    report = model.Report.from_json(foreign_text.all_plain(values))
    for render in (files.as_json, render_html.page, render_text.markdown, render_text.junit, render_text.openmetrics):
        render(report).encode()
    return report


def _merged(values: tuple[object, object]) -> object:
    one, other = (model.Report.from_json(foreign_text.all_plain(value)) for value in values)
    merged = history.merge([one, other])
    files.as_json(history.compare(merged, one))
    return files.as_json(history.complete(merged, ["c"]))


@functools.cache
def _book() -> Book:
    return Book()


def _walk(given: tuple[dict[str, object], object]) -> object:
    """The steps as ``federation_plan`` walks through them, with odd variables and odd results of modules."""
    values, result = given
    answer = result if isinstance(result, dict) else {"changed": False, "msg": result}
    selected = {"aks_amp_selected_steps": ["aks_oidc_issuer", "iam_web_identity", "service_account"]}
    walk = Walk(
        _book(), Plain({**selected, **values}), Plain({}), lambda _module, _arguments: dict(answer), lambda _facts: None
    )
    walk.steps()
    return walk.results


def _file(content: bytes) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        path.write_bytes(content)
        text_file.read_file(str(path))
        return files.earlier_report(str(path))


# --- what there is ----------------------------------------------------------------------------------------------------

_DRIFT = {
    "kind": "trust",
    "severity": "high",
    "meaning": "m",
    "repair": "r",
    "action": "update",
    "object_kind": "IAM role",
    "object_name": "n",
    "before": "{}",
    "after": "{}",
    "since": "s",
    "new": True,
    "last_changed_by": {"who": "w", "when": "t", "how": "field"},
}
_STEP = {"name": "iam_web_identity", "status": "drifted", "note": "n", "drifts": [_DRIFT]}
_LINK = {"name": "cluster", "status": "ok", "summary": "s"}
_REPAIRED = {
    "cluster": "c",
    "step": "s",
    "kind": "k",
    "meaning": "m",
    "object_kind": "o",
    "object_name": "n",
    "since": "",
}


def _report_of(cluster: str) -> t.Any:
    return {
        "format": model.FORMAT,
        "format_version": model.FORMAT_VERSION,
        "generated_at": "2026-11-28T12:00:00Z",
        "compared_with": "",
        "clusters": [{"name": cluster, "status": "drifted", "steps": [_STEP], "chain": [_LINK]}],
        "repaired": [_REPAIRED],
    }


_CACHED = {
    field.name: True if field.type == "bool" else {"a": "b"} if field.name == "tags" else "text"
    for field in dataclasses.fields(aks_inventory.FleetCluster)
}
_RECORD = {
    "config": {inputs.URL: {"was": "", "set": "- url: x", "list_added": True, "order": 1, "entry": {"url": "u"}}}
}
_NAMES = (
    "aks_amp_subscription_id",
    "aks_amp_cluster_name",
    "aks_amp_service_accounts",
    "aks_amp_role_name",
    "aks_amp_issuer",
    "aks_amp_workspace_alias",
    "aks_amp_selected_steps",
    "aks_amp_entra_enabled",
)
_VARIABLES = st.dictionaries(
    st.sampled_from(_NAMES),
    JSON | st.sampled_from(["{{ 1 // 0 }}", "{{ lookup('pipe', 'id') }}", "{% raw %}"]),
    max_size=4,
)
_REFUSED = (*OWN, yaml_text.YamlProblem, kube_shapes.Misshapen)

PARSERS: t.Final = (
    Parser("issuer URL", texts(inputs.ISSUER, "https://a", "https://[::1]/"), _issuer),
    Parser("ARNs of roles and workspaces", texts(inputs.ROLE, inputs.WORKSPACE, inputs.URL), _arns),
    Parser("service accounts and audiences", st.tuples(texts("monitoring"), texts("prometheus-sa")), _names),
    Parser("resource ID of a cluster", texts(inputs.CLUSTER), lambda text: aks_ids.parse_resource_id(text, "cluster")),
    Parser("resource ID of a managed identity", texts(inputs.IDENTITY), entra.IdentityRef.parse),
    Parser("list of subscriptions", JSON, aks_inventory.subscription_ids),
    Parser("tags", st.dictionaries(texts("team"), texts("observability"), max_size=4), aws_tags.parse_tags),
    Parser("list of thumbprints", st.lists(texts("a" * 40, "auto"), max_size=6), thumbprints.Pinning.parse),
    Parser("remote write URL", texts(inputs.URL, "https://h:99999/"), federation.normal_url),
    Parser("passwords in URLs", texts("http://u:p@proxy:3128"), url_secrets.passwords_of_urls),
    Parser("trust policy", documents(inputs.TRUST), _trust),
    Parser("permission policy", documents(inputs.PERMISSION), _permission),
    Parser(
        "token claims",
        texts(inputs.token(inputs.CLAIMS, {"alg": "RS256", "kid": "k"}))
        | st.builds(inputs.token, documents(inputs.CLAIMS), documents({"alg": "RS256"})),
        token_claims.read_claims,
        (token_claims.TokenFormatError,),
    ),
    Parser("certificate", edited_bytes(inputs.DER), _certificates),
    Parser("trust anchors", edited_bytes(inputs.PEM, inputs.PEM * 2), _anchors),
    Parser("prometheus.yml", texts(inputs.CONFIG), _config),
    Parser("record of changes", texts(json.dumps(_RECORD)) | documents(_RECORD).map(json.dumps), _record),
    Parser("ConfigMap", documents(inputs.CONFIG_MAP_BODY), _stored(_SOURCE, kube_objects.CONFIG_MAP), _REFUSED),
    Parser("packed Secret", documents(inputs.SECRET_BODY), _stored(_PACKED, kube_objects.SECRET), _REFUSED),
    Parser("workload and its pod template", documents(inputs.WORKLOAD), _workload, _REFUSED),
    Parser("Prometheus of the operator", documents(inputs.RESOURCE), _resource, _REFUSED),
    Parser("definition of the operator", st.tuples(documents(inputs.DEFINITION), JSON), _definition, _REFUSED),
    Parser(
        "versions in images",
        texts("quay.io/a/prometheus:v3.5.0", "v1.6.0-alpha.1"),
        _versions,
        (prometheus_versions.NotAVersion,),
    ),
    Parser(
        "kubeconfig of Azure",
        edited_bytes(inputs.KUBECONFIG.encode()),
        lambda content: aks_access.parse_kubeconfig(content, "reading it"),
    ),
    Parser("kubeconfig", texts(inputs.KUBECONFIG), _kubeconfig),
    Parser(
        "answer of an API server", documents({"kind": "Status", "reason": "r", "details": {"causes": [{}]}}), _answer
    ),
    Parser(
        "output of a command in the cluster",
        texts('{"kind": "ConfigMap"}\nError from server (NotFound): a'),
        lambda text: run_command.answer_of(len(text) % 2, text),
    ),
    Parser("log of Prometheus", texts(inputs.LOG), rollout_logs.telling_lines),
    Parser(
        "Helm values and manifests",
        texts(inputs.VALUES),
        lambda text: values_merge.merge_values(text, _FRAGMENT, place="the file"),
    ),
    Parser("first line of a rendered file", texts("# Written by crosscloud.aks_amp"), formats.origin_of),
    Parser("cache of the inventory", documents([_CACHED]), aks_inventory.from_cache),
    Parser("drift report", documents(_report_of("c")), _report, (model.NotAReport,)),
    Parser(
        "parts of a drift report",
        st.tuples(documents(_report_of("c")), documents(_report_of("d"))),
        _merged,
        (model.NotAReport,),
    ),
    Parser("file of a drift report", edited_bytes(json.dumps(_report_of("c")).encode()), _file),
    Parser(
        "steps of federation_plan",
        st.tuples(_VARIABLES, documents({"changed": False, "issuer": "i"})),
        _walk,
        (Failed,),
    ),
)
