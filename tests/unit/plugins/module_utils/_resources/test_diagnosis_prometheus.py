# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Prometheus' pod template and configuration as links: each fault is made, named, mended as advised, and gone."""

from __future__ import annotations

import base64
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Finding, LinkName
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import TokenSource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_way import RELOAD_ANNOTATION
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from sandbox import manifests
from sandbox.testing import running_sandbox
from tests.unit.plugins.module_utils._resources.cluster_diagnosis import NAMESPACE, Ward, findings, healthy, kinds_of

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.server import Sandbox

Json = dict[str, t.Any]

STEP = "Run the step prometheus_remote_write (federate.yml --tags prometheus_remote_write)."
CHAINED = "arn:aws:iam::210987654321:role/AMP-Writer"
OTHER = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "other", "namespace": NAMESPACE}}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def ward(running: Sandbox) -> Ward:
    running.reset()
    ward = Ward(running)
    ward.server.seed(OTHER)
    return ward


def the_only(ward: Ward) -> Finding:
    (found,) = findings(ward.look())
    return found


def variable(template: Json, name: str) -> Json:
    env: list[Json] = template["spec"]["containers"][0]["env"]
    return next(item for item in env if item["name"] == name)


# --- the pod template: what the step mends ----------------------------------------------------------------------------


def run_as_other(template: Json) -> None:
    template["spec"] |= {"serviceAccountName": "other", "serviceAccount": "other"}


def drop_volume(template: Json) -> None:
    template["spec"]["volumes"].pop()
    template["spec"]["containers"][0]["volumeMounts"].pop()


def drop_mount(template: Json) -> None:
    template["spec"]["containers"][0]["volumeMounts"].pop()


def for_azure(template: Json) -> None:
    source = template["spec"]["volumes"][-1]["projected"]["sources"][0]["serviceAccountToken"]
    source["audience"] = "api://AzureADTokenExchange"


def drop_variable(name: str) -> Callable[[Json], None]:
    return lambda template: template["spec"]["containers"][0]["env"].remove(variable(template, name))


def set_variable(name: str, value: str) -> Callable[[Json], None]:
    return lambda template: variable(template, name).update(value=value)


MENDED: t.Final[dict[str, tuple[Callable[[Json], None], str, Severity, str, str]]] = {
    "service account": (run_as_other, "other_service_account", Severity.HIGH, "prometheus-sa", "other"),
    "mount": (drop_mount, "token_mount_missing", Severity.HIGH, "aws-iam-token at /var/run/secrets/aws", "not mounted"),
    "audience": (
        for_azure,
        "token_audience",
        Severity.HIGH,
        "token for sts.amazonaws.com, 3600 seconds",
        "token for api://AzureADTokenExchange, 3600 seconds",
    ),
    "token file of the guide": (
        set_variable("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/secrets/azure/tokens/azure-identity-token"),
        "variables_other",
        Severity.HIGH,
        "AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/aws/token",
        "AWS_WEB_IDENTITY_TOKEN_FILE=/var/run/secrets/azure/tokens/azure-identity-token",
    ),
    "no region": (drop_variable("AWS_REGION"), "variables_missing", Severity.MEDIUM, "AWS_REGION=eu-west-1", "not set"),
    "global endpoint": (
        set_variable("AWS_STS_REGIONAL_ENDPOINTS", "legacy"),
        "variables_other",
        Severity.MEDIUM,
        "AWS_STS_REGIONAL_ENDPOINTS=regional",
        "AWS_STS_REGIONAL_ENDPOINTS=legacy",
    ),
}


@pytest.mark.parametrize("case", list(MENDED))
def test_what_the_step_mends_is_found_by_its_meaning_and_gone_after_it(ward: Ward, case: str) -> None:
    fault, ending, severity, expected, present = MENDED[case]
    ward.change_template(fault)
    found = the_only(ward)
    assert (found.kind, found.severity) == (f"pod_template_{ending}", severity)
    assert (found.expected, found.found, found.fix) == (expected, present, STEP)
    assert "Deployment monitoring/prometheus" in found.cause
    ward.run_prometheus()
    assert healthy(ward.look())


def test_the_role_is_decisive(ward: Ward) -> None:
    ward.change_template(drop_variable("AWS_ROLE_ARN"))
    found = the_only(ward)
    assert (found.kind, found.severity) == ("pod_template_variables_missing", Severity.HIGH)
    assert found.expected == f"AWS_ROLE_ARN={ward.role}"
    ward.run_prometheus()
    assert healthy(ward.look())


def test_without_volume_and_mount_both_are_named(ward: Ward) -> None:
    ward.change_template(drop_volume)
    links = ward.look()
    assert kinds_of(links) == ["pod_template_token_volume_missing", "pod_template_token_mount_missing"]
    ward.run_prometheus()
    assert healthy(ward.look())


def test_what_the_guide_leaves_is_named_and_gone_after_the_step(running: Sandbox) -> None:
    running.reset()
    ward = Ward(running, "halfdone")
    assert kinds_of(ward.look()) == [
        "pod_template_token_volume_missing",
        "pod_template_token_mount_missing",
        "pod_template_variables_missing",
        "pod_template_variables_missing",
        "configuration_own_role",
    ]
    ward.run_prometheus()
    assert healthy(ward.look())


def test_a_token_that_is_not_needed_any_more_is_untidy(running: Sandbox) -> None:
    running.reset()
    ward = Ward(running, "halfdone")
    ward.run_prometheus()
    chain = ward.chain(source=TokenSource.AZURE_WORKLOAD_IDENTITY)
    found = {one.kind: one for one in findings(ward.look(chain))}
    assert found["pod_template_token_volume_surplus"].severity is Severity.LOW
    ward.run_prometheus(token_source="azure_workload_identity")
    assert healthy(ward.look(chain))


# --- the pod template: what somebody has to mend ----------------------------------------------------------------------


def static_credentials(template: Json) -> None:
    template["spec"]["containers"][0]["env"].append({"name": "AWS_ACCESS_KEY_ID", "value": "AKIAIOSFODNN7EXAMPLE"})


def twice(template: Json) -> None:
    template["spec"]["containers"][0]["env"].append({"name": "AWS_REGION", "value": "eu-west-1"})


def from_elsewhere(template: Json) -> None:
    present = variable(template, "AWS_ROLE_ARN")
    present.pop("value")
    present["valueFrom"] = {"configMapKeyRef": {"name": "roles", "key": "arn", "optional": True}}


def other_volume(template: Json) -> None:
    template["spec"]["volumes"][-1] = {"name": "aws-iam-token", "emptyDir": {}}


def other_mount(template: Json) -> None:
    drop_mount(template)
    template["spec"]["containers"][0]["volumeMounts"].append({"name": "data", "mountPath": "/var/run/secrets/aws"})


def shared_token(template: Json) -> None:
    for_azure(template)
    mount = {"name": "aws-iam-token", "mountPath": "/elsewhere"}
    template["spec"]["containers"][1]["volumeMounts"].append(mount)


REFUSED: t.Final[dict[str, tuple[Callable[[Json], None], str]]] = {
    "static_credentials": (static_credentials, "AWS_ACCESS_KEY_ID"),
    "variables_doubled": (twice, "AWS_REGION"),
    "variable_from_elsewhere": (from_elsewhere, "AWS_ROLE_ARN"),
    "volume_taken": (other_volume, "aws-iam-token"),
    "mount_taken": (other_mount, "/var/run/secrets/aws"),
    "token_shared": (shared_token, "config-reloader"),
}


@pytest.mark.parametrize("ending", list(REFUSED))
def test_what_somebody_meant_is_named_with_what_they_have_to_do(ward: Ward, ending: str) -> None:
    fault, names = REFUSED[ending]
    before = ward.get("Deployment", manifests.WORKLOAD)["spec"]["template"]
    ward.change_template(fault)
    links = ward.look()
    found = links[LinkName.POD_TEMPLATE].findings[0]
    assert (found.kind, found.severity) == (f"pod_template_{ending}", Severity.HIGH)
    assert names in found.cause
    assert "AKIA" not in repr(links)
    ward.change_template(lambda template: template.update(before))  # what the advice asks for
    assert healthy(ward.look())


def test_static_credentials_that_are_loaded_as_a_whole_are_found(ward: Ward) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": NAMESPACE}}
    key = base64.b64encode(b"AKIAIOSFODNN7EXAMPLE").decode()
    ward.server.seed({**secret, "data": {"AWS_ACCESS_KEY_ID": key}})
    ward.change_template(
        lambda template: template["spec"]["containers"][0].update(envFrom=[{"secretRef": {"name": "keys"}}])
    )
    found = the_only(ward)
    assert found.kind == "pod_template_static_credentials"
    assert key not in repr(found)
    ward.change_template(lambda template: template["spec"]["containers"][0].pop("envFrom"))
    assert healthy(ward.look())


def test_a_container_that_keeps_the_webhook_out(ward: Ward) -> None:
    annotation = "azure.workload.identity/skip-containers"
    chain = ward.chain(source=TokenSource.AZURE_WORKLOAD_IDENTITY)
    ward.run_prometheus(token_source="azure_workload_identity")
    ward.change_template(lambda template: template["metadata"]["annotations"].update({annotation: "prometheus"}))
    links = ward.look(chain)
    assert "pod_template_webhook_kept_out" in kinds_of(links)
    ward.change_template(lambda template: template["metadata"]["annotations"].pop(annotation))
    assert healthy(ward.look(chain))


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_workload_that_is_not_there(ward: Ward, kind: str) -> None:
    links = ward.look(ward.chain(), ward.prometheus(kind, "elsewhere"))
    (found,) = links[LinkName.POD_TEMPLATE].findings
    assert (found.kind, found.expected) == ("pod_template_workload_missing", f"{kind} monitoring/elsewhere")
    assert "aks_amp_prometheus_workload_name" in found.fix


def test_a_cluster_without_the_operator(ward: Ward) -> None:
    links = ward.look(ward.chain(), ward.prometheus("Prometheus", "k8s"))
    assert kinds_of(links) == ["pod_template_workload_missing"]


@pytest.mark.parametrize("name", ["nowhere", None])
def test_a_container_that_is_not_there_or_not_told(ward: Ward, name: str | None) -> None:
    def rename(template: Json) -> None:
        template["spec"]["containers"][0] |= {"name": "metrics", "image": "example.net/metrics:1"}

    ward.change_template(rename)
    links = ward.look(ward.chain(), ward.prometheus(container=name))
    assert kinds_of(links)[0] == "pod_template_container_unknown"
    assert healthy(ward.look(ward.chain(), ward.prometheus(container="metrics")))


# --- the configuration ------------------------------------------------------------------------------------------------


SPELLED: t.Final[dict[str, tuple[str, str, str]]] = {
    "url_misspelled": ("/remote_write", "/remote_write/", "{url}/"),
    "other_region": ("      region: eu-west-1", "      region: eu-west-2", "eu-west-2"),
    "unsigned": ("    sigv4:\n      region: eu-west-1\n", "", "none"),
    "own_role": ("      region: eu-west-1", "      region: eu-west-1\n      role_arn: {role}", "{role}"),
    "entry_missing": ("/workspaces/ws-", "/workspaces/ws-other-", "none"),
}


@pytest.mark.parametrize("ending", list(SPELLED))
def test_a_mistake_in_the_entry_is_named_and_gone_after_the_step(ward: Ward, ending: str) -> None:
    old, new, present = SPELLED[ending]
    ward.change_text((old, new.format(role=ward.role)))
    found = the_only(ward)
    assert (found.kind, found.severity, found.fix) == (f"configuration_{ending}", Severity.HIGH, STEP)
    assert found.found == present.format(url=ward.url, role=ward.role)
    assert "prometheus.yml in ConfigMap monitoring/prometheus-config" in found.cause
    ward.run_prometheus()
    assert healthy(ward.look())


def test_an_entry_without_a_region_signs_for_none(ward: Ward) -> None:
    ward.change_text(("      region: eu-west-1", "      service_name: aps"))
    found = the_only(ward)
    assert (found.kind, found.expected, found.found) == ("configuration_other_region", "region eu-west-1", "none")
    ward.run_prometheus()
    assert healthy(ward.look())


def test_a_url_that_leads_there_all_the_same_is_untidy(ward: Ward) -> None:
    ward.change_text(
        ("https://aps-workspaces.eu-west-1.amazonaws.com", "https://APS-workspaces.eu-west-1.amazonaws.com")
    )
    found = the_only(ward)
    assert (found.kind, found.severity) == ("configuration_url_misspelled", Severity.MEDIUM)


def test_another_chained_role(ward: Ward) -> None:
    look = ward.prometheus(chained_role_arn=CHAINED)
    (found,) = findings(ward.look(ward.chain(), look))
    assert (found.kind, found.expected) == ("configuration_other_chained_role", f"role_arn {CHAINED}")
    ward.run_prometheus(chained_role_arn=CHAINED)
    assert healthy(ward.look(ward.chain(), look))


@pytest.mark.parametrize(
    "settings", ["basic_auth:\n      username: u\n      password: hidden", "sigv4:\n      profile: other"]
)
def test_other_credentials_are_somebodys_intent(ward: Ward, settings: str) -> None:
    ward.change_text(("sigv4:\n      region: eu-west-1", settings))
    found = the_only(ward)
    assert found.kind == "configuration_other_credentials"
    assert "hidden" not in repr(found)
    ward.change_text((settings, "sigv4:\n      region: eu-west-1"))
    assert healthy(ward.look())


def test_two_entries_that_would_be_equal(ward: Ward) -> None:
    """Which of the two is to go only their owner can tell, so the step does not mend it."""
    signed = "sigv4:\n      region: eu-west-1\n"
    second = f"  - url: {ward.url}/\n    sigv4: {{region: us-east-1}}\n"
    ward.change_text((signed, signed + second))
    found = the_only(ward)
    assert (found.kind, found.severity) == ("configuration_duplicate_entries", Severity.HIGH)
    assert "Remove one of the two" in found.fix
    ward.change_text((second, ""))
    assert healthy(ward.look())


def test_a_text_that_is_no_configuration(ward: Ward) -> None:
    ward.change_text(("scrape_configs:", "scrape_configs: ["))
    found = the_only(ward)
    assert found.kind == "configuration_unusable"
    assert "line" in found.cause
    ward.change_text(("scrape_configs: [", "scrape_configs:"))
    assert healthy(ward.look())


def test_an_entry_behind_an_alias_is_judged_though_the_step_can_not_mend_it(ward: Ward) -> None:
    """What can't be spliced is named all the same."""
    body = ward.get("ConfigMap", manifests.CONFIG_MAP)["data"][manifests.CONFIG_KEY]
    signed = "    sigv4:\n      region: eu-west-1\n"
    other = f"{signed.replace('sigv4:', 'sigv4: &shared').replace('eu-west-1', 'us-east-1')}"
    entry = "  - url: https://elsewhere.example/push\n    sigv4: *shared\n"
    assert signed in body
    ward.change_text((signed, other + entry))
    assert the_only(ward).kind == "configuration_other_region"


def test_an_object_and_a_key_that_are_missing(ward: Ward) -> None:
    ward.change("ConfigMap", manifests.CONFIG_MAP, lambda body: body["data"].update({"other.yml": ""}))
    ward.change("ConfigMap", manifests.CONFIG_MAP, lambda body: body["data"].pop(manifests.CONFIG_KEY))
    found = the_only(ward)
    assert (found.kind, found.expected) == ("configuration_key_missing", "prometheus.yml")
    assert found.found == "alerts.yml, other.yml"
    ward.delete(f"/api/v1/namespaces/{NAMESPACE}/configmaps/{manifests.CONFIG_MAP}")
    found = the_only(ward)
    assert (found.kind, found.found) == ("configuration_object_missing", "none")
    assert "aks_amp_prometheus_configmap" in found.fix


def test_an_object_that_prometheus_does_not_mount(ward: Ward) -> None:
    copy = ward.get("ConfigMap", manifests.CONFIG_MAP)
    metadata = {"name": "the-other", "namespace": NAMESPACE}
    ward.server.seed({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": copy["data"]})

    def remount(template: Json) -> None:
        template["spec"]["volumes"][0]["configMap"]["name"] = "the-other"

    ward.change_template(remount)
    found = the_only(ward)
    assert (found.kind, found.severity) == ("configuration_not_mounted", Severity.MEDIUM)
    assert "ConfigMap monitoring/prometheus-config" in found.cause


def test_packed_text_that_is_none(ward: Ward) -> None:
    def spoil(body: Json) -> None:
        body["binaryData"] = {manifests.CONFIG_KEY: base64.b64encode(b"\x1f\x8b no gzip").decode()}
        del body["data"][manifests.CONFIG_KEY]

    ward.change("ConfigMap", manifests.CONFIG_MAP, spoil)
    assert the_only(ward).kind == "configuration_undecodable"


def test_a_configuration_that_is_not_loaded_yet(ward: Ward) -> None:
    mark = {RELOAD_ANNOTATION: "due"}
    ward.change("ConfigMap", manifests.CONFIG_MAP, lambda body: body["metadata"].update(annotations=mark))
    found = the_only(ward)
    assert (found.kind, found.severity) == ("configuration_not_loaded", Severity.MEDIUM)
    ward.run_prometheus()
    assert healthy(ward.look())


@pytest.mark.parametrize("kind", ["Prometheus", "PrometheusAgent"])
def test_mistakes_in_the_operators_entries_are_named_alike(ward: Ward, kind: str) -> None:
    entry = {"url": f"{ward.url}/", "sigv4": {"region": "us-east-1", "roleArn": ward.role}}
    ward.seed_operator(kind, remoteWrite=[entry])
    look = ward.prometheus(kind, "k8s")
    links = ward.look(ward.chain(), look)
    assert {one.kind for one in links[LinkName.CONFIGURATION].findings} == {
        "configuration_url_misspelled",
        "configuration_other_region",
        "configuration_own_role",
    }
    assert f"{kind} monitoring/k8s" in links[LinkName.CONFIGURATION].findings[0].cause
    ward.run_prometheus(configmap=None, workload_kind=kind, workload_name="k8s")
    assert healthy(ward.look(ward.chain(), look))


def test_fields_that_the_operator_does_not_know_and_credentials_of_others(ward: Ward) -> None:
    ward.seed_operator("Prometheus", remoteWrite=[{"url": ward.url, "sigv4": {"profile": "other"}}])
    links = ward.look(ward.chain(), ward.prometheus("Prometheus", "k8s"))
    assert [one.kind for one in links[LinkName.CONFIGURATION].findings] == ["configuration_other_credentials"]


def test_two_entries_of_a_resource_that_have_one_name(ward: Ward) -> None:
    entry = {"url": ward.url, "name": "amp", "sigv4": {"region": "eu-west-1"}}
    ward.seed_operator("Prometheus", remoteWrite=[entry, {**entry, "sendExemplars": True}])
    links = ward.look(ward.chain(), ward.prometheus("Prometheus", "k8s"))
    assert [one.kind for one in links[LinkName.CONFIGURATION].findings] == ["configuration_duplicate_entries"]


def test_healthy_entries_of_others_beside_it_are_left_alone(ward: Ward) -> None:
    """Whoever wrote the entry may name it, tune it and relabel in it."""
    entry = (
        "    name: ours\n    sigv4:\n      region: eu-west-1\n      use_fips_sts_endpoint: true\n"
        "    queue_config:\n      max_shards: 3\n    write_relabel_configs:\n      - action: drop\n"
        "        source_labels: [a]\n        regex: b\n    send_exemplars: true\n"
        "  - url: https://metrics.example.net/api/v1/push\n    basic_auth:\n      username: fleet\n"
        "      password_file: /p\n"
        "  - url: https://aps-workspaces.us-east-1.amazonaws.com/workspaces/ws-2/api/v1/remote_write\n"
        "    sigv4:\n      region: us-east-1\n      role_arn: arn:aws:iam::210987654321:role/AMP-Writer\n"
    )
    ward.change_text(("    sigv4:\n      region: eu-west-1\n", entry))
    assert healthy(ward.look())
