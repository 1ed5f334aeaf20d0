# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret gets out of a run: not into its output, results, logs, caches, reports and temporary files, nor to where
other users of the machine see the command lines and environments of processes.

Each secret that a run is given or gets is a canary, and is looked for in every form in which it might be written.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import shutil
import signal
import subprocess
import sys
import time
import typing as t
import urllib.parse
from pathlib import Path

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.action.federation_plan import DEFINITIONS
from demo.runs import ROOT, clean_environment, run_playbook
from sandbox import world
from sandbox.faults import Fault, Kind
from tests.security.canaries import PRIVATE_KEY, SESSION_KEY, TOKEN, Canaries, Watcher, lines_of
from tests.unit.plugins.module_utils._clients.test_azure_login import certificate_file

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from demo.runs import PlaybookRun
    from tests.e2e.conftest import Estate

Json = dict[str, t.Any]

CERTIFICATE_PASSWORD: t.Final = "canary/of+the certificate"
PROXY_PASSWORD: t.Final = "canary of@the:proxy"
CONFIGURATION_PASSWORD: t.Final = "canary-of-prometheus.yml"
#: Both parts of a password that Go takes as it is: ``begin's@end``.
CONFIGURATION_PROXY: t.Final = ("canary-begin-of-the-proxy", "canary-end-of-the-proxy")
_SECONDS: t.Final = 300.0
IN_PROCESSES: t.Final = {"aks_amp_direct": False}
NO_BOUNDS: t.Final = {"aks_amp_check_wait_timeout": 0}


# --- the search itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", ["canary-1", "canary-12", "canary-123", "canary <\"&'/+é>"])
@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("behind", range(4))
def test_a_secret_is_found_in_any_place_of_a_text_in_base64(secret: str, before: int, behind: int) -> None:
    text = b"x" * before + secret.encode() + b"y" * behind
    canaries = Canaries({"it": secret})
    for coded in (base64.b64encode(text), base64.urlsafe_b64encode(text), text.hex().encode(), text):
        assert canaries.found_in(coded) == {"it"}
    for shown in (urllib.parse.quote(secret), json.dumps(secret)):
        assert canaries.found_in(f"a{shown}b") == {"it"}
    assert canaries.found_in(base64.b64encode(b"canary-of-somebody-else")) == set()


def test_leaks_in_files_command_lines_and_environments_are_seen_while_they_last(tmp_path: Path) -> None:
    canaries = Canaries(
        {"file": "alpha-canary", "argument": "bravo-canary", "variable": "charlie-canary", "spared": "delta-canary"}
    )
    spared = tmp_path / "spared"
    spared.mkdir()
    (spared / "x").write_text("delta-canary", encoding="ascii")
    with Watcher(canaries, tmp_path, (spared,)) as watcher:
        leak = tmp_path / "short-lived"
        leak.write_bytes(base64.b64encode(b"some alpha-canary"))
        command = [sys.executable, "-c", "input()", "bravo-canary"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, env={"A": "charlie-canary"}) as process:  # noqa: S603  # our own
            deadline = time.monotonic() + _SECONDS
            while len(watcher.leaks) < 3 and time.monotonic() < deadline:
                time.sleep(0.05)
            leak.unlink()
            process.communicate(b"\n")
    assert watcher.leaks == {
        "file in file short-lived",
        "argument in cmdline of a process",
        "variable in environ of a process",
    }


# --- runs ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Stage:
    """An estate whose every secret is known, and a folder for all that a run writes."""

    estate: Estate
    folder: Path
    certificate: Path

    @property
    def canaries(self) -> Canaries:
        sandbox = self.estate.sandbox
        clusters = {cluster.name: cluster.admin_token for cluster in sandbox.world.clusters}
        sessions = sandbox.aws._account.credentials._by_access_key
        given = {
            "client secret": world.CONTROLLER_CLIENT_SECRET,
            "AWS secret key": world.CONTROLLER_AWS_SECRET_KEY,
            "certificate's password": CERTIFICATE_PASSWORD,
            "proxy's password": PROXY_PASSWORD,
            "password in prometheus.yml": CONFIGURATION_PASSWORD,
            "begin of a proxy's password in prometheus.yml": CONFIGURATION_PROXY[0],
            "end of a proxy's password in prometheus.yml": CONFIGURATION_PROXY[1],
            "any token": TOKEN,
            "any private key": PRIVATE_KEY,
            **{f"token of {name}": token for name, token in clusters.items()},
        }
        for number, line in enumerate(lines_of(self.certificate.read_text(encoding="ascii").partition("-----END")[2])):
            given[f"line {number} of the key"] = line
        for name, session in sessions.items():
            if name.startswith(SESSION_KEY):
                given |= {f"key of {name}": session.secret_key, f"token of {name}": str(session.token)}
        return Canaries(given)

    @property
    def variables(self) -> Json:
        """What a run is given beside the inventory: a proxy with a password."""
        password = urllib.parse.quote(PROXY_PASSWORD, safe="")
        address = self.estate.sandbox.proxy_url.removeprefix("http://")
        return {"aks_amp_https_proxy": f"http://me:{password}@{address}"}

    @property
    def by_certificate(self) -> Json:
        """Another login, and the administrator's credential of Azure in place of a kubeconfig."""
        return {
            "aks_amp_client_secret": "",
            "aks_amp_certificate_path": str(self.certificate),
            "aks_amp_certificate_password": CERTIFICATE_PASSWORD,
            "aks_amp_cluster_access": "admin",
        }

    def environment(self) -> dict[str, str]:
        """Everything that ansible-core can be asked to write."""
        return {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "local"),
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "remote"),
            "ANSIBLE_LOG_PATH": str(self.folder / "ansible.log"),
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.folder / "facts"),
            "ANSIBLE_CALLBACKS_ENABLED": "recorder,ansible.builtin.junit,ansible.builtin.tree",
            "ANSIBLE_SHOW_CUSTOM_STATS": "true",
            "ANSIBLE_DIFF_ALWAYS": "true",
            "ANSIBLE_CALLBACK_TREE_DIR": str(self.folder / "tree"),
            "JUNIT_OUTPUT_DIR": str(self.folder / "junit"),
            "AKS_AMP_PROGRESS_INTERVAL": "0.1",
        }

    def run(self, playbook: str, *arguments: str, spared: tuple[str, ...] = (), **variables: t.Any) -> PlaybookRun:
        """Run with all verbosity and require that no secret is seen, during the run and after it."""
        environment = self.environment()
        environment |= variables.pop("environment", {})
        given = self.folder.parent / "given.json"  # what the user keeps is not looked at
        given.write_text(json.dumps({**self.variables, **variables}), encoding="utf-8")
        with Watcher(self.canaries, self.folder, tuple(self.folder / name for name in spared)) as watcher:
            run = run_playbook(
                playbook if "/" in playbook else f"playbooks/{playbook}.yml",
                self.estate.sandbox.folder.inventory,
                *("-vvvv", "--diff", "-e", f"@{given}", *arguments),
                environment=environment,
            )
        canaries = self.canaries  # with the sessions that were opened meanwhile
        assert watcher.leaks == set()
        assert watcher.processes, "no process was seen"
        for path in watched_files(self.folder, spared):
            assert canaries.found_in(path.read_bytes()) == set(), path
        assert canaries.found_in(run.output) == set()
        kept = json.dumps([dataclasses.asdict(task) for task in run.tasks], default=str)
        assert canaries.found_in(kept) == set()
        # An access key says by itself that it is a session's.
        assert not [name for name in canaries.secrets if name.startswith("token of ASIA") and name[9:] in run.output]
        return run


def watched_files(folder: Path, spared: tuple[str, ...]) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(path.is_relative_to(folder / name) for name in spared)
    ]


@pytest.fixture
def stage(estate: Estate, tmp_path: Path) -> Stage:
    folder = tmp_path / "run"
    for name in ("home", "tmp", "local", "remote", "tree", "junit"):
        (folder / name).mkdir(parents=True)
    certificate = tmp_path / "login.pem"
    certificate_file(certificate, CERTIFICATE_PASSWORD)
    registered = {world.CONTROLLER_CLIENT_ID: [certificate.read_text(encoding="ascii")]}
    estate.sandbox.world.client_certificates.update(registered)
    for cluster in ("fresh", "halfdone"):
        server = estate.sandbox.api_server(cluster)
        config = server.get("ConfigMap", "monitoring", "prometheus-config")
        assert config is not None
        entry = "- url: https://old.example/push\n  basic_auth:\n    username: me\n"
        entry += f"    password: {CONFIGURATION_PASSWORD}\n"
        entry += f"  proxy_url: http://me:{CONFIGURATION_PROXY[0]}'s@{CONFIGURATION_PROXY[1]}@proxy.example:3128\n"
        entry += f"  # application_secret: {CONFIGURATION_PASSWORD}\n"
        text = config["data"]["prometheus.yml"].partition("remote_write:\n")
        config["data"]["prometheus.yml"] = f"{text[0]}remote_write:\n{entry}"
        server.seed({"apiVersion": "v1", "kind": "ConfigMap", **config})
    return Stage(estate, folder, certificate)


def test_a_run_from_nothing_to_teardown_shows_no_secret(stage: Stage) -> None:
    done = stage.run("federate", "--limit", "fresh")
    assert done.exit_code == 0, done.output[-3000:]
    assert CONFIGURATION_PASSWORD in str(
        stage.estate.sandbox.api_server("fresh").get("ConfigMap", "monitoring", "prometheus-config")
    )
    assert "old.example" in done.output, "the diff is not shown"
    assert (stage.folder / "ansible.log").stat().st_size > len(done.output) / 2
    assert list((stage.folder / "junit").iterdir())
    assert list((stage.folder / "tree").iterdir())
    assert [path for path in (stage.folder / "tmp").rglob("*") if path.is_file()] == []
    undone = stage.run("teardown", "--limit", "fresh")
    assert undone.exit_code == 0, undone.output[-3000:]


def test_findings_and_reports_show_no_secret(stage: Stage) -> None:
    formats = ["json", "html", "markdown", "junit", "openmetrics"]
    by_azure = {"aks_amp_cluster_access": "run_command", "aks_amp_run_command_poll_interval": 0.1}
    found = stage.run("verify", "--limit", "halfdone", **NO_BOUNDS, **by_azure)
    assert found.exit_code == 2, found.output[-3000:]
    assert "provider_audience_not_listed" in found.output
    report = stage.folder / "report"
    drifted = stage.run(
        "drift",
        "--limit",
        "halfdone,fresh",
        aks_amp_drift_report_dest=str(report),
        aks_amp_drift_report_formats=formats,
    )
    assert drifted.exit_code == 2, drifted.output[-3000:]
    assert len(list(report.iterdir())) == len(formats)


def test_modules_in_processes_of_their_own_show_no_secret(stage: Stage) -> None:
    """ansible-core hands a module its arguments by a file, in a folder that only the own user may enter and that is
    removed, unless it is asked to keep it; so these folders are looked at for that only."""
    spared = ("remote", "local")
    done = stage.run("federate", "--limit", "fresh", spared=spared, **IN_PROCESSES, **stage.by_certificate)
    assert done.exit_code == 0, done.output[-3000:]
    assert "AnsiballZ" in done.output
    assert [path for name in spared for path in (stage.folder / name).rglob("*") if path.is_file()] == []
    kept = stage.run(
        "federate",
        "--limit",
        "fresh",
        "--tags",
        "service_account",
        spared=spared,
        environment={"ANSIBLE_KEEP_REMOTE_FILES": "1"},
    )
    assert kept.exit_code == 0, kept.output[-3000:]
    left = [path for path in (stage.folder / "remote").iterdir() if list(path.iterdir())]
    assert left, "nothing was kept"
    assert {path.stat().st_mode & 0o077 for path in left} == {0}


#: Wrong secrets by the options that take them, and where they are used.
WRONG: t.Final = {
    "secret": "canary-wrong-client-secret",
    "x509_certificate_password": "canary-wrong-password",
    "secret_key": "canary-wrong-secret-key",
    "session_token": "canary-wrong-session-token",
    "api_key": "canary-wrong-bearer-token",
    "https_proxy": "http://me:canary-wrong-proxy@127.0.0.1:9",
}


def failing_tasks(stage: Stage) -> list[Json]:
    """Each kind of failure: a refused login, an unusable one, a proxy that is not there, a service that breaks down."""
    sandbox = stage.estate.sandbox
    ways = {"https_proxy": sandbox.proxy_url, "ca_bundle": str(sandbox.ca_file)}
    azure = {**ways, "tenant": world.AZURE_TENANT, "client_id": world.CONTROLLER_CLIENT_ID}
    aws = {**ways, "region": "eu-west-1", "access_key": world.CONTROLLER_AWS_ACCESS_KEY}
    cluster = {"subscription_id": world.AZURE_SUBSCRIPTION, "resource_group": "rg-fleet", "name": "fresh"}
    certificate = {"x509_certificate_path": str(stage.certificate), "auth_source": "certificate"}
    server = {"host": sandbox.cluster("fresh").api_server_url, "ca_cert": str(sandbox.ca_file)}
    account = {"namespace": "monitoring", "name": "prometheus-sa"}
    # By variables, as secrets are given: what stands in a playbook itself, ansible-core's callbacks may show.
    wrong = {option: {option: f"{{{{ wrong.{option} }}}}"} for option in WRONG}
    calls: list[tuple[str, Json]] = [
        ("aks_oidc_issuer", {**azure, **cluster, **wrong["secret"]}),
        ("aks_oidc_issuer", {**azure, **cluster, **certificate, **wrong["x509_certificate_password"]}),
        ("aks_oidc_issuer", {**azure, **cluster, **wrong["secret"], **wrong["https_proxy"]}),
        ("aks_oidc_issuer", {**azure, **cluster, **wrong["secret"], "colour": "{{ wrong.secret }}"}),
        ("amp_workspace_info", {**aws, "alias": "x", **wrong["secret_key"]}),
        ("amp_workspace_info", {**aws, "alias": "x", "secret_key": "x" * 20, **wrong["session_token"]}),
        ("amp_workspace_info", {**aws, "alias": "x", **wrong["secret_key"], **wrong["https_proxy"]}),
        ("federated_service_account", {**server, **account, **wrong["api_key"]}),
        ("federated_service_account", {**server, **account, "host": "http://example.com", **wrong["api_key"]}),
        ("federated_service_account", {**account, "aks": {**azure, **cluster, **wrong["secret"]}}),
        ("iam_oidc_provider_thumbprint", {**aws, "issuer": "https://127.0.0.1/x", **wrong["secret_key"]}),
        ("entra_federated_credential", {**azure, "name": "a", "issuer": "http://plain", **wrong["secret"]}),
    ]
    return [
        {"name": f"{number}", f"crosscloud.aks_amp.{name}": options} for number, (name, options) in enumerate(calls)
    ]


@pytest.mark.parametrize("in_processes", [False, True], ids=["in workers", "in processes"])
def test_failures_show_no_secret(stage: Stage, tmp_path: Path, in_processes: bool) -> None:
    canaries = Canaries({name: value.rpartition("@")[0].rpartition(":")[2] or value for name, value in WRONG.items()})
    tasks = failing_tasks(stage)
    plays = [{"hosts": "localhost", "gather_facts": False, "ignore_errors": True, "tasks": tasks}]
    playbook = tmp_path / "failing.yml"
    playbook.write_text(json.dumps(plays), encoding="utf-8")  # JSON is YAML
    spared = ("remote", "local") if in_processes else ()
    run = stage.run(str(playbook), spared=spared, wrong=WRONG, **(IN_PROCESSES if in_processes else {}))
    assert [task.status for task in run.tasks] == ["ignored"] * len(tasks), run.output[-3000:]
    assert canaries.found_in(run.output) == set()
    assert canaries.found_in(json.dumps([dataclasses.asdict(task) for task in run.tasks], default=str)) == set()
    for path in watched_files(stage.folder, spared):
        assert canaries.found_in(path.read_bytes()) == set(), path
    assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in run.output, "the arguments are not shown at all"
    assert "127.0.0.1:9" in run.output, "the proxy is not named"


def test_a_service_that_breaks_down_and_a_run_that_is_told_to_end_leave_no_secret(stage: Stage) -> None:
    stage.estate.sandbox.faults.add(Fault(Kind.ERROR, service="iam", status=500, times=None))
    broken = stage.run("federate", "--limit", "halfdone")
    assert broken.exit_code == 2
    stage.estate.sandbox.faults.clear()
    shutil.rmtree(stage.folder / "tmp")
    (stage.folder / "tmp").mkdir()
    end_in_the_middle(stage)
    deadline = time.monotonic() + _SECONDS
    while (
        left := [path for path in (stage.folder / "tmp").rglob("*") if path.is_file()]
    ) and time.monotonic() < deadline:
        time.sleep(0.1)  # workers end after the run
    assert left == []
    canaries = stage.canaries
    for path in watched_files(stage.folder, ()):
        assert canaries.found_in(path.read_bytes()) == set(), path


def end_in_the_middle(stage: Stage) -> None:
    """SIGTERM to a run that is talking to the cluster."""
    before = stage.estate.requests()
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-vvvv", "--diff", "playbooks/federate.yml"]
    command += ["-i", str(stage.estate.sandbox.folder.inventory), "--limit", "halfdone"]
    environment = {**clean_environment(), **stage.environment(), "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.tree"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process:  # noqa: S603  # our own
        deadline = time.monotonic() + _SECONDS
        while not any(one.service == "kubernetes/halfdone" for one in stage.estate.sandbox.world.log.since(before)):
            assert process.poll() is None, "it ended before it was told to"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.wait(_SECONDS)
    assert process.returncode != 0


#: Names of options that might be those of secrets.
_SECRET_NAMES: t.Final = re.compile(r"secret|password|passphrase|token|api_key|access_key|private")
#: And those that are not: an access key's ID, a Kubernetes Secret's name, where a token is and how long it is valid.
NO_SECRETS: t.Final = {"access_key", "config_secret", "token_expiration_seconds", "token_file", "token_source"}


def options_of(options: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    for name, option in options.items():
        yield name, option
        yield from options_of(option.get("options") or {})


def test_each_option_that_may_hold_a_secret_is_hidden() -> None:
    """A proxy's password is taken out by itself."""
    every = [found for definition in DEFINITIONS.values() for found in options_of(definition.spec.options)]
    suspicious = {name: bool(option.get("no_log")) for name, option in every if _SECRET_NAMES.search(name)}
    hidden = {name for name, is_hidden in suspicious.items() if is_hidden}
    assert hidden >= {"secret", "x509_certificate_password", "secret_key", "session_token", "api_key"}
    open_ones = {name for name, option in every if _SECRET_NAMES.search(name) and not option.get("no_log")}
    assert open_ones <= NO_SECRETS
