# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parsers, each with what it is given and the errors by which it may refuse it."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _federation as federation
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _prometheus_versions as prometheus_versions
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure import aks_ids, aks_inventory, entra
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import (
    aks_access,
    run_command,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis import inside_job, token_claims
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift import (
    model,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam import thumbprints
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube import kube_objects, kube_shapes
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render import formats
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout import rollout_logs
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text import url_secrets, yaml_text
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._walk import Failed
from tests.fuzz import deeds, inputs
from tests.fuzz.inputs import JSON, documents, edited_bytes, texts

if t.TYPE_CHECKING:
    from collections.abc import Callable

Errors = tuple[type[Exception], ...]
#: The collection's own errors, which the modules turn into one sentence.
OWN: t.Final[Errors] = (errors.AksAmpError, federation.FederationError)


@dataclasses.dataclass(frozen=True)
class Parser:
    """``refusals`` are the errors that its callers know; anything else is a mistake."""

    name: str
    given: st.SearchStrategy[t.Any]
    parse: Callable[[t.Any], object]
    refusals: Errors = OWN


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
    Parser("issuer URL", texts(inputs.ISSUER, "https://a", "https://[::1]/"), deeds.issuer),
    Parser("ARNs of roles and workspaces", texts(inputs.ROLE, inputs.WORKSPACE, inputs.URL), deeds.arns),
    Parser("service accounts and audiences", st.tuples(texts("monitoring"), texts("prometheus-sa")), deeds.names),
    Parser("resource ID of a cluster", texts(inputs.CLUSTER), lambda text: aks_ids.parse_resource_id(text, "cluster")),
    Parser("resource ID of a managed identity", texts(inputs.IDENTITY), entra.IdentityRef.parse),
    Parser("list of subscriptions", JSON, aks_inventory.subscription_ids),
    Parser("tags", st.dictionaries(texts("team"), texts("observability"), max_size=4), deeds.tags),
    Parser("list of thumbprints", st.lists(texts("a" * 40, "auto"), max_size=6), thumbprints.Pinning.parse),
    Parser("remote write URL", texts(inputs.URL, "https://h:99999/"), federation.normal_url),
    Parser("passwords in URLs", texts("http://u:p@proxy:3128"), url_secrets.passwords_of_urls),
    Parser("trust policy", documents(inputs.TRUST), deeds.trust),
    Parser("permission policy", documents(inputs.PERMISSION), deeds.permission),
    Parser(
        "token claims",
        texts(inputs.token(inputs.CLAIMS, {"alg": "RS256", "kid": "k"}))
        | st.builds(inputs.token, documents(inputs.CLAIMS), documents({"alg": "RS256"})),
        token_claims.read_claims,
        (token_claims.TokenFormatError,),
    ),
    Parser("certificate", edited_bytes(inputs.DER), deeds.certificates),
    Parser("trust anchors", edited_bytes(inputs.PEM, inputs.PEM * 2), deeds.anchors),
    Parser("prometheus.yml", texts(inputs.CONFIG, inputs.CONFIG_TWICE), deeds.config),
    Parser("record of changes", texts(json.dumps(_RECORD)) | documents(_RECORD).map(json.dumps), deeds.record),
    Parser(
        "ConfigMap", documents(inputs.CONFIG_MAP_BODY), deeds.stored(deeds.SOURCE, kube_objects.CONFIG_MAP), _REFUSED
    ),
    Parser("packed Secret", documents(inputs.SECRET_BODY), deeds.stored(deeds.PACKED, kube_objects.SECRET), _REFUSED),
    Parser("workload and its pod template", documents(inputs.WORKLOAD), deeds.workload, _REFUSED),
    Parser("Prometheus of the operator", documents(inputs.RESOURCE, inputs.RESOURCE_TWICE), deeds.resource, _REFUSED),
    Parser("definition of the operator", st.tuples(documents(inputs.DEFINITION), JSON), deeds.definition, _REFUSED),
    Parser(
        "versions in images",
        texts("quay.io/a/prometheus:v3.5.0", "v1.6.0-alpha.1"),
        deeds.versions,
        (prometheus_versions.NotAVersion,),
    ),
    Parser(
        "kubeconfig of Azure",
        edited_bytes(inputs.KUBECONFIG.encode()),
        lambda content: aks_access.parse_kubeconfig(content, "reading it"),
    ),
    Parser("kubeconfig", texts(inputs.KUBECONFIG), deeds.kubeconfig),
    Parser(
        "answer of an API server",
        documents({"kind": "Status", "reason": "r", "details": {"causes": [{}]}}),
        deeds.answer,
    ),
    Parser(
        "output of a command in the cluster",
        texts('{"kind": "ConfigMap"}\nError from server (NotFound): a'),
        lambda text: run_command.answer_of(len(text) % 2, text),
    ),
    Parser("log of the proof in the cluster", texts(inputs.PROOF), inside_job.read_log),
    Parser("log of Prometheus", texts(inputs.LOG), rollout_logs.telling_lines),
    Parser("Helm values and manifests", texts(inputs.VALUES, inputs.VALUES_TWICE), deeds.values),
    Parser("first line of a rendered file", texts("# Written by crosscloud.aks_amp"), formats.origin_of),
    Parser("cache of the inventory", documents([_CACHED]), aks_inventory.from_cache),
    Parser("drift report", documents(_report_of("c")), deeds.report, (model.NotAReport,)),
    Parser(
        "parts of a drift report",
        st.tuples(documents(_report_of("c")), documents(_report_of("d"))),
        deeds.merged,
        (model.NotAReport,),
    ),
    Parser("file of a drift report", edited_bytes(json.dumps(_report_of("c")).encode()), deeds.file),
    Parser(
        "steps of federation_plan",
        st.tuples(_VARIABLES, documents({"changed": False, "issuer": "i"})),
        deeds.walk,
        (Failed,),
    ),
)
