# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pods of a Prometheus as a link: what keeps them from running, what they lack, and what they complain of."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.consequences import settled
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import (
    Finding,
    LinkName,
    Proof,
    Status,
    is_unexplained,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from sandbox import manifests
from sandbox.kubernetes.access import Rule
from sandbox.kubernetes.fates import Fate, FateKind
from sandbox.testing import running_sandbox
from tests.unit.plugins.module_utils._resources.cluster_diagnosis import NAMESPACE, Ward, findings, healthy, kinds_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server import Sandbox

Json = dict[str, t.Any]

RESTART = "kubectl rollout restart deployment/prometheus --namespace monitoring"
SECRET_TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def ward(running: Sandbox) -> Ward:
    running.reset()
    return Ward(running)


def the_only(ward: Ward) -> Finding:
    (found,) = findings(ward.look())
    return found


# --- pods that do not run ---------------------------------------------------------------------------------------------


STARTING: t.Final[dict[FateKind, tuple[str, str]]] = {
    FateKind.UNSCHEDULABLE: ("unschedulable", "1 Insufficient memory"),
    FateKind.IMAGE: ("image_not_pulled", "Failed to pull image"),
    FateKind.MOUNT: ("volume_not_mounted", 'configmap "nowhere" not found'),
    FateKind.CONFIG_ERROR: ("object_missing", 'secret "nowhere" not found'),
    FateKind.UNREADY: ("not_ready", "Readiness probe failed"),
}


@pytest.mark.parametrize("kind", list(STARTING))
def test_what_keeps_a_pod_from_running_is_named_with_the_event_that_says_so(ward: Ward, kind: FateKind) -> None:
    ending, said = STARTING[kind]
    ward.server.set_fate(Fate(kind, "monitoring/prometheus-*"))
    ward.restart()
    found = the_only(ward)
    assert (found.kind, found.severity) == (f"pods_{ending}", Severity.HIGH)
    assert said in found.source
    ward.server.clear_fates()
    assert healthy(ward.look())


def test_pods_that_are_late_beside_others_that_run_hinder_nothing(ward: Ward) -> None:
    ward.change("Deployment", manifests.WORKLOAD, lambda body: body["spec"].update(replicas=2))
    ward.server.set_fate(Fate(FateKind.UNREADY, "monitoring/prometheus-*"))
    name = ward.pods()[0]["metadata"]["name"]
    ward.delete(f"/api/v1/namespaces/{NAMESPACE}/pods/{name}")
    found = the_only(ward)
    assert (found.kind, found.severity) == ("pods_not_ready", Severity.MEDIUM)


def test_a_workload_that_is_scaled_to_nothing(ward: Ward) -> None:
    ward.change("Deployment", manifests.WORKLOAD, lambda body: body["spec"].update(replicas=0))
    found = the_only(ward)
    assert (found.kind, found.severity, found.found) == ("pods_none_wanted", Severity.HIGH, "0")
    ward.change("Deployment", manifests.WORKLOAD, lambda body: body["spec"].update(replicas=1))
    assert healthy(ward.look())


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_pods_that_can_not_be_made_are_missing_for_the_reason_that_the_cluster_gives(ward: Ward, kind: str) -> None:
    if kind == "StatefulSet":
        body = ward.get("Deployment", manifests.WORKLOAD)
        ward.delete(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{manifests.WORKLOAD}")
        ward.server.set_fate(Fate(FateKind.REFUSED, "monitoring/prometheus*"))
        spec = {name: body["spec"][name] for name in ("selector", "template")}
        metadata = {"name": manifests.WORKLOAD, "namespace": NAMESPACE}
        spec |= {"replicas": 1, "serviceName": "prometheus"}
        ward.server.seed({"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec})
    else:
        ward.server.set_fate(Fate(FateKind.REFUSED, "monitoring/prometheus*"))
        ward.restart()
    (found,) = findings(ward.look(ward.chain(), ward.prometheus(kind)))
    assert (found.kind, found.severity, found.expected) == ("pods_not_made", Severity.HIGH, "1 pod")
    assert "exceeded quota" in found.source


def test_a_service_account_that_is_missing_keeps_pods_from_being_made(ward: Ward) -> None:
    ward.delete(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/prometheus-sa")
    ward.restart()
    assert kinds_of(ward.look()) == ["service_account_missing", "pods_not_made"]
    ward.run_service_account()
    assert healthy(ward.look())


CRASHES: t.Final[dict[str, tuple[str, str]]] = {
    "log_not_authorized": (
        (
            'level=ERROR msg="Failed to apply configuration" err="could not get SigV4 credentials: operation error '
            "STS: AssumeRoleWithWebIdentity, https response error StatusCode: 403, api error AccessDenied: Not "
            f'authorized to perform sts:AssumeRoleWithWebIdentity; token {SECRET_TOKEN}"'
        ),
        "iam_web_identity",
    ),
    "log_no_web_identity": (
        (
            'level=error msg="Error loading config" err="could not get SigV4 credentials: NoCredentialProviders: no '
            'valid providers in chain"'
        ),
        "AWS_ROLE_ARN",
    ),
    "log_setting_unknown": (
        (
            'level=error msg="Error loading config (--config.file=x)" err="yaml: unmarshal errors: line 9: field '
            'external_id not found in type sigv4.plain"'
        ),
        "Update Prometheus",
    ),
    "log_data_locked": (
        (
            'level=ERROR msg="Fatal error" err="opening storage failed: lock DB directory: resource temporarily '
            'unavailable"'
        ),
        "Recreate",
    ),
    "crashing": ('level=error msg="panic: runtime error"', ""),
}


@pytest.mark.parametrize("ending", list(CRASHES))
def test_a_crash_is_explained_by_the_log_of_the_run_that_ended(ward: Ward, ending: str) -> None:
    log, advice = CRASHES[ending]
    ward.server.set_fate(Fate(FateKind.CRASH, "monitoring/prometheus-*", message=f"{log}\n"))
    ward.restart()
    found = the_only(ward)
    assert (found.kind, found.severity) == (f"pods_{ending}", Severity.HIGH)
    assert advice in found.fix
    assert found.source
    ward.server.clear_fates()
    assert healthy(ward.look())


def test_pods_that_were_evicted_and_pods_of_nobody_are_left_out(ward: Ward) -> None:
    """Kubernetes keeps evicted pods for a while; a copy for debugging may have the labels of the workload."""
    (pod,) = ward.pods()
    labels, spec = pod["metadata"]["labels"], {"containers": [{"name": "prometheus", "image": "busybox:1"}]}
    for name in ("prometheus-debug", "prometheus-evicted"):
        metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
        ward.server.seed({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    evicted = next(one for one in ward.pods() if one["metadata"]["name"] == "prometheus-evicted")
    evicted["metadata"]["ownerReferences"] = pod["metadata"]["ownerReferences"]
    evicted["status"] = {"phase": "Failed", "reason": "Evicted"}
    assert healthy(ward.look())


# --- pods that lack something -----------------------------------------------------------------------------------------


def old_pods(ward: Ward) -> None:
    """The pods were made before the step ran, and the strategy leaves them alone."""
    body = ward.get("Deployment", manifests.WORKLOAD)
    ward.delete(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{manifests.WORKLOAD}")
    spec = {name: body["spec"][name] for name in ("selector", "template")}
    spec |= {"replicas": 2, "serviceName": "prometheus", "updateStrategy": {"type": "OnDelete"}}
    metadata = {"name": manifests.WORKLOAD, "namespace": NAMESPACE}
    ward.server.seed({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": spec})


def test_pods_of_an_older_template_lack_the_identity_until_they_are_replaced(running: Sandbox) -> None:
    running.reset()
    ward = Ward(running, "halfdone")
    old_pods(ward)
    look = ward.prometheus("StatefulSet")
    ward.run_prometheus(workload_kind="StatefulSet")
    links = ward.look(ward.chain(), look)
    assert {link.name for link in links.values() if link.findings} == {LinkName.PODS}
    found = {one.kind: one for one in findings(links)}
    assert {"pods_token_volume_missing", "pods_token_mount_missing", "pods_variables_missing"} == set(found)
    one = found["pods_token_volume_missing"]
    assert "It was made from an older template." in one.cause
    assert "The same holds for 1 more." in one.cause
    assert "kubectl rollout restart statefulset/prometheus --namespace monitoring" in one.fix
    ward.restart()
    assert healthy(ward.look(ward.chain(), look))


def test_pods_that_lag_behind_in_something_else_are_told_apart(ward: Ward) -> None:
    old_pods(ward)

    def annotate(template: Json) -> None:
        template["metadata"].setdefault("annotations", {})["changed"] = "since"

    ward.change_template(annotate, "StatefulSet")
    (found,) = findings(ward.look(ward.chain(), ward.prometheus("StatefulSet")))
    assert (found.kind, found.severity) == ("pods_outdated", Severity.MEDIUM)
    ward.restart()
    assert healthy(ward.look(ward.chain(), ward.prometheus("StatefulSet")))


def test_pods_from_which_something_takes_the_identity_away(ward: Ward) -> None:
    """Admission gives them static credentials, as some injectors do; their template says nothing of it."""
    (pod,) = ward.pods()
    pod["spec"]["containers"][0]["env"].append({"name": "AWS_ACCESS_KEY_ID", "value": "AKIAIOSFODNN7EXAMPLE"})
    found = the_only(ward)
    assert (found.kind, found.severity) == ("pods_static_credentials", Severity.HIGH)
    assert "something changed the pod when it was made" in found.cause
    assert RESTART in found.fix
    assert "AKIA" not in repr(found)
    ward.restart()
    assert healthy(ward.look())


def test_a_prometheus_that_can_not_sign(ward: Ward) -> None:
    def downgrade(template: Json) -> None:
        template["spec"]["containers"][0]["image"] = "quay.io/prometheus/prometheus:v2.25.2"

    ward.change_template(downgrade)
    found = the_only(ward)
    assert (found.kind, found.severity, found.found) == ("pods_prometheus_too_old", Severity.HIGH, "2.25.2")
    assert found.expected == "2.26.0 at least"


def test_what_the_operator_could_not_make_is_told_in_its_words(ward: Ward) -> None:
    ward.seed_operator("Prometheus")
    ward.run_prometheus(configmap=None, workload_kind="Prometheus", workload_name="k8s")
    look = ward.prometheus("Prometheus", "k8s")
    assert healthy(ward.look(ward.chain(), look))
    resource = ward.server._store.select(_prometheuses(), NAMESPACE)[0]  # only the operator writes its status
    resource["status"] = {
        "conditions": [{"type": "Reconciled", "status": "False", "message": "container \x1b[31mx not found"}]
    }
    (found,) = findings(ward.look(ward.chain(), look))
    assert (found.kind, found.severity, found.source) == (
        "pods_operator_failed",
        Severity.HIGH,
        "container x not found",
    )


def _prometheuses() -> t.Any:
    from sandbox.kubernetes import kinds  # beside the store, which has no public list

    return kinds.PROMETHEUSES


def test_workloads_that_the_operator_has_not_made(ward: Ward) -> None:
    ward.seed_operator("Prometheus")
    ward.run_prometheus(configmap=None, workload_kind="Prometheus", workload_name="k8s")
    look = ward.prometheus("Prometheus", "k8s")
    resource = ward.server._store.select(_prometheuses(), NAMESPACE)[0]
    resource["spec"]["shards"] = 2
    (found,) = findings(ward.look(ward.chain(), look))
    assert (found.kind, found.expected) == ("pods_workload_missing", "StatefulSet monitoring/prometheus-k8s-shard-1")


# --- what they complain of --------------------------------------------------------------------------------------------


def complaint(ward: Ward, error: str, level: str = "ERROR") -> str:
    return (
        f'time=2026-01-01T10:00:00.000Z level={level} source=queue_manager.go:1670 msg="non-recoverable error" '
        f'component=remote remote_name=a1b2c3 url={ward.url} err="{error}"'
    )


STS = "could not get SigV4 credentials: operation error STS: AssumeRoleWithWebIdentity, api error"
LOGGED: t.Final[dict[str, tuple[str, Severity, str]]] = {
    # The texts of domain and guide, the kind's ending, and a part of the advice.
    "permission_missing": (
        (
            'server returned HTTP status 403 Forbidden: {\\"Message\\":\\"User: '
            'arn:aws:sts::123456789012:assumed-role/x/y is not authorized to perform: aps:RemoteWrite\\"}'
        ),
        Severity.HIGH,
        "aps:RemoteWrite",
    ),
    "url_not_of_the_workspace": (
        'server returned HTTP status 403 Forbidden: {\\"message\\":\\"Missing Authentication Token\\"}',
        Severity.HIGH,
        "without a trailing slash",
    ),
    "signed_for_another_region": (
        "server returned HTTP status 403 Forbidden: Credential should be scoped to a valid region.",
        Severity.HIGH,
        "region",
    ),
    "workspace_not_found": ("server returned HTTP status 404 Not Found: no such workspace", Severity.HIGH, "workspace"),
    "quota_exceeded": (
        "server returned HTTP status 429 Too Many Requests: ingestion rate limit (70000) exceeded",
        Severity.MEDIUM,
        "retry_on_http_429",
    ),
    "service_in_trouble": ("server returned HTTP status 503 Service Unavailable: x", Severity.MEDIUM, "Health"),
    "sample_refused": ("server returned HTTP status 400 Bad Request: out of order sample", Severity.MEDIUM, "clock"),
    "audience_not_listed": (
        f"{STS} InvalidIdentityToken: Incorrect token audience",
        Severity.HIGH,
        "client IDs",
    ),
    "no_provider_for_issuer": (
        f"{STS} InvalidIdentityToken: No OpenIDConnect provider found in your account for https://x/",
        Severity.HIGH,
        "provider",
    ),
    "thumbprint_mismatch": (
        f"{STS} InvalidIdentityToken: OpenIDConnect provider's HTTPS certificate doesn't match configured thumbprint",
        Severity.HIGH,
        "iam_web_identity",
    ),
    "token_expired": (f"{STS} ExpiredTokenException: Token expired: x must be before y", Severity.HIGH, "clock"),
    "not_authorized": (
        f"{STS} AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
        Severity.HIGH,
        "iam_web_identity",
    ),
    "role_chained_to_itself": (
        (
            "api error AccessDenied: User: arn:aws:sts::1:assumed-role/r/s is not authorized to perform: "
            "sts:AssumeRole on resource: arn:aws:iam::1:role/r"
        ),
        Severity.HIGH,
        "role_arn",
    ),
    "no_web_identity": (
        "could not get SigV4 credentials: NoCredentialProviders: no valid providers in chain",
        Severity.HIGH,
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ),
    "token_file_missing": (
        (
            "WebIdentityErr: failed fetching WebIdentity token: open "
            "/var/run/secrets/azure/tokens/azure-identity-token: no such file or directory"
        ),
        Severity.HIGH,
        "mount of the token",
    ),
    "certificate_unknown": (
        "Post x: tls: x509: certificate signed by unknown authority",
        Severity.HIGH,
        "SSL_CERT_FILE",
    ),
}


@pytest.mark.parametrize("kind", list(LOGGED))
def test_each_error_of_a_running_prometheus_is_a_kind_of_its_own(ward: Ward, kind: str) -> None:
    error, severity, advice = LOGGED[kind]
    ward.say(complaint(ward, error))
    found = the_only(ward)
    assert (found.kind, found.severity) == (f"pods_log_{kind}", severity)
    assert advice in found.fix
    assert found.source
    assert found.cause.startswith("Prometheus in the pod prometheus-")
    # What is mended shows when the configuration is loaded anew.
    ward.say('level=INFO msg="Completed loading of configuration file" filename=/etc/prometheus/prometheus.yml')
    assert healthy(ward.look())


@pytest.mark.parametrize(
    "line",
    [
        (
            '{{"time":"2026-01-01T10:00:00Z","level":"ERROR","msg":"non-recoverable error","component":"remote",'
            '"url":"{url}","err":"server returned HTTP status 403 Forbidden: not authorized"}}'
        ),
        (
            "ts=2026-01-01T10:00:00Z caller=dedupe.go:112 component=remote level=error remote_name=a url={url} "
            'msg="non-recoverable error while sending samples" err="server returned HTTP status 403 Forbidden: x"'
        ),
    ],
    ids=["json", "2.x"],
)
def test_every_form_of_its_log_is_read(ward: Ward, line: str) -> None:
    ward.say(line.format(url=ward.url))
    assert the_only(ward).kind == "pods_log_permission_missing"


def test_an_error_of_before_is_over(ward: Ward) -> None:
    ward.say(complaint(ward, "server returned HTTP status 403 Forbidden: x"), age=1200)
    assert healthy(ward.look())


@pytest.mark.parametrize(
    "line",
    [
        'level=ERROR component=remote url=https://metrics.example.net/push err="server returned HTTP status 401: no"',
        'level=WARN component="scrape manager" msg="Error on ingesting out-of-order samples" num_dropped=3',
        'level=ERROR component="rule manager" msg="Evaluating rule failed" err="query timed out"',
        'level=INFO component=remote msg="Remote storage resharding" from=1 to=2',
        'level=INFO msg="Starting WAL watcher" component=remote url={url}',
    ],
)
def test_complaints_about_something_else_are_no_findings(ward: Ward, line: str) -> None:
    ward.say(line.format(url=ward.url))
    assert healthy(ward.look())


@pytest.mark.parametrize(("times", "severity"), [(1, Severity.MEDIUM), (3, Severity.HIGH)])
def test_a_network_that_fails_once_is_no_more_than_that(ward: Ward, times: int, severity: Severity) -> None:
    error = f'Post \\"{ward.url}\\": dial tcp: lookup aps-workspaces.eu-west-1.amazonaws.com: no such host'
    for _unused in range(times):
        ward.say(complaint(ward, error, "WARN"))
    found = the_only(ward)
    assert (found.kind, found.severity) == ("pods_log_aws_not_reached", severity)
    assert "port 443" in found.fix


def test_what_nobody_knows_is_shown_raw_with_what_was_ruled_out(ward: Ward) -> None:
    ward.say(complaint(ward, f"the moon is in the wrong house; token {SECRET_TOKEN}"))
    links = ward.look()
    found = links[LinkName.PODS].findings[0]
    assert (found.kind, found.severity) == ("pods_log_unexplained", Severity.MEDIUM)
    assert found.source == "the moon is in the wrong house; token <redacted>"
    assert is_unexplained(found)
    proof = Proof(tuple(links.values()), LinkName.PODS)
    assert "configuration" in proof.report()[0]["ruled_out"]  # type: ignore[operator]  # a list, as documented


def test_logs_of_hostile_content_are_shown_clean(ward: Ward) -> None:
    ward.say(complaint(ward, "\x1b]0;owned\x07sigv4 \u202efailed " + "x" * 5000))
    found = the_only(ward)
    assert all(ord(letter) >= 32 and letter != "\u202e" for letter in repr(found))
    assert len(found.source) <= 400


def test_only_some_logs_of_many_pods_are_read(ward: Ward) -> None:
    ward.change("Deployment", manifests.WORKLOAD, lambda body: body["spec"].update(replicas=12))
    ward.look()
    before = ward.sandbox.world.log.since()[-1].number
    assert healthy(ward.look())
    reads = [request for request in ward.sandbox.world.log.since(before) if request.operation == "get pods/log"]
    assert len(reads) == 5


def test_events_that_may_not_be_read_are_named_and_hinder_nothing(ward: Ward) -> None:
    ward.server.set_fate(Fate(FateKind.REFUSED, "monitoring/prometheus*"))
    ward.restart()
    token = ward.user(
        Rule(("get",), ("serviceaccounts", "configmaps")),
        Rule(("get",), ("deployments",), ("apps",)),
        Rule(("list",), ("pods",)),
    )
    link = ward.look(token=token)[LinkName.PODS]
    assert link.status is Status.BROKEN
    assert [one.kind for one in link.findings] == ["pods_not_made"]
    assert "'list' on 'events' in namespace 'monitoring'" in link.fix


def test_a_complaint_that_an_earlier_link_explains_is_no_finding_of_its_own(ward: Ward) -> None:
    ward.change_text(("    sigv4:\n      region: eu-west-1\n", "    sigv4:\n      region: us-east-1\n"))
    error = "server returned HTTP status 403 Forbidden: Credential should be scoped to a valid region."
    ward.say(complaint(ward, error))
    links = ward.look()
    assert kinds_of(links) == ["configuration_other_region", "pods_log_signed_for_another_region"]
    left = {link.name: link for link in settled(tuple(links.values()))}
    assert kinds_of(left) == ["configuration_other_region"]
    assert left[LinkName.PODS].status is Status.BROKEN
    assert "It follows from what is wrong with the configuration." in left[LinkName.PODS].summary
