# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The chain tried from inside: the job's own program, run by real shells and a real curl against STS and AMP."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.inside_job import (
    Answered,
    read_log,
    sts_url,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import Link, Status
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import TokenSource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_inside import try_inside
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_wish import InsideLook
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from sandbox.faults import Fault, Kind
from sandbox.kubernetes import kinds
from sandbox.kubernetes.access import Rule
from sandbox.kubernetes.admission import Webhook
from sandbox.kubernetes.fates import Fate, FateKind
from sandbox.kubernetes.programs import Ended, Files, ShellProgram
from sandbox.testing import running_sandbox
from sandbox.world import AWS_ACCOUNT
from tests.unit.plugins.module_utils._resources.aws_modules import Clock
from tests.unit.plugins.module_utils._resources.cluster_diagnosis import Ward, assert_presentable
from tests.unit.plugins.module_utils._resources.federation_proof import Proof, settle

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.server import Sandbox

Json = dict[str, t.Any]

IMAGE = "docker.io/curlimages/curl:8.10.1"
#: The program is tried with a real one where there is one.
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
RIGHTS = (
    Rule(("create",), ("jobs",), ("batch",)),
    Rule(("get",), ("jobs",), ("batch",)),
    Rule(("delete",), ("jobs",), ("batch",)),
    Rule(("list",), ("pods",)),
    Rule(("get",), ("pods/log",)),
)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def ward(running: Sandbox) -> Ward:
    running.reset()
    running.faults.clear()
    return Ward(running)


class Cell:
    """Runs pods' programs for real and keeps what they printed and what tokens they had."""

    def __init__(self, ward: Ward, variables: t.Mapping[str, str] | None = None, **network: t.Any) -> None:
        sandbox = ward.sandbox
        self.logs: list[str] = []
        self.tokens: list[str] = []
        self._program = ShellProgram(
            network.get("proxy_url", sandbox.proxy_url), network.get("ca_file", sandbox.ca_file), variables
        )
        ward.server.run_programs(self)

    def __call__(self, pod: Json, files: Files) -> Ended:
        ended = self._program(pod, files)
        self.logs.append(ended.log)
        self.tokens += files.values()
        return ended


def inside(
    ward: Ward, *, token: str | None = None, minutes: float = 1.0, proxy: str | None = None, **changes: t.Any
) -> Link:
    """One trial, in real time, because a real program runs. Nothing of it may be left."""
    look = InsideLook(IMAGE, minutes, proxy)
    link = try_inside(ward.client(token), ward.chain(**changes), look, sleep=time.sleep, monotonic=time.monotonic)
    assert_presentable(link)
    assert left_behind(ward) == []
    return link


def judged(ward: Ward, log: str, exit_code: int = 0, reason: str = "") -> Link:
    """A trial whose pod ends at once with this log."""
    ward.server.run_programs(lambda _pod, _files: Ended(exit_code, log, reason))
    return inside(ward)


def waiting(ward: Ward, *, minutes: float = 1.0) -> Link:
    """A trial whose pod never ends, in a time that passes by waiting."""
    clock = Clock()
    look = InsideLook(IMAGE, minutes)
    link = try_inside(ward.client(), ward.chain(), look, sleep=clock.sleep, monotonic=clock.monotonic)
    assert_presentable(link)
    assert left_behind(ward) == []
    return link


def left_behind(ward: Ward) -> list[str]:
    store = ward.server._store  # it has no public list
    found = [*store.select(kinds.JOBS), *store.select(kinds.PODS)]
    return [obj["metadata"]["name"] for obj in found if obj["metadata"]["name"].startswith("aks-amp-inside")]


def samples(ward: Ward) -> list[dict[str, str]]:
    return [dict(sample.labels) for sample in ward.sandbox.world.samples]


def kind_of(link: Link) -> str:
    (found,) = link.findings
    assert found.severity is Severity.HIGH
    assert link.status is Status.BROKEN
    return found.kind


# --- it works ---------------------------------------------------------------------------------------------------------


@needs_curl
def test_a_pod_of_the_service_account_writes_a_sample_and_leaves_nothing(ward: Ward) -> None:
    cell = Cell(ward)
    link = inside(ward)
    assert (link.status, link.findings) == (Status.OK, ())
    (sample,) = samples(ward)
    assert sample["__name__"] == "aks_amp_federation_check"
    assert sample["tried_from"] == "inside"
    (log,), (token,) = cell.logs, cell.tokens
    assert log.splitlines() == ["sts exit 0", "sts status 200", "write exit 0", "write status 200", "done"]
    assert token not in log


@needs_curl
@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_understands_the_program(ward: Ward, tmp_path: Path, shell: str) -> None:
    program = shutil.which(shell)
    (tmp_path / "sh").symlink_to(str(program))
    Cell(ward, {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert inside(ward).status is Status.OK
    assert len(samples(ward)) == 1


@needs_curl
def test_with_the_webhooks_token_the_audience_is_that_of_entra(ward: Ward) -> None:
    proof = Proof(ward.sandbox)
    host = ward.sandbox.cluster(ward.cluster).issuer_url.removeprefix("https://")
    proof.iam.add_client_id_to_open_id_connect_provider(
        OpenIDConnectProviderArn=f"arn:aws:iam::{AWS_ACCOUNT}:oidc-provider/{host}",
        ClientID="api://AzureADTokenExchange",
    )
    proof.set_trust(
        ward.cluster, {"aud": "api://AzureADTokenExchange", "sub": "system:serviceaccount:monitoring:prometheus-sa"}
    )
    settle(ward.sandbox)
    Cell(ward)
    assert inside(ward, source=TokenSource.AZURE_WORKLOAD_IDENTITY, audience="api://AzureADTokenExchange").status is (
        Status.OK
    )


@needs_curl
def test_without_a_workspace_only_the_exchange_is_tried(ward: Ward) -> None:
    cell = Cell(ward)
    link = inside(ward, remote_write_url="")
    assert link.status is Status.OK
    assert "write" not in cell.logs[0]
    assert samples(ward) == []


@needs_curl
def test_no_key_and_no_token_stands_in_any_command_line(ward: Ward, tmp_path: Path) -> None:
    record, real = tmp_path / "arguments", shutil.which("curl")
    shim = tmp_path / "curl"
    shim.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>"{record}"\nexec {real} "$@"\n')
    shim.chmod(0o755)
    cell = Cell(ward, {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert inside(ward).status is Status.OK
    given = record.read_text()
    assert "WebIdentityToken@" in given
    assert "--aws-sigv4" in given
    issued = ward.sandbox.aws._account.credentials._by_access_key.values()  # nobody else may list them
    sessions = [one for one in issued if one.token is not None]
    assert len(sessions) == 1
    for secret in (*cell.tokens, sessions[0].secret_key, str(sessions[0].token)):
        assert secret not in given
        assert secret not in cell.logs[0]


def test_the_job_asks_for_no_more_than_it_needs(ward: Ward) -> None:
    seen: list[Json] = []

    def look_at(pod: Json, _files: Files) -> Ended:
        seen.append(pod)
        return Ended(0, "token missing\n")

    ward.server.run_programs(look_at)
    inside(ward)
    spec = seen[0]["spec"]
    (container,) = spec["containers"]
    assert spec["serviceAccountName"] == "prometheus-sa"
    assert spec["automountServiceAccountToken"] is False
    assert spec["restartPolicy"] == "Never"
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["image"] == IMAGE
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [volume["name"] for volume in spec["volumes"]] == ["token", "work"]
    assert seen[0]["metadata"]["labels"]["aks-amp.crosscloud.io/managed-by"]


# --- a chained role ---------------------------------------------------------------------------------------------------

WRITER = f"arn:aws:iam::{AWS_ACCOUNT}:role/AMP-Writer"


def seed_chain(ward: Ward, *, external_id: str = "") -> None:
    """A second role that writes, which the federated one may assume; the federated one may not write itself."""
    proof = Proof(ward.sandbox)
    condition = {"Condition": {"StringEquals": {"sts:ExternalId": external_id}}} if external_id else {}
    trust = {"Effect": "Allow", "Principal": {"AWS": ward.role}, "Action": "sts:AssumeRole", **condition}
    write = {"Effect": "Allow", "Action": "aps:RemoteWrite", "Resource": proof.workspace_arn}
    ward.sandbox.aws.seed_role(
        "AMP-Writer",
        trust={"Version": "2012-10-17", "Statement": [trust]},
        inline_policies={"write": {"Version": "2012-10-17", "Statement": [write]}},
    )
    proof.set_permissions(ward.cluster, ["sts:AssumeRole"], WRITER)
    settle(ward.sandbox)


def through(ward: Ward, external_id: str | None = None) -> Link:
    link = try_inside(
        ward.client(),
        ward.chain(),
        InsideLook(IMAGE, 1),
        sleep=time.sleep,
        monotonic=time.monotonic,
        chained_role_arn=WRITER,
        external_id=external_id,
    )
    assert_presentable(link)
    assert left_behind(ward) == []
    return link


@needs_curl
@pytest.mark.parametrize("external_id", [None, "fleet=7/a:b"])
def test_a_chained_role_writes(ward: Ward, external_id: str | None) -> None:
    seed_chain(ward, external_id=external_id or "")
    cell = Cell(ward)
    assert through(ward, external_id).status is Status.OK
    assert "chain status 200" in cell.logs[0]
    assert len(samples(ward)) == 1


@needs_curl
def test_a_chained_role_that_may_not_be_assumed(ward: Ward) -> None:
    seed_chain(ward, external_id="the-right-one")
    Cell(ward)
    link = through(ward, "another")
    assert kind_of(link) == "inside_chaining_not_authorized"
    assert "sts:AssumeRole" in link.findings[0].source
    assert through(ward, "the-right-one").status is Status.OK


# --- AWS refuses ------------------------------------------------------------------------------------------------------


@needs_curl
def test_a_trust_policy_for_another_subject_until_it_is_mended(ward: Ward) -> None:
    proof = Proof(ward.sandbox)
    proof.set_trust(ward.cluster, {"aud": "sts.amazonaws.com", "sub": "system:serviceaccount:monitoring:other"})
    settle(ward.sandbox)
    Cell(ward)
    link = inside(ward)
    assert kind_of(link) == "inside_exchange_not_authorized"
    (found,) = link.findings
    assert found.source == "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"
    assert "iam_web_identity" in found.fix
    proof.repair(ward.cluster)
    settle(ward.sandbox)
    assert inside(ward).status is Status.OK


@needs_curl
def test_an_audience_that_the_provider_does_not_list(ward: Ward) -> None:
    Cell(ward)
    assert kind_of(inside(ward, audience="somebody.else")) == "inside_exchange_audience_not_listed"


@needs_curl
def test_a_role_without_the_permission_until_it_has_it(ward: Ward) -> None:
    proof = Proof(ward.sandbox)
    proof.set_permissions(ward.cluster, ["aps:QueryMetrics"])
    settle(ward.sandbox)
    cell = Cell(ward)
    link = inside(ward)
    assert kind_of(link) == "inside_write_permission_missing"
    assert "aps:RemoteWrite" in link.findings[0].source
    assert "sts status 200" in cell.logs[0]
    proof.set_permissions(ward.cluster, ["aps:RemoteWrite"])
    settle(ward.sandbox)
    assert inside(ward).status is Status.OK


@needs_curl
def test_a_url_with_a_slash_at_its_end(ward: Ward) -> None:
    Cell(ward)
    assert kind_of(inside(ward, remote_write_url=f"{ward.url}/")) == "inside_write_url_not_of_the_workspace"


@needs_curl
def test_what_a_service_quotes_is_shown_without_secrets(ward: Ward, tmp_path: Path) -> None:
    """STS quotes parameters that it finds malformed, the token among them."""
    shim = tmp_path / "curl"
    shim.write_text(
        "#!/bin/sh\n"
        'token=$(cat "$TOKEN_FILE")\n'
        "printf '<ErrorResponse><Error><Code>ValidationError</Code><Message>Value &apos;%s&apos; is bad,\n"
        'twice: %s</Message></Error></ErrorResponse>\' "$token" "$token"\n'
        "printf '\\n400'\n"
    )
    shim.chmod(0o755)
    cell = Cell(ward, {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    link = inside(ward)
    assert kind_of(link) == "inside_exchange_request_malformed"
    assert link.findings[0].source == "ValidationError: Value '<secret>' is bad, twice: <secret>"
    assert cell.tokens[0] not in cell.logs[0]


# --- AWS is not reached -----------------------------------------------------------------------------------------------


@needs_curl
def test_a_network_that_refuses(ward: Ward) -> None:
    Cell(ward, proxy_url="http://127.0.0.1:9")  # nothing listens on the port for discarding
    link = inside(ward)
    assert kind_of(link) == "inside_exchange_refused"
    assert "sts.eu-west-1.amazonaws.com on port 443" in link.findings[0].fix
    Cell(ward)
    assert inside(ward).status is Status.OK


@needs_curl
def test_the_proxy_of_the_nodes_is_used_where_it_is_named(ward: Ward) -> None:
    Cell(ward, {"https_proxy": ""})  # nothing leads to the clouds by itself
    assert kind_of(inside(ward)) == "inside_exchange_no_address"
    assert inside(ward, proxy=ward.sandbox.proxy_url).status is Status.OK


def test_a_certificate_that_the_pods_do_not_know(ward: Ward, tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text(_other_authority())
    Cell(ward, ca_file=empty)
    assert kind_of(inside(ward)) == "inside_exchange_certificate_unknown"


def _other_authority() -> str:
    from sandbox.tls import Authority  # only here

    return Authority().root_pem


@pytest.mark.parametrize(
    ("code", "ending"),
    [(5, "proxy_unknown"), (6, "no_address"), (28, "timeout"), (35, "tls_failed"), (52, "no_answer")],
)
def test_each_way_of_not_being_reached_is_a_kind_of_its_own(ward: Ward, code: int, ending: str) -> None:
    link = judged(ward, f"sts exit {code}\nsts status 000\nsts error curl: ({code}) \x1b[1mtext\ndone\n")
    assert kind_of(link) == f"inside_exchange_{ending}"
    assert link.findings[0].expected == "sts.eu-west-1.amazonaws.com:443 reached"
    assert link.findings[0].source == f"curl: ({code}) text"


def test_the_workspace_that_is_not_reached_is_told_from_sts(ward: Ward) -> None:
    log = "sts exit 0\nsts status 200\nwrite exit 28\nwrite status 000\nwrite error curl: (28) timeout\ndone\n"
    link = judged(ward, log)
    assert kind_of(link) == "inside_write_timeout"
    assert "aps-workspaces.eu-west-1.amazonaws.com" in link.findings[0].fix


# --- the pod does not do it -------------------------------------------------------------------------------------------


@needs_curl
def test_an_image_without_curl(ward: Ward, tmp_path: Path) -> None:
    for name in ("sh", "cat", "cut", "tr"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    Cell(ward, {"PATH": str(tmp_path)})
    link = inside(ward)
    assert kind_of(link) == "inside_image_without_curl"
    assert "curlimages/curl" in link.findings[0].fix


@needs_curl
def test_a_curl_that_does_not_sign(ward: Ward, tmp_path: Path) -> None:
    shim = tmp_path / "curl"
    real = shutil.which("curl")
    shim.write_text(
        '#!/bin/sh\nfor word in "$@"; do\n  if [ "$word" = --aws-sigv4 ]; then\n'
        '    echo "curl: option --aws-sigv4: is unknown" >&2\n    exit 2\n  fi\ndone\n'
        f'exec {real} "$@"\n'
    )
    shim.chmod(0o755)
    Cell(ward, {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert kind_of(inside(ward)) == "inside_curl_too_old"


def test_a_token_that_is_not_there(ward: Ward) -> None:
    assert kind_of(judged(ward, "token missing\n")) == "inside_token_file_missing"


def test_an_image_without_a_shell(ward: Ward) -> None:
    link = judged(ward, "", 128, "StartError")
    assert kind_of(link) == "inside_image_unsuitable"
    assert "exit code 128, StartError" in link.findings[0].cause


@pytest.mark.parametrize(
    ("fate", "ending", "said"),
    [
        (FateKind.IMAGE, "image_not_pulled", "Failed to pull image"),
        (FateKind.UNSCHEDULABLE, "not_scheduled", "Insufficient memory"),
        (FateKind.MOUNT, "pod_not_started", "FailedMount"),
        (FateKind.REFUSED, "pod_refused", "exceeded quota"),
    ],
)
def test_what_keeps_the_pod_from_running_is_named(ward: Ward, fate: FateKind, ending: str, said: str) -> None:
    ward.server.set_fate(Fate(fate, "monitoring/aks-amp-inside-*"))
    link = waiting(ward)
    assert kind_of(link) == f"inside_{ending}"
    assert said in link.findings[0].source


def test_a_pod_that_never_ends(ward: Ward) -> None:
    assert kind_of(waiting(ward)) == "inside_not_finished"


def test_a_cluster_that_refuses_the_job(ward: Ward) -> None:
    ward.server.add_webhook(Webhook("policy.example.net", "Job", lambda _job: "no jobs here"))
    link = inside(ward)
    assert kind_of(link) == "inside_job_refused"
    assert "no jobs here" in link.findings[0].source
    assert "policy.example.net" in link.findings[0].fix


# --- rights, and cleaning up ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", range(len(RIGHTS)))
def test_a_missing_right_is_named_and_nothing_is_made(ward: Ward, missing: int) -> None:
    token = ward.user(*(rule for index, rule in enumerate(RIGHTS) if index != missing))
    ward.server.run_programs(lambda _pod, _files: pytest.fail("a pod was made"))
    link = inside(ward, token=token)
    assert (link.status, link.findings) == (Status.UNKNOWN, ())
    assert f"'{RIGHTS[missing].verbs[0]}' on '{RIGHTS[missing].resources[0]}'" in link.fix


@needs_curl
def test_those_rights_suffice(ward: Ward) -> None:
    Cell(ward)
    assert inside(ward, token=ward.user(*RIGHTS)).status is Status.OK


def test_a_job_that_can_not_be_deleted_is_named(ward: Ward) -> None:
    ward.server.run_programs(lambda _pod, _files: Ended(0, "sts exit 0\nsts status 200\ndone\n"))
    ward.sandbox.faults.add(Fault(Kind.ERROR, service="kubernetes/*", operation="delete jobs", times=None, status=500))
    link = try_inside(ward.client(), ward.chain(), InsideLook(IMAGE, 1), sleep=time.sleep, monotonic=time.monotonic)
    assert link.status is Status.OK
    (found,) = link.findings
    assert (found.kind, found.severity) == ("inside_job_left", Severity.LOW)
    assert "kubectl delete job aks-amp-inside-" in found.fix
    assert left_behind(ward) != []


def test_whatever_ends_the_run_the_job_goes(ward: Ward) -> None:
    def interrupt(_seconds: float) -> None:
        assert left_behind(ward) != []
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        try_inside(ward.client(), ward.chain(), InsideLook(IMAGE, 1), sleep=interrupt, monotonic=time.monotonic)
    assert left_behind(ward) == []


# --- pure -------------------------------------------------------------------------------------------------------------


def test_the_log_is_read_whatever_stands_around_it() -> None:
    body = json.dumps({"message": 'no "entry" <there>'})
    log = f"noise\nsts exit 0\nsts status 200\nwrite exit 0\nwrite status 403\nwrite message {body}\nmore\ndone\n"
    tried = read_log(log)
    assert tried.exchange == Answered(0, 200)
    assert tried.write == Answered(0, 403, message='no "entry" <there>')
    assert tried.finished
    assert not dataclasses.replace(tried, finished=False).finished
    assert read_log("") == read_log("sts exit\n")


@pytest.mark.parametrize(
    ("partition", "host"),
    [
        ("aws", "sts.x-1.amazonaws.com"),
        ("aws-us-gov", "sts.x-1.amazonaws.com"),
        ("aws-cn", "sts.x-1.amazonaws.com.cn"),
        ("aws-eusc", "sts.x-1.amazonaws.eu"),
    ],
)
def test_the_regional_endpoint_is_in_the_partitions_domain(partition: str, host: str) -> None:
    assert sts_url(partition, "x-1") == f"https://{host}/"
