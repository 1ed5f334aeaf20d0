# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote write of prometheus-operator's resources, against the sandbox's API server."""

from __future__ import annotations

import copy
import json
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, FederationError
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import RECORD_ANNOTATION
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import ApplyFailed
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import prometheus_remote_write as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Result, failure_values
from sandbox.kubernetes.access import Rule
from sandbox.kubernetes.monitoring import definitions
from sandbox.testing import running_sandbox
from sandbox.world import AWS_ACCOUNT
from tests.unit.plugins.azure_estate import context
from tests.unit.plugins.module_utils._resources.aws_modules import params_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.kubernetes import ApiServer
    from sandbox.server import Sandbox

Json = dict[str, t.Any]

URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"
OTHER_URL = "https://metrics.example.net/api/v1/push"
ROLE = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-fresh"
CHAINED = "arn:aws:iam::210987654321:role/AMP-Writer"
QUEUE = {"capacity": 2500, "maxShards": 200, "maxSamplesPerSend": 1000, "retryOnRateLimit": True}
OPTIONS: Json = {
    "namespace": "monitoring",
    "workload_kind": "Prometheus",
    "workload_name": "k8s",
    "service_account": "prometheus-sa",
    "role_arn": ROLE,
    "region": "eu-west-1",
    "remote_write_url": URL,
}
SPEC: Json = {
    "version": "v3.5.0",
    "replicas": 2,
    "serviceAccountName": "prometheus-k8s",
    "externalLabels": {"cluster": "fresh"},
    "remoteWrite": [{"url": OTHER_URL, "basicAuth": {"username": {"name": "push", "key": "user"}}}],
    "volumes": [{"name": "extra", "emptyDir": {}}],
    "volumeMounts": [{"name": "extra", "mountPath": "/extra"}],
}


def manifest(name: str = "k8s", kind: str = "Prometheus", **spec: t.Any) -> Json:
    version = "v1" if kind == "Prometheus" else "v1alpha1"
    return {
        "apiVersion": f"monitoring.coreos.com/{version}",
        "kind": kind,
        "metadata": {"name": name, "namespace": "monitoring"},
        "spec": {**copy.deepcopy(SPEC), **spec},
    }


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    api_server = running.api_server("fresh")
    for name in ("prometheus-sa", "prometheus-k8s"):
        metadata = {"name": name, "namespace": "monitoring"}
        api_server.seed({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    for definition in definitions():
        api_server.seed(definition)
    api_server.seed(manifest())
    api_server.seed(manifest("edge", "PrometheusAgent"))
    return running


@pytest.fixture
def api_server(sandbox: Sandbox) -> ApiServer:
    return sandbox.api_server("fresh")


def run(sandbox: Sandbox, *, check_mode: bool = False, **options: t.Any) -> Result:
    values = {**OPTIONS, "kubeconfig": str(sandbox.kubeconfig), "context": "fresh", **options}
    return resource.DEFINITION.run(params_of(resource.DEFINITION, values), context(check_mode=check_mode))


def remove(sandbox: Sandbox, *, check_mode: bool = False, **options: t.Any) -> Result:
    asked = {"state": "absent", "service_account": None, "role_arn": None, "region": None, "remote_write_url": None}
    return run(sandbox, check_mode=check_mode, **asked, **options)


def stored(api_server: ApiServer, kind: str = "Prometheus", name: str = "k8s") -> Json:
    found = api_server.get(kind, "monitoring", name)
    assert found is not None
    return found


def spec_of(api_server: ApiServer, kind: str = "Prometheus", name: str = "k8s") -> Json:
    return t.cast("Json", stored(api_server, kind, name)["spec"])


def entry_of(api_server: ApiServer, url: str = URL) -> Json:
    return next(entry for entry in spec_of(api_server)["remoteWrite"] if entry["url"] == url)


def refusal(sandbox: Sandbox, *, check_mode: bool = False, **options: t.Any) -> str:
    """What a run is refused with; nothing is written."""
    since = max((request.number for request in sandbox.world.log.since()), default=0)
    with pytest.raises((errors.AksAmpError, FederationError, ApplyFailed)) as caught:
        run(sandbox, check_mode=check_mode, **options)
    assert [request.operation for request in sandbox.world.log.since(since) if request.write] == []
    message = str(failure_values(caught.value)["msg"])
    assert "\n" not in message
    return message


# --- the contract -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), [("Prometheus", "k8s"), ("PrometheusAgent", "edge")])
def test_what_is_checked_is_what_is_applied_and_undone(sandbox: Sandbox, kind: str, name: str) -> None:
    api_server = sandbox.api_server("fresh")
    options = {"workload_kind": kind, "workload_name": name}
    before = stored(api_server, kind, name)
    checked = run(sandbox, check_mode=True, **options)
    assert stored(api_server, kind, name) == before
    applied = run(sandbox, **options)
    assert [change.diff() for change in applied.changes] == [change.diff() for change in checked.changes]
    assert {**applied.facts, "rollout_status": None} == {**checked.facts, "rollout_status": None}
    assert applied.facts["rollout_status"] == {
        "state": "complete",
        "ready": 2,
        "wanted": 2,
        "done": "The pods were replaced and are ready.",
    }
    assert [change.kind for change in applied.changes] == [kind]
    assert (applied.facts["workload"], applied.facts["rollout"]) == (f"{kind} monitoring/{name}", "restart")
    spec = spec_of(api_server, kind, name)
    assert spec["remoteWrite"] == [
        *SPEC["remoteWrite"],
        {"url": URL, "sigv4": {"region": "eu-west-1"}, "queueConfig": QUEUE},
    ]
    assert spec["serviceAccountName"] == "prometheus-sa"
    assert [volume["name"] for volume in spec["volumes"]] == ["extra", "aws-iam-token"]
    assert [mount["mountPath"] for mount in spec["volumeMounts"]] == ["/extra", "/var/run/secrets/aws"]
    (container,) = spec["containers"]
    assert {variable["name"]: variable["value"] for variable in container["env"]}["AWS_ROLE_ARN"] == ROLE
    for again in (run(sandbox, check_mode=True, **options), run(sandbox, **options)):
        assert (again.changes, again.facts["rollout"]) == ((), "none")
    removal = remove(sandbox, check_mode=True, **options)
    removed = remove(sandbox, **options)
    assert [change.diff() for change in removed.changes] == [change.diff() for change in removal.changes]
    assert spec_of(api_server, kind, name) == before["spec"]
    assert "annotations" not in stored(api_server, kind, name)["metadata"]
    assert remove(sandbox, **options).changes == ()


def test_the_pods_get_the_identity_from_the_operator(sandbox: Sandbox, api_server: ApiServer) -> None:
    run(sandbox, pod_label=True)
    pod = stored(api_server, "Pod", "prometheus-k8s-0")
    container = next(item for item in pod["spec"]["containers"] if item["name"] == "prometheus")
    assert {"name": "AWS_ROLE_ARN", "value": ROLE} in container["env"]
    assert "/var/run/secrets/aws" in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert pod["spec"]["serviceAccountName"] == "prometheus-sa"
    assert pod["metadata"]["labels"]["azure.workload.identity/use"] == "true"


def test_a_resource_that_says_nothing_comes_back_as_it_was(sandbox: Sandbox, api_server: ApiServer) -> None:
    bare = manifest("bare")
    bare["spec"] = {"version": "v2.53.3"}
    api_server.seed(bare)
    before = spec_of(api_server, name="bare")
    run(sandbox, workload_name="bare", pod_label=True, external_labels={"team": "a"})
    assert set(spec_of(api_server, name="bare")) - set(before) == {
        "remoteWrite",
        "externalLabels",
        "volumes",
        "volumeMounts",
        "containers",
        "podMetadata",
        "serviceAccountName",
    }
    remove(sandbox, workload_name="bare")
    assert spec_of(api_server, name="bare") == before


def test_empty_values_come_back_empty(sandbox: Sandbox, api_server: ApiServer) -> None:
    empty: Json = {"remoteWrite": [], "volumes": [], "volumeMounts": [], "containers": [], "externalLabels": {}}
    empty["podMetadata"] = {"labels": {}}
    api_server.seed(manifest("empty", **empty))
    before = spec_of(api_server, name="empty")
    run(sandbox, workload_name="empty", pod_label=True, external_labels={"team": "a"})
    remove(sandbox, workload_name="empty")
    assert spec_of(api_server, name="empty") == before


def test_only_an_entry_is_a_reload(sandbox: Sandbox, api_server: ApiServer) -> None:
    run(sandbox)
    result = run(sandbox, external_labels={"team": "metrics"}, queue_config={"max_shards": 10})
    assert result.facts["rollout"] == "reload"
    assert entry_of(api_server)["queueConfig"] == {**QUEUE, "maxShards": 10}
    assert spec_of(api_server)["externalLabels"] == {"cluster": "fresh", "team": "metrics"}
    run(sandbox)
    assert entry_of(api_server)["queueConfig"] == QUEUE
    # Every series carries it, so it stays until all is removed.
    assert spec_of(api_server)["externalLabels"] == {"cluster": "fresh", "team": "metrics"}
    removed = remove(sandbox)
    assert "remove the external label team" in removed.changes[0].summary
    assert spec_of(api_server)["externalLabels"] == {"cluster": "fresh"}


def test_a_label_that_is_not_asked_for_any_more_is_still_ours(sandbox: Sandbox, api_server: ApiServer) -> None:
    run(sandbox, external_labels={"team": "metrics"})
    assert run(sandbox).changes == ()
    run(sandbox, external_labels={"team": "storage"})
    assert spec_of(api_server)["externalLabels"]["team"] == "storage"


def test_no_secret_of_an_entry_is_shown(sandbox: Sandbox, api_server: ApiServer) -> None:
    """What others wrote into our entry goes with it, and what an entry of theirs holds is only repaired."""
    run(sandbox, name="amp", write_relabel_configs=[{"regex": "up", "action": "keep"}])
    tls = {"keySecret": {"name": "tls", "key": "tls.key"}, "serverName": "x"}
    ours = {
        **entry_of(api_server),
        "headers": {"X-Api-Key": "hunter2", "name": "hunter2"},
        "proxyUrl": "http://me:hunter2's@hunter2@proxy:3128",
        "tlsConfig": tls,
    }
    entries = spec_of(api_server)["remoteWrite"]
    resource = stored(api_server)
    resource["spec"]["remoteWrite"] = [ours if entry["url"] == URL else entry for entry in entries]
    api_server.seed(resource)
    removed = remove(sandbox, check_mode=True)
    (diff,) = [change.diff() for change in removed.changes]
    assert "hunter2" not in json.dumps(diff)
    before = t.cast("Json", diff["before"])["remoteWrite"][URL]
    assert before == {
        **ours,
        "headers": {"X-Api-Key": "<redacted>", "name": "<redacted>"},
        "proxyUrl": "http://<redacted>@proxy:3128",
    }
    assert [change.diff() for change in remove(sandbox).changes] == [diff]
    assert spec_of(api_server)["remoteWrite"] == SPEC["remoteWrite"]


# --- settings ---------------------------------------------------------------------------------------------------------


def test_every_setting_is_spelled_as_the_operator_does(sandbox: Sandbox, api_server: ApiServer) -> None:
    api_server.seed(manifest(version="v3.11.0"))
    options: Json = {
        "name": "amp",
        "chained_role_arn": CHAINED,
        "external_id": "tenant-7",
        "use_fips_sts_endpoint": True,
        "queue_config": {"batch_send_deadline": "5s", "sample_age_limit": "30m"},
        "write_relabel_configs": [{"source_labels": ["__name__"], "regex": "up", "action": "keep"}, {"regex": 1}],
        "additional_remote_writes": [{"remote_write_url": URL.replace("1234", "5678"), "region": "eu-west-1"}],
    }
    result = run(sandbox, **options)
    assert entry_of(api_server) == {
        "url": URL,
        "name": "amp",
        "sigv4": {
            "region": "eu-west-1",
            "roleArn": CHAINED,
            "externalID": "tenant-7",
            "useFIPSSTSEndpoint": True,
        },
        "queueConfig": {**QUEUE, "batchSendDeadline": "5s", "sampleAgeLimit": "30m"},
        "writeRelabelConfigs": [
            {"action": "keep", "sourceLabels": ["__name__"], "regex": "up"},
            {"action": "replace", "regex": "1"},
        ],
    }
    assert result.facts["remote_write"]["url"] == URL  # type: ignore[index]  # a dictionary
    assert len(spec_of(api_server)["remoteWrite"]) == 3
    assert run(sandbox, **options).changes == ()
    # What is not asked for any more goes.
    options = {"name": "amp"}
    run(sandbox, **options)
    assert entry_of(api_server) == {
        "url": URL,
        "name": "amp",
        "sigv4": {"region": "eu-west-1"},
        "queueConfig": QUEUE,
    }


def test_an_external_id_of_others_goes_with_the_role_that_it_is_for(sandbox: Sandbox, api_server: ApiServer) -> None:
    run(sandbox, chained_role_arn=CHAINED)
    entries = copy.deepcopy(spec_of(api_server)["remoteWrite"])
    entries[-1]["sigv4"]["externalID"] = "by-hand"
    body = stored(api_server)
    body["spec"]["remoteWrite"] = entries
    api_server.seed({name: body[name] for name in ("apiVersion", "kind", "metadata", "spec")})
    (change,) = run(sandbox).changes
    assert entry_of(api_server)["sigv4"] == {"region": "eu-west-1"}
    assert "remove sigv4.roleArn, sigv4.externalID" in change.summary
    assert run(sandbox).changes == ()


def test_a_repeated_entry_is_moved_by_its_name(sandbox: Sandbox, api_server: ApiServer) -> None:
    run(sandbox, name="amp")
    moved = URL.replace("1234", "5678")
    result = run(sandbox, name="amp", remote_write_url=moved)
    assert f"correct the entry's url to {moved} (it was {URL})" in result.changes[0].summary
    assert [entry["url"] for entry in spec_of(api_server)["remoteWrite"]] == [OTHER_URL, moved]
    remove(sandbox)
    assert spec_of(api_server)["remoteWrite"] == SPEC["remoteWrite"]


# --- what is there already --------------------------------------------------------------------------------------------


def with_entry(api_server: ApiServer, **entry: t.Any) -> None:
    api_server.seed(manifest(remoteWrite=[{"url": URL, **entry}]))


def test_the_guides_mistakes_are_repaired(sandbox: Sandbox, api_server: ApiServer) -> None:
    api_server.seed(manifest(remoteWrite=[{"url": f"{URL}/", "sigv4": {"roleArn": ROLE}, "remoteTimeout": "30s"}]))
    (change,) = run(sandbox).changes
    assert spec_of(api_server)["remoteWrite"] == [
        {"url": URL, "sigv4": {"region": "eu-west-1"}, "remoteTimeout": "30s"}
    ]
    for words in ("correct the entry's url", "set sigv4.region to eu-west-1", f"remove sigv4.roleArn {ROLE}"):
        assert words in change.summary
    # It was there before: only the identity of the pods is taken back.
    removed = remove(sandbox)
    assert spec_of(api_server)["remoteWrite"][0]["url"] == URL
    assert "the collection did not add it" in removed.warnings[0]


def test_an_entry_without_credentials_is_signed(sandbox: Sandbox, api_server: ApiServer) -> None:
    with_entry(api_server, headers={"X-Team": "a"})
    run(sandbox)
    assert entry_of(api_server) == {"url": URL, "headers": {"X-Team": "a"}, "sigv4": {"region": "eu-west-1"}}


def test_what_is_asked_for_by_name_is_set_on_entries_of_others(sandbox: Sandbox, api_server: ApiServer) -> None:
    with_entry(api_server, sigv4={"region": "eu-west-1"}, queueConfig={"maxShards": 5, "capacity": 7})
    run(sandbox, queue_config={"max_shards": 9})
    assert entry_of(api_server)["queueConfig"] == {"maxShards": 9, "capacity": 7}


SECRET = {"name": "aws", "key": "access"}


@pytest.mark.parametrize(
    "entry",
    [
        {"basicAuth": {"username": SECRET, "password": SECRET}},
        {"authorization": {"credentials": SECRET}},
        {"oauth2": {"clientId": {}, "clientSecret": SECRET, "tokenUrl": "https://x"}},
        {"azureAd": {"managedIdentity": {"clientId": "0b4b5b0c"}}},
        {"bearerToken": "hunter2"},
        {"bearerTokenFile": "/token"},
        {"sigv4": {"region": "eu-west-1", "profile": "amp"}},
        {"sigv4": {"region": "eu-west-1", "accessKey": SECRET, "secretKey": SECRET}},
        {"sigv4": {"region": "eu-west-1", "roleArn": CHAINED}},
    ],
)
def test_other_credentials_are_a_conflict_that_shows_both(sandbox: Sandbox, api_server: ApiServer, entry: Json) -> None:
    with_entry(api_server, **entry)
    message = refusal(sandbox)
    assert f"already has a remoteWrite entry for {URL} with other credentials: " in message
    assert next(iter(entry)) in message
    assert 'wanted is {"sigv4": {"region": "eu-west-1"}}' in message
    assert "hunter2" not in message


def test_a_name_that_is_taken(sandbox: Sandbox, api_server: ApiServer) -> None:
    api_server.seed(manifest(remoteWrite=[{"url": OTHER_URL, "name": "amp"}]))
    message = refusal(sandbox, name="amp")
    assert f"has a remoteWrite entry called 'amp' for {OTHER_URL}" in message
    assert URL in message


def test_external_labels_of_others(sandbox: Sandbox) -> None:
    assert "the external label cluster with the value 'fresh'; wanted is 'x'" in refusal(
        sandbox, external_labels={"cluster": "x"}
    )
    assert "sets the external label prometheus_replica" in refusal(sandbox, external_labels={"prometheus_replica": "x"})
    assert run(sandbox, external_labels={"cluster": "fresh"}).changes[0].summary.count("external label") == 0


def test_the_pod_through_the_containers_patch(sandbox: Sandbox, api_server: ApiServer) -> None:
    """What somebody patches into the container stays, and counts."""
    patch = {
        "name": "prometheus",
        "image": "registry.example.net/prometheus:v3.5.0",
        "env": [{"name": "GOMEMLIMIT", "value": "1GiB"}, {"name": "AWS_REGION", "value": "us-east-1"}],
        "volumeMounts": [{"name": "own", "mountPath": "/own"}],
    }
    sidecar = {"name": "proxy", "image": "proxy:1"}
    volumes = [{"name": "own", "emptyDir": {}}]
    api_server.seed(manifest(containers=[sidecar, patch], volumes=volumes, volumeMounts=[]))
    before = spec_of(api_server)
    (change,) = run(sandbox).changes
    assert "set AWS_REGION to eu-west-1 (it was us-east-1)" in change.summary
    first, second = spec_of(api_server)["containers"]
    assert first == sidecar
    assert {**second, "env": []} == {**patch, "env": []}
    assert second["env"][:2] == [patch["env"][0], {"name": "AWS_REGION", "value": "eu-west-1"}]  # type: ignore[index]
    assert [mount["name"] for mount in spec_of(api_server)["volumeMounts"]] == ["aws-iam-token"]
    assert run(sandbox).changes == ()
    remove(sandbox)
    assert spec_of(api_server) == before


def test_a_mount_that_stands_in_both_lists_stays_in_both(sandbox: Sandbox, api_server: ApiServer) -> None:
    certs, other = {"name": "certs", "mountPath": "/certs"}, {"name": "other", "mountPath": "/other"}
    volumes = [{"name": "certs", "emptyDir": {}}, {"name": "other", "emptyDir": {}}]
    patch = {"name": "prometheus", "volumeMounts": [certs]}
    api_server.seed(manifest(containers=[patch], volumes=volumes, volumeMounts=[certs, other]))
    before = spec_of(api_server)
    run(sandbox)
    after = spec_of(api_server)
    assert after["volumeMounts"][:2] == [certs, other]
    assert [mount["name"] for mount in after["volumeMounts"]] == ["certs", "other", "aws-iam-token"]
    assert after["containers"][0]["volumeMounts"] == [certs]
    assert run(sandbox).changes == ()
    remove(sandbox)
    assert spec_of(api_server) == before


def test_a_token_that_is_mounted_through_the_containers_patch_is_accepted(
    sandbox: Sandbox, api_server: ApiServer
) -> None:
    source = {"serviceAccountToken": {"audience": "sts.amazonaws.com", "path": "aws", "expirationSeconds": 3600}}
    patch = {
        "name": "prometheus",
        "env": [{"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/tokens/aws"}],
        "volumeMounts": [{"name": "tokens", "mountPath": "/tokens"}],
    }
    volumes = [{"name": "tokens", "projected": {"sources": [source]}}]
    api_server.seed(manifest(containers=[patch], volumes=volumes, volumeMounts=[]))
    run(sandbox)
    assert spec_of(api_server)["volumes"] == volumes
    assert spec_of(api_server)["containers"][0]["env"][0] == patch["env"][0]


def test_stray_credentials_stop_the_run(sandbox: Sandbox, api_server: ApiServer) -> None:
    env = [{"name": "AWS_ACCESS_KEY_ID", "value": "AKIA"}]
    api_server.seed(manifest(containers=[{"name": "prometheus", "env": env}]))
    assert "sets AWS_ACCESS_KEY_ID in the container prometheus" in refusal(sandbox)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws", "namespace": "monitoring"}}
    api_server.seed({**secret, "stringData": {"AWS_PROFILE": "x"}})
    loads = {"name": "prometheus", "envFrom": [{"secretRef": {"name": "aws"}}]}
    api_server.seed(manifest(containers=[loads]))
    assert "loads AWS_PROFILE from Secret monitoring/aws" in refusal(sandbox)


# --- versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "options", "words"),
    [
        ({"version": "v2.25.0"}, {}, "Prometheus 2.25.0 can't sign requests to AWS"),
        ({"version": "v2.54.0"}, {"use_fips_sts_endpoint": True}, "does not know sigv4.use_fips_sts_endpoint"),
        ({"image": "prom/prometheus:v2.54.0"}, {"use_fips_sts_endpoint": True}, "Prometheus 2.54.0 does not know"),
        (
            {"version": "v3.10.0"},
            {"external_id": "x", "chained_role_arn": CHAINED},
            "leaves external_id out for Prometheus 3.10.0",
        ),
        ({}, {"service_name": "aps"}, "does not know spec.remoteWrite.sigv4.serviceName"),
    ],
)
def test_versions_gate_what_may_be_asked_for(
    sandbox: Sandbox, api_server: ApiServer, spec: Json, options: Json, words: str
) -> None:
    api_server.seed(manifest(**spec))
    assert words in refusal(sandbox, **options)
    assert words in refusal(sandbox, check_mode=True, **options)


def test_an_unknown_version_is_a_warning(sandbox: Sandbox, api_server: ApiServer) -> None:
    found = manifest()
    del found["spec"]["version"]
    api_server.seed(found)
    result = run(sandbox, use_fips_sts_endpoint=True)
    assert any("The version of this Prometheus is not known" in warning for warning in result.warnings)


def older(api_server: ApiServer, release: tuple[int, int]) -> None:
    for definition in definitions(release):
        api_server.seed(definition)


def test_an_operator_that_can_not_sign(sandbox: Sandbox, api_server: ApiServer) -> None:
    older(api_server, (0, 50))
    for check_mode in (True, False):
        message = refusal(sandbox, check_mode=check_mode)
        assert "does not know spec.remoteWrite.sigv4" in message
        assert "(it is of prometheus-operator 0.50.0)" in message
        assert "prometheus-operator 0.53.0 or later" in message or "prometheus-operator 0.52.0 or later" in message


def test_a_default_that_the_operator_does_not_know_is_left_out(sandbox: Sandbox, api_server: ApiServer) -> None:
    older(api_server, (0, 52))
    run(sandbox)
    assert "retryOnRateLimit" not in entry_of(api_server)["queueConfig"]
    assert run(sandbox).changes == ()
    assert "queueConfig.retryOnRateLimit" in refusal(sandbox, queue_config={"retry_on_http_429": True})


RULES = (
    Rule(("get", "patch"), ("prometheuses",), ("monitoring.coreos.com",), ("monitoring",)),
    Rule(("get",), ("serviceaccounts", "secrets", "configmaps"), namespaces=("monitoring",)),
    Rule(("get",), ("statefulsets",), ("apps",), ("monitoring",)),
    Rule(("list",), ("pods",), namespaces=("monitoring",)),
)


def kubeconfig_of(sandbox: Sandbox, folder: Path, token: str) -> str:
    """The sandbox's kubeconfig with another bearer token."""
    text = sandbox.kubeconfig.read_text(encoding="utf-8")
    path = folder / "kubeconfig"
    path.write_text(text.replace(sandbox.api_server("fresh").controller_token, token), encoding="utf-8")
    return str(path)


def test_without_the_right_to_read_definitions(sandbox: Sandbox, api_server: ApiServer, tmp_path: Path) -> None:
    api_server.grant("f" * 64, RULES, "operator-editor")
    config = kubeconfig_of(sandbox, tmp_path, "f" * 64)
    older(api_server, (0, 50))
    for check_mode in (True, False):
        message = refusal(sandbox, check_mode=check_mode, kubeconfig=config)
        assert "does not know spec.remoteWrite.sigv4" in message
        assert "scrapeInterval" not in message
    older(api_server, (0, 91))
    run(sandbox, kubeconfig=config)
    assert entry_of(api_server)["sigv4"] == {"region": "eu-west-1"}


def test_a_missing_right_is_named(sandbox: Sandbox, api_server: ApiServer, tmp_path: Path) -> None:
    api_server.grant("e" * 64, (Rule(("get",), ("*",), ("*",)),), "reader")
    config = kubeconfig_of(sandbox, tmp_path, "e" * 64)
    right = "'patch' on 'prometheuses' of the API group 'monitoring.coreos.com' in namespace 'monitoring'"
    assert right in refusal(sandbox, kubeconfig=config)
    checked = run(sandbox, check_mode=True, kubeconfig=config)
    assert any(right in warning for warning in checked.warnings)


def test_a_server_that_is_not_strict_is_seen_through(
    sandbox: Sandbox, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As through a run command, whose kubectl can't ask for strict validation."""
    older(api_server, (0, 50))
    patch = KubeClient.merge_patch

    def lenient(self: KubeClient, *arguments: t.Any, strict: bool = False, **named: t.Any) -> Json:
        assert strict
        return patch(self, *arguments, **named)

    monkeypatch.setattr(KubeClient, "merge_patch", lenient)
    monkeypatch.setattr(
        "ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_operator."
        "OperatorResource._known_fields",
        lambda self: None,  # noqa: ARG005  # a method's parameter
    )
    assert "does not know spec.remoteWrite.sigv4" in refusal(sandbox, check_mode=True)
    with pytest.raises(ApplyFailed) as caught:
        run(sandbox)
    values = failure_values(caught.value)
    assert "does not know spec.remoteWrite.sigv4" in str(values["msg"])
    assert values["changed"] is True


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"configmap": "x"}, "the operator writes the configuration of a Prometheus itself"),
        ({"config_secret": "x"}, "'config_secret' is given"),
        ({"container": "config-reloader"}, "calls the container of a Prometheus 'prometheus'"),
        ({"workload_name": "nowhere"}, "There is no Prometheus monitoring/nowhere"),
        ({"service_account": "nobody"}, "There is no ServiceAccount monitoring/nobody"),
        ({"role_arn": KNOWN_AFTER_APPLY}, "--tags iam_web_identity"),
        ({"chained_role_arn": ROLE}, "the federated role itself"),
    ],
)
def test_bad_input_is_one_sentence(sandbox: Sandbox, options: Json, words: str) -> None:
    assert words in refusal(sandbox, **options)


def test_a_cluster_without_the_operator(sandbox: Sandbox) -> None:
    message = refusal(sandbox, context="finished")
    assert "does not know the kind Prometheus of monitoring.coreos.com/v1" in message
    assert remove(sandbox, context="finished").changes == ()


def test_paused_twins_and_typos(sandbox: Sandbox, api_server: ApiServer) -> None:
    api_server.seed(manifest(paused=True))
    assert "is paused (spec.paused)" in refusal(sandbox)
    api_server.seed(manifest(containers=[{"name": "prometheus"}, {"name": "prometheus"}], paused=False))
    assert "several containers called prometheus" in refusal(sandbox)
    applied = manifest(remotewrite=[])
    annotation = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(applied)}
    found = manifest()
    found["metadata"]["annotations"] = annotation
    api_server.seed(found)
    assert any("names spec.remotewrite, which the operator does not know" in text for text in run(sandbox).warnings)


def test_unknown_fields_of_sigv4(sandbox: Sandbox, api_server: ApiServer) -> None:
    """Where the definition keeps what it does not know, the operator still does not know it."""
    for definition in definitions():
        schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        schema["properties"]["spec"] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        api_server.seed(definition)
    with_entry(api_server, sigv4={"region": "eu-west-1", "roleARN": CHAINED})
    assert "fields of sigv4 that prometheus-operator does not know: roleARN" in refusal(sandbox)


def test_what_the_operator_generates_points_to_its_resource(sandbox: Sandbox) -> None:
    options = {"workload_kind": "StatefulSet", "workload_name": "prometheus-k8s", "configmap": "prometheus-config"}
    message = refusal(sandbox, **options)
    assert "is generated from Prometheus k8s" in message
    assert "workload_kind: Prometheus, workload_name: k8s" in message


# --- others -----------------------------------------------------------------------------------------------------------


def test_warnings_of_what_a_change_is_up_against(sandbox: Sandbox, api_server: ApiServer) -> None:
    found = manifest()
    found["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "Helm"}
    found["metadata"]["annotations"] = {"meta.helm.sh/release-name": "stack"}
    api_server.seed(found)
    warnings = run(sandbox).warnings
    assert any("is kept by Helm (the release stack)" in warning for warning in warnings)
    assert any("see that prometheus-sa has those of prometheus-k8s (RBAC)" in warning for warning in warnings)
    assert run(sandbox).warnings == ()


def test_an_agent_on_every_node_is_warned_of_its_volumes(sandbox: Sandbox, api_server: ApiServer) -> None:
    daemon = manifest("edge", "PrometheusAgent", mode="DaemonSet", volumes=[], volumeMounts=[])
    del daemon["spec"]["replicas"]
    api_server.seed(daemon)
    options = {"workload_kind": "PrometheusAgent", "workload_name": "edge"}
    result = run(sandbox, **options, wait=False)
    assert any("have ignored spec.volumes" in warning for warning in result.warnings)
    again = run(sandbox, **options, pod_label=True, wait=False)
    assert any("The operator could not make what" in warning for warning in again.warnings)
    with pytest.raises(errors.CheckFailed) as caught:
        run(sandbox, **options, external_labels={"team": "a"})
    assert "The operator can't bring PrometheusAgent monitoring/edge about" in str(caught.value)


def test_a_failing_rollout_is_rolled_back(sandbox: Sandbox, api_server: ApiServer) -> None:
    daemon = manifest("edge", "PrometheusAgent", mode="DaemonSet", volumes=[], volumeMounts=[])
    del daemon["spec"]["replicas"]
    api_server.seed(daemon)
    before = spec_of(api_server, "PrometheusAgent", "edge")
    with pytest.raises(errors.CheckFailed) as caught:
        run(sandbox, workload_kind="PrometheusAgent", workload_name="edge", rollback=True)
    assert spec_of(api_server, "PrometheusAgent", "edge") == before
    assert t.cast("Json", caught.value.facts["rollout_status"])["rolled_back"] is True


def test_another_writer_is_never_overwritten(
    sandbox: Sandbox, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch = KubeClient.merge_patch
    raced: list[str] = []

    def racing(self: KubeClient, *arguments: t.Any, **named: t.Any) -> Json:
        if not raced:
            raced.append("once")
            spec = spec_of(api_server)
            spec["volumes"] = [*spec["volumes"], {"name": "theirs", "emptyDir": {}}]
            spec["externalLabels"] = {"cluster": "fresh", "theirs": "too"}
            api_server.seed({**manifest(), "spec": spec})
        return patch(self, *arguments, **named)

    monkeypatch.setattr(KubeClient, "merge_patch", racing)
    result = run(sandbox, external_labels={"team": "metrics"})
    assert len(result.changes) == 1
    spec = spec_of(api_server)
    assert [volume["name"] for volume in spec["volumes"]] == ["extra", "theirs", "aws-iam-token"]
    assert spec["externalLabels"] == {"cluster": "fresh", "theirs": "too", "team": "metrics"}


def test_removal_keeps_what_others_made_of_it(sandbox: Sandbox, api_server: ApiServer) -> None:
    run(sandbox, external_labels={"team": "metrics"})
    found = stored(api_server)
    mine = next(entry for entry in found["spec"]["remoteWrite"] if entry["url"] == URL)
    mine |= {"basicAuth": {"username": SECRET}}
    del mine["sigv4"]
    found["spec"]["externalLabels"]["team"] = "theirs"
    found["spec"]["serviceAccountName"] = "another"
    api_server.seed(found)
    result = remove(sandbox, wait=False)
    kept = t.cast("list[str]", result.facts["kept"])
    assert any("it has other credentials by now" in sentence for sentence in kept)
    assert any("The external label team" in sentence for sentence in kept)
    assert any("The service account" in sentence for sentence in kept)
    assert entry_of(api_server)["basicAuth"] == {"username": SECRET}
    assert "aws-iam-token" not in {volume["name"] for volume in spec_of(api_server)["volumes"]}
    assert remove(sandbox, wait=False).changes == ()


def test_one_workspace_of_several_is_removed(sandbox: Sandbox, api_server: ApiServer) -> None:
    other = URL.replace("1234", "5678")
    run(sandbox, additional_remote_writes=[{"remote_write_url": other, "region": "eu-west-1"}])
    values: Json = {"state": "absent", "service_account": None, "role_arn": None, "region": None}
    result = run(sandbox, **values, remote_write_url=f"{other}/")
    assert [entry["url"] for entry in spec_of(api_server)["remoteWrite"]] == [OTHER_URL, URL]
    assert any("it is used by the entry for" in sentence for sentence in t.cast("list[str]", result.facts["kept"]))
    assert spec_of(api_server)["serviceAccountName"] == "prometheus-sa"
    remove(sandbox)
    assert spec_of(api_server) == {
        **SPEC,
        "portName": "web",
        "scrapeInterval": "30s",
        "evaluationInterval": "30s",
    }
    assert RECORD_ANNOTATION not in stored(api_server)["metadata"].get("annotations", {})


def test_a_role_that_is_not_known_yet_is_planned(sandbox: Sandbox, api_server: ApiServer) -> None:
    before = stored(api_server)
    unknown = {"role_arn": KNOWN_AFTER_APPLY, "region": KNOWN_AFTER_APPLY, "remote_write_url": KNOWN_AFTER_APPLY}
    result = run(sandbox, check_mode=True, service_account="nobody-yet", **unknown)
    after = t.cast("Json", result.changes[0].after)
    assert after["containers"]["prometheus"]["env"]["AWS_ROLE_ARN"] == KNOWN_AFTER_APPLY
    assert stored(api_server) == before
