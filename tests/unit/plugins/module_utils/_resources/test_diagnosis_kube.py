# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service account and webhook as links, what few rights leave of all links, and clusters in which nothing is wrong."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import LinkName, Status
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import TokenSource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_kube import (
    look_at_cluster_objects,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from sandbox import manifests
from sandbox.estate import SERVICE_ACCOUNT
from sandbox.kubernetes.access import Rule
from sandbox.kubernetes.azure_webhook import CONFIGURATION, DEPLOYMENT
from sandbox.testing import running_sandbox
from tests.unit.plugins.module_utils._resources.cluster_diagnosis import NAMESPACE, Ward, findings, healthy, kinds_of
from tests.unit.plugins.module_utils._resources.prometheus_targets import TARGETS, Target

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server import Sandbox

Json = dict[str, t.Any]

AZURE = TokenSource.AZURE_WORKLOAD_IDENTITY
LABEL = "azure.workload.identity/use"
ANNOTATION = "azure.workload.identity/client-id"
CHAINED = "arn:aws:iam::210987654321:role/AMP-Writer"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def ward(running: Sandbox) -> Ward:
    running.reset()
    return Ward(running)


def client_id(ward: Ward) -> str:
    return str(ward.get("ServiceAccount", SERVICE_ACCOUNT)["metadata"]["annotations"][ANNOTATION])


# --- the service account ----------------------------------------------------------------------------------------------


def test_a_service_account_that_is_missing_is_made_by_its_step(ward: Ward) -> None:
    ward.delete(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{SERVICE_ACCOUNT}")
    links = ward.look()
    (found,) = links[LinkName.SERVICE_ACCOUNT].findings
    assert (found.kind, found.severity) == ("service_account_missing", Severity.HIGH)
    assert (found.expected, found.found) == ("monitoring/prometheus-sa", "none")
    assert "step service_account" in found.fix
    ward.run_service_account()
    assert healthy(ward.look())


def test_a_namespace_that_is_missing_is_named(ward: Ward) -> None:
    ward.delete(f"/api/v1/namespaces/{NAMESPACE}")
    (found,) = ward.look()[LinkName.SERVICE_ACCOUNT].findings
    assert (found.kind, found.found) == ("service_account_namespace_missing", "none")


@pytest.mark.parametrize(("present", "kind"), [(None, "client_id_missing"), ("of-another", "other_client_id")])
def test_the_annotation_is_that_of_the_entra_identity(ward: Ward, present: str | None, kind: str) -> None:
    wanted = client_id(ward)

    def spoil(body: Json) -> None:
        body["metadata"]["annotations"] = {} if present is None else {ANNOTATION: present}

    ward.change("ServiceAccount", SERVICE_ACCOUNT, spoil)
    links = ward.look(ward.chain(client_id=wanted))
    (found,) = findings(links)
    assert (found.kind, found.severity) == (f"service_account_{kind}", Severity.MEDIUM)
    assert (found.expected, found.found) == (wanted, present or "none")
    assert links[LinkName.SERVICE_ACCOUNT].status is Status.OK
    assert healthy(ward.look())  # without a look at Entra it is nobody's concern
    ward.run_service_account(client_id=wanted)
    assert healthy(ward.look(ward.chain(client_id=wanted)))


# --- the webhook ------------------------------------------------------------------------------------------------------


def with_azure_token(ward: Ward) -> None:
    ward.run_prometheus(token_source=AZURE.value)
    assert healthy(ward.look(ward.chain(source=AZURE)))


def switch_workload_identity(ward: Ward, *, on: bool) -> None:
    ward.sandbox.cluster(ward.cluster).body["properties"]["securityProfile"] = {"workloadIdentity": {"enabled": on}}


def test_a_cluster_without_the_webhook(ward: Ward) -> None:
    with_azure_token(ward)
    switch_workload_identity(ward, on=False)
    links = ward.look(ward.chain(source=AZURE))
    assert kinds_of(links) == ["webhook_not_configured"]
    (found,) = findings(links)
    assert found.severity is Severity.HIGH
    assert (found.expected, found.found) == (CONFIGURATION, "none")
    assert "step aks_oidc_issuer" in found.fix
    switch_workload_identity(ward, on=True)
    assert healthy(ward.look(ward.chain(source=AZURE)))


def test_the_webhook_is_no_concern_of_a_token_of_our_own(ward: Ward) -> None:
    switch_workload_identity(ward, on=False)
    links = ward.look()
    assert LinkName.WEBHOOK not in links
    assert healthy(links)


def test_without_the_webhook_only_logins_to_azure_are_concerned_where_the_token_is_our_own(ward: Ward) -> None:
    chain = ward.chain(client_id=client_id(ward))
    switch_workload_identity(ward, on=False)
    (found,) = findings(ward.look(chain))
    assert (found.kind, found.severity) == ("webhook_not_configured", Severity.MEDIUM)


def test_a_webhook_without_ready_pods(ward: Ward) -> None:
    with_azure_token(ward)
    deployment = ward.server.get("Deployment", "kube-system", DEPLOYMENT)
    assert deployment is not None

    def scale(replicas: int) -> None:
        deployment["spec"]["replicas"] = replicas
        ward.server.seed({key: deployment[key] for key in ("apiVersion", "kind", "metadata", "spec")})

    scale(0)
    (found,) = findings(ward.look(ward.chain(source=AZURE)))
    assert (found.kind, found.severity, found.found) == ("webhook_not_running", Severity.HIGH, "none")
    assert f"kube-system/{DEPLOYMENT}" in found.fix
    scale(2)
    assert healthy(ward.look(ward.chain(source=AZURE)))


def test_the_label_on_the_service_account_does_nothing_for_the_pods(ward: Ward) -> None:
    """The guide labels the service account, and its advice repeats it."""
    with_azure_token(ward)
    ward.change_template(lambda template: template["metadata"]["labels"].pop(LABEL))
    assert ward.get("ServiceAccount", SERVICE_ACCOUNT)["metadata"]["labels"][LABEL] == "true"
    links = ward.look(ward.chain(source=AZURE))
    assert kinds_of(links) == ["pod_template_label_missing"]
    (found,) = findings(links)
    assert "The service account has it, but since version 1.0.0 the webhook looks at pods only." in found.cause
    assert (found.expected, found.found) == (f"{LABEL}: true", "no label")
    ward.run_prometheus(token_source=AZURE.value)
    assert healthy(ward.look(ward.chain(source=AZURE)))


def test_pods_that_are_older_than_the_webhook_are_replaced(ward: Ward) -> None:
    """The guide's "webhook not injecting environment variables"."""
    switch_workload_identity(ward, on=False)
    ward.look()

    def as_for_azure(template: Json) -> None:
        template["metadata"]["labels"][LABEL] = "true"
        for variable in template["spec"]["containers"][0]["env"]:
            if variable["name"] == "AWS_WEB_IDENTITY_TOKEN_FILE":
                variable["value"] = "/var/run/secrets/azure/tokens/azure-identity-token"

    ward.change_template(as_for_azure)
    switch_workload_identity(ward, on=True)
    links = ward.look(ward.chain(source=AZURE))
    assert kinds_of(links) == ["webhook_not_injected"]
    (found,) = findings(links)
    assert (found.severity, found.expected) == (Severity.HIGH, "AZURE_FEDERATED_TOKEN_FILE")
    assert "kubectl rollout restart deployment/prometheus --namespace monitoring" in found.fix
    ward.restart()
    assert healthy(ward.look(ward.chain(source=AZURE)))


def test_pods_that_took_another_client_id_are_replaced(ward: Ward) -> None:
    with_azure_token(ward)

    def annotate(body: Json) -> None:
        body["metadata"]["annotations"][ANNOTATION] = "the-new-one"

    ward.change("ServiceAccount", SERVICE_ACCOUNT, annotate)
    chain = ward.chain(source=AZURE, client_id="the-new-one")
    (found,) = findings(ward.look(chain))
    assert (found.kind, found.severity) == ("webhook_other_client_id", Severity.MEDIUM)
    ward.restart()
    assert healthy(ward.look(chain))


def test_a_webhook_that_looks_at_something_else_than_pods(ward: Ward) -> None:
    with_azure_token(ward)
    found = ward.server.get("MutatingWebhookConfiguration", None, CONFIGURATION)
    assert found is not None
    found["webhooks"][0]["objectSelector"] = {"matchLabels": {"inject": "please"}}
    ward.server.seed({key: found[key] for key in ("apiVersion", "kind", "metadata", "webhooks")})
    assert kinds_of(ward.look(ward.chain(source=AZURE))) == ["webhook_selects_otherwise"]


def test_aks_keeps_the_webhook_from_its_own_namespace(ward: Ward) -> None:
    chain = ward.chain(source=AZURE, account=type(ward.chain().account)("kube-system", "default"))
    links = {link.name: link for link in look_at_cluster_objects(ward.client(), chain, ())}
    assert kinds_of(links) == ["webhook_namespace_left_out"]


# --- few rights -------------------------------------------------------------------------------------------------------

READS = {
    LinkName.SERVICE_ACCOUNT: Rule(("get",), ("serviceaccounts",)),
    LinkName.POD_TEMPLATE: Rule(("get",), ("deployments",), ("apps",)),
    LinkName.CONFIGURATION: Rule(("get",), ("configmaps",)),
    LinkName.PODS: Rule(("list",), ("pods",)),
}
LOGS = Rule(("get",), ("pods/log",))


@pytest.mark.parametrize("name", list(READS))
def test_each_missing_right_leaves_its_link_unknown_and_the_others_as_they_are(ward: Ward, name: LinkName) -> None:
    token = ward.user(LOGS, *(rule for link, rule in READS.items() if link is not name))
    links = ward.look(token=token)
    dependent = {LinkName.POD_TEMPLATE: {LinkName.POD_TEMPLATE, LinkName.PODS}}.get(name, {name})
    assert {link for link, found in links.items() if found.status is Status.UNKNOWN} == dependent
    assert {link for link, found in links.items() if found.status is Status.OK} == set(links) - dependent
    rule = READS[name]
    assert f"'{rule.verbs[0]}' on '{rule.resources[0]}'" in links[name].fix
    assert findings(links) == []


def test_without_the_right_to_read_logs_the_pods_are_unknown(ward: Ward) -> None:
    link = ward.look(token=ward.user(*READS.values()))[LinkName.PODS]
    assert link.status is Status.UNKNOWN
    assert "'get' on 'pods/log' in namespace 'monitoring'" in link.fix


def test_those_rights_suffice(ward: Ward) -> None:
    assert healthy(ward.look(token=ward.user(LOGS, *READS.values())))


def test_a_webhook_that_may_not_be_read_is_unknown(ward: Ward) -> None:
    with_azure_token(ward)
    links = ward.look(ward.chain(source=AZURE), token=ward.user(LOGS, *READS.values()))
    webhook = links.pop(LinkName.WEBHOOK)
    assert webhook.status is Status.UNKNOWN
    assert "'get' on 'mutatingwebhookconfigurations'" in webhook.fix
    assert healthy(links)


def test_a_secret_that_may_not_be_read_leaves_the_template_unknown_and_its_content_out_of_it(ward: Ward) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "extra", "namespace": NAMESPACE}}
    ward.server.seed({**secret, "data": {"SOME": "dmFsdWU="}})

    def load(template: Json) -> None:
        template["spec"]["containers"][0]["envFrom"] = [{"secretRef": {"name": "extra"}}]

    ward.change_template(load)
    link = ward.look(token=ward.user(LOGS, *READS.values()))[LinkName.POD_TEMPLATE]
    assert link.status is Status.UNKNOWN
    assert "'get' on 'secrets'" in link.fix
    assert healthy(ward.look())


def test_a_server_that_does_not_know_the_caller_breaks_every_link_and_nothing_else(ward: Ward) -> None:
    links = ward.look(token="nobody-knows-this-one")
    assert {link.status for link in links.values()} == {Status.BROKEN, Status.UNKNOWN}
    assert {one.kind.rpartition("_not_")[2] for one in findings(links)} == {"readable"}


def test_what_is_not_known_yet_is_not_held_against_anything(ward: Ward) -> None:
    links = ward.look(ward.chain(role=None, region=None, remote_write_url=""))
    assert findings(links) == []
    assert links[LinkName.POD_TEMPLATE].status is links[LinkName.CONFIGURATION].status is Status.UNKNOWN


def test_without_a_prometheus_only_the_service_account_is_looked_at(ward: Ward) -> None:
    assert [link.name for link in look_at_cluster_objects(ward.client(), ward.chain(), ())] == [
        LinkName.SERVICE_ACCOUNT
    ]


def test_looking_writes_nothing(ward: Ward) -> None:
    before = ward.sandbox.world.log.since()[-1].number if ward.sandbox.world.log.since() else 0
    ward.look(ward.chain(source=AZURE))
    ward.look()
    assert [request.operation for request in ward.sandbox.world.log.since(before) if request.write] == []


# --- nothing is wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_every_way_to_run_prometheus_is_healthy_after_its_step(running: Sandbox, target: Target) -> None:
    running.reset()
    ward = Ward(running, "fresh")
    text = str(ward.get("ConfigMap", manifests.CONFIG_MAP)["data"][manifests.CONFIG_KEY])
    ward.delete(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{manifests.WORKLOAD}")
    ward.server.seed(target.config(text))
    ward.server.seed(target.workload())
    ward.run_service_account()
    look = ward.prometheus(target.kind, secret=target.source == "Secret")
    assert not {"ok"} >= {link.status.value for link in ward.look(ward.chain(), look).values()}
    ward.run_prometheus(**{"configmap": None, **target.options})
    assert healthy(ward.look(ward.chain(), look))


@pytest.mark.parametrize("kind", ["Prometheus", "PrometheusAgent"])
def test_the_operators_resources_are_healthy_after_the_step(running: Sandbox, kind: str) -> None:
    running.reset()
    ward = Ward(running, "fresh")
    ward.seed_operator(kind)
    ward.run_service_account()
    look = ward.prometheus(kind, "k8s")
    broken = ward.look(ward.chain(), look)
    assert {"configuration_entry_missing", "pod_template_token_volume_missing"} <= set(kinds_of(broken))
    ward.run_prometheus(configmap=None, workload_kind=kind, workload_name="k8s")
    assert healthy(ward.look(ward.chain(), look))


VARIANTS: t.Final[dict[str, tuple[Json, Json, Json]]] = {
    # options of the step, changes of the chain, changes of the look
    "azure token": ({"token_source": AZURE.value}, {"source": AZURE}, {}),
    "azure token with a client id": ({"token_source": AZURE.value}, {"source": AZURE, "client_id": "its own"}, {}),
    "chained role": ({"chained_role_arn": CHAINED}, {}, {"chained_role_arn": CHAINED}),
    "external id": (
        {"chained_role_arn": CHAINED, "external_id": "x", "prometheus_version": "3.11.0"},
        {},
        {"chained_role_arn": CHAINED},
    ),
    "a name and a queue of its own": ({"name": "amp", "queue_config": {"max_shards": 5}}, {}, {}),
    "another lifetime of the token": ({"token_expiration_seconds": 7200}, {}, {}),
    "relabeling": ({"write_relabel_configs": [{"source_labels": ["a"], "regex": "b", "action": "drop"}]}, {}, {}),
    "external labels": ({"external_labels": {"team": "a"}}, {}, {}),
    "labelled pods": ({"pod_label": True}, {"client_id": "its own"}, {}),
    "another audience": ({"audience": "sts.example"}, {"audience": "sts.example"}, {}),
    "the container by name": ({"container": "prometheus"}, {}, {"container": "prometheus"}),
    "a second workspace": (
        {
            "additional_remote_writes": [
                {
                    "region": "us-east-1",
                    "remote_write_url": "https://aps-workspaces.us-east-1.amazonaws.com/workspaces/ws-2/api/v1/"
                    "remote_write",
                }
            ]
        },
        {},
        {},
    ),
}


@pytest.mark.parametrize("variant", list(VARIANTS))
@pytest.mark.parametrize("cluster", ["finished", "halfdone"])
def test_what_a_run_leaves_is_healthy(running: Sandbox, variant: str, cluster: str) -> None:
    running.reset()
    ward = Ward(running, cluster)
    options, chain, look = VARIANTS[variant]
    if "client_id" in chain:
        chain = {**chain, "client_id": client_id(ward)}
    ward.run_prometheus(**options)
    assert healthy(ward.look(ward.chain(**chain), ward.prometheus(**look)))


def test_several_prometheus_share_the_links_and_each_is_named(ward: Ward) -> None:
    other = ward.prometheus(name="not-there")
    links = ward.look(ward.chain(), ward.prometheus(), other)
    (found,) = findings(links)
    assert found.kind == "pod_template_workload_missing"
    assert "Deployment monitoring/not-there" in found.cause
    assert links[LinkName.CONFIGURATION].status is Status.OK
