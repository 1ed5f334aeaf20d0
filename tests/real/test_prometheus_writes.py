# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Prometheus, with what the playbook rendered onto a real API server, writes to a workspace that checks it."""

from __future__ import annotations

import contextlib
import json
import time
import typing as t
import urllib.parse
import urllib.request

import pytest

from sandbox import estate, manifests
from sandbox.world import AWS_ACCOUNT
from tests.real import pods
from tests.real.conftest import configuration
from tests.real.parts import PROMETHEUS_NAMES
from tests.real.pods import Pod, running_container
from tests.real.programs import LOOPBACK, free_port, started, wait_until
from tests.real.webhook import LABEL, RELEASES

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.world import Exchange, Json, Sample
    from tests.real.conftest import RealEstate
    from tests.real.parts import Parts

SELECTOR = "app.kubernetes.io/name=prometheus"
ROLE = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-"
SUBJECT = "system:serviceaccount:monitoring:prometheus-sa"
_DEPLOYMENT = f"/apis/apps/v1/namespaces/{manifests.NAMESPACE}/deployments/{manifests.WORKLOAD}"
_STRATEGIC = "application/strategic-merge-patch+json"
_SECONDS = 60.0


def test_parts_of_the_tests_are_what_they_are_called(parts: Parts, tmp_path: Path) -> None:
    for name, version in (("prometheus-2.53", "version 2."), ("prometheus-3.5", "version 3.")):
        for program in ("prometheus", "promtool"):
            with started(program, [parts.program(name, program), "--version"], tmp_path / f"{name}-{program}") as run:
                run.process.wait(10)
                assert version in run.said()


@pytest.fixture
def receiver(parts: Parts, real_estate: RealEstate, tmp_path: Path) -> Iterator[str]:
    """A second Prometheus, behind the workspaces: gives its URL."""
    url = f"http://{LOOPBACK}:{free_port()}"
    config = tmp_path / "receiver.yml"
    config.write_text("global: {}\n", encoding="utf-8")
    command: list[str | Path] = [
        *(parts.program("prometheus-3.5", "prometheus"), f"--config.file={config}"),
        *(f"--storage.tsdb.path={tmp_path / 'receiver'}", f"--web.listen-address={url.removeprefix('http://')}"),
        "--web.enable-remote-write-receiver",
    ]
    with started("receiver", command, tmp_path / "receiver.log") as program:
        program.wait_for("readiness", lambda: _get(f"{url}/-/ready") is not None, _SECONDS)
        real_estate.set(aps_receiver=url)
        yield url
        real_estate.set(aps_receiver="")


@pytest.mark.parametrize("version", PROMETHEUS_NAMES)
def test_samples_arrive_by_web_identity_and_still_after_the_token_was_rotated(
    federated: RealEstate, parts: Parts, receiver: str, version: str, tmp_path: Path
) -> None:
    world = federated.sandbox.world
    world.exchanges.clear()
    pod = Pod.of(federated.clusters["fresh"], manifests.NAMESPACE, SELECTOR, manifests.CONTAINER, tmp_path / "pod")
    (token,) = pod.tokens
    assert token.claims["aud"] == ["sts.amazonaws.com"]
    assert token.claims["iss"] == federated.clusters["fresh"].issuer

    with running_container(pod, parts.program(version, "prometheus"), federated.sandbox, tmp_path / "run") as sender:
        issued = token.claims["iat"]
        assert wait_until(lambda: bool(_samples(federated, "fresh", issued)), _SECONDS), sender.said()
        # The credentials are got once when the configuration is loaded, to see that there are any, and once to sign.
        assert {one.token_sha256 for one in world.exchanges} == {token.sha256}
        assert {(one.role_arn, one.subject, one.audience) for one in world.exchanges} == {
            (f"{ROLE}fresh", SUBJECT, "sts.amazonaws.com")
        }
        sessions = {one.session_arn for one in world.exchanges}
        for sample in _samples(federated, "fresh", issued):
            assert sample.role_arn == f"{ROLE}fresh"
            assert sample.session_arn in sessions
            assert sample.federated_by.startswith(f"arn:aws:iam::{AWS_ACCOUNT}:oidc-provider/")

        time.sleep(1.1)  # tokens of one second are alike
        (rotated,) = pod.project_tokens()
        assert rotated.sha256 != token.sha256

        def exchanged() -> list[Exchange]:
            return [one for one in world.exchanges if one.token_sha256 == rotated.sha256]

        assert wait_until(lambda: bool(exchanged()), _SECONDS), sender.said()
        since = time.time()
        assert wait_until(lambda: bool(_samples(federated, "fresh", since)), _SECONDS), sender.said()
        assert exchanged()[0].session_arn in {sample.session_arn for sample in _samples(federated, "fresh", since)}

        query = 'up{job="prometheus",cluster="fresh"}'
        assert wait_until(lambda: _query(receiver, query) == [1.0], _SECONDS), _query(receiver, query)
        assert sender.running()
    # What did not go to the cloud under its own name would have been refused by the pod's own network.
    assert {request.status for request in world.log.since() if request.service == "proxy"} <= set()


@pytest.mark.parametrize("version", PROMETHEUS_NAMES)
def test_samples_arrive_where_no_namespaces_can_be_made(
    federated: RealEstate, parts: Parts, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pods, "namespaces_allowed", lambda: False)
    pod = Pod.of(federated.clusters["fresh"], manifests.NAMESPACE, SELECTOR, manifests.CONTAINER, tmp_path / "pod")
    since = time.time()
    with running_container(pod, parts.program(version, "prometheus"), federated.sandbox, tmp_path / "run") as sender:
        assert wait_until(lambda: bool(_samples(federated, "fresh", since)), _SECONDS), sender.said()


@pytest.mark.parametrize("version", PROMETHEUS_NAMES)
def test_the_guides_own_settings_give_prometheus_no_credentials(
    real_estate: RealEstate, parts: Parts, version: str, tmp_path: Path
) -> None:
    pod = Pod.of(real_estate.clusters["halfdone"], manifests.NAMESPACE, SELECTOR, manifests.CONTAINER, tmp_path / "pod")
    assert "role_arn" in configuration(real_estate, "halfdone")
    assert not any(name.startswith("AWS_") for name in pod.environment)
    with running_container(pod, parts.program(version, "prometheus"), real_estate.sandbox, tmp_path / "run") as sender:
        assert wait_until(lambda: not sender.running(), _SECONDS)
        assert "could not get SigV4 credentials" in sender.said()


@pytest.mark.parametrize("version", PROMETHEUS_NAMES)
def test_the_guides_token_has_the_wrong_audience(
    webhook_pod: Pod, real_estate: RealEstate, parts: Parts, version: str, tmp_path: Path
) -> None:
    guide = {"AWS_ROLE_ARN": f"{ROLE}finished", "AWS_WEB_IDENTITY_TOKEN_FILE": RELEASES["1.5.1"].token_file}
    program = parts.program(version, "prometheus")
    assert webhook_pod.environment["AZURE_FEDERATED_TOKEN_FILE"] == RELEASES["1.5.1"].token_file
    with running_container(webhook_pod, program, real_estate.sandbox, tmp_path / "run", guide) as sender:
        assert wait_until(lambda: not sender.running(), _SECONDS)
        assert "Incorrect token audience" in sender.said()
        assert "could not get SigV4 credentials" in sender.said()


@pytest.fixture(scope="module")
def webhook_pod(real_estate: RealEstate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """The pod of ``finished`` as the guide would have it, changed by the webhook of Azure Workload Identity."""
    cluster, api = real_estate.clusters["finished"], real_estate.api("finished")
    cluster.webhook.install("1.5.1")
    template: Json = {"metadata": {"labels": {LABEL: "true"}}}
    own = ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_REGION", "AWS_STS_REGIONAL_ENDPOINTS")
    container = {
        "name": manifests.CONTAINER,
        "env": [{"name": name, "$patch": "delete"} for name in own],
        "volumeMounts": [{"mountPath": "/var/run/secrets/aws", "$patch": "delete"}],
    }
    template["spec"] = {"containers": [container], "volumes": [{"name": "aws-iam-token", "$patch": "delete"}]}
    answer = api.send_json("PATCH", _DEPLOYMENT, {"spec": {"template": template}}, _STRATEGIC)
    assert answer.status == 200, answer.body
    yield Pod.of(
        cluster,
        manifests.NAMESPACE,
        f"{SELECTOR},{LABEL}=true",
        manifests.CONTAINER,
        tmp_path_factory.mktemp("webhook") / "pod",
    )
    cluster.webhook.remove()


@pytest.mark.parametrize("version", PROMETHEUS_NAMES)
def test_role_arn_in_sigv4_assumes_the_role_on_top_and_is_refused(
    federated: RealEstate, parts: Parts, version: str, tmp_path: Path
) -> None:
    """What the guide adds to ``sigv4``, even with the right token."""
    pod = Pod.of(federated.clusters["fresh"], manifests.NAMESPACE, SELECTOR, manifests.CONTAINER, tmp_path / "pod")
    file = tmp_path / "pod" / "config" / manifests.CONFIG_KEY
    text = file.read_text(encoding="utf-8")
    line = f"region: {estate.AWS_REGION}\n"
    indented = next(one for one in text.splitlines(keepends=True) if one.strip() == line.strip())
    file.write_text(
        text.replace(indented, indented + indented.replace(line, f"role_arn: {ROLE}fresh\n"), 1), encoding="utf-8"
    )
    since = time.time()
    with running_container(pod, parts.program(version, "prometheus"), federated.sandbox, tmp_path / "run") as sender:
        assert wait_until(lambda: "AssumeRole" in sender.said() or not sender.running(), _SECONDS), sender.said()
        assert "is not authorized to perform: sts:AssumeRole on resource" in sender.said()
        assert _samples(federated, "fresh", since) == []


# --- support ----------------------------------------------------------------------------------------------------------


def _samples(real: RealEstate, cluster: str, since: float) -> list[Sample]:
    """What Prometheus itself scraped of itself and wrote since then."""
    world = real.sandbox.world
    with world.lock:
        return [
            sample
            for sample in world.samples
            if sample.timestamp_ms >= since * 1000
            and {("__name__", "up"), ("cluster", cluster), ("job", "prometheus")} <= set(sample.labels)
        ]


def _query(url: str, query: str) -> list[float]:
    content = _get(f"{url}/api/v1/query?{urllib.parse.urlencode({'query': query})}")
    return [float(one["value"][1]) for one in json.loads(content or b"{}").get("data", {}).get("result", [])]


def _get(url: str) -> bytes | None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError), opener.open(url, timeout=5) as answer:  # S310 is about schemes; ours is http
        return bytes(answer.read())
    return None
