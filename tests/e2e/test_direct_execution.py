# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that run in the worker return what they return from a process of their own."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

import pytest

from demo.runs import ROOT, clean_environment, run_playbook
from tests.boto3_age import require_resource_policies
from tests.faults import modules as cases

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from demo.runs import PlaybookRun, TaskResult
    from tests.e2e.conftest import Estate

Json = dict[str, t.Any]

PREFIX: t.Final = "crosscloud.aks_amp."
TRIAL: t.Final = "crosscloud.trial.trial"
NOISE: t.Final = "noise-of-an-sdk"  # what the trial module prints
SECRET: t.Final = "a-secret-of-the-trial"  # a canary
IN_A_PROCESS: t.Final = ("-e", "aks_amp_direct=false")

#: What differs from run to run, or from sandbox to sandbox after a reset.
_VOLATILE = (
    re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)"),
    re.compile(r"\b[0-9a-f]{32,64}\b"),
    re.compile(r"\b1[789]\d{8}(?:\d{3})?(?:\.\d+)?\b"),  # seconds or milliseconds of these years
)
#: How a task is told of, which is the executor's and not the module's.
_IGNORED = {"_ansible_no_log", "_ansible_parsed", "_ansible_delegated_vars"}


# --- how results are compared ------------------------------------------------------------------------------------


def told(tasks: Iterable[TaskResult]) -> list[tuple[str, str, str, Json, Json]]:
    """What each task of a module came to and was called with, host by host: which one ends first is chance."""
    found = [
        (task.host, task.task, task.status, _stable(task.result), _stable(task.invocation))
        for task in tasks
        if task.action.startswith((PREFIX, TRIAL))
    ]
    return sorted(found, key=lambda entry: entry[0])


def _stable(value: object) -> t.Any:
    if isinstance(value, (int, float)) and value > 1.7e9:  # the same as numbers
        return "~"
    if isinstance(value, str):
        for pattern in _VOLATILE:
            value = pattern.sub("~", value)
        return value
    if isinstance(value, dict):
        return {_stable(name): _stable(item) for name, item in value.items() if name not in _IGNORED}
    if isinstance(value, list):
        return [_stable(item) for item in value]
    return value


def run_tasks(folder: Path, tasks: list[Json], *arguments: str, inventory: Path, **environment: str) -> PlaybookRun:
    """Run tasks on the controller, from a playbook in a folder of its own; what fails does not end the run."""
    plays = [{"hosts": "localhost", "gather_facts": False, "ignore_errors": True, "tasks": tasks}]
    playbook = folder / "playbook.yml"
    playbook.write_text(json.dumps(plays), encoding="utf-8")  # JSON is YAML
    (folder / "beside_the_playbook.txt").write_text("found", encoding="utf-8")
    trial = folder / "collections" / "ansible_collections" / "crosscloud" / "trial"
    if not trial.exists():
        trial.parent.mkdir(parents=True)
        trial.symlink_to(Path(__file__).parent / "trial")
    # Since 2.21 ansible-core has sockets in these folders, and the path of one is limited to about a hundred bytes.
    with tempfile.TemporaryDirectory(prefix="aks-amp-") as short:
        scratch = Path(short, "scratch")
        scratch.mkdir()
        variables = {
            "ANSIBLE_COLLECTIONS_PATH": f"{folder / 'collections'}:{ROOT / '.collections'}",
            "ANSIBLE_LOCAL_TEMP": str(Path(short, "ansible")),
            "TMPDIR": str(scratch),
            # From ansible-core 2.21 on, results hold the arguments only then.
            "ANSIBLE_INJECT_INVOCATION": "true",
            **environment,
        }
        run = run_playbook(str(playbook), inventory, *arguments, environment=variables)
        assert list(scratch.iterdir()) == [], "files were left behind"
    return run


# --- the playbooks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("playbook", "arguments"),
    [
        ("federate", ("--check", "--diff", "--limit", "fresh,halfdone")),
        ("federate", ("--limit", "fresh")),
        ("verify", ("--limit", "halfdone", "-e", "aks_amp_check_wait_timeout=0")),
        ("teardown", ("--limit", "finished")),
    ],
    ids=["check", "federate", "verify", "teardown"],
)
def test_playbooks_come_to_the_same(estate: Estate, playbook: str, arguments: tuple[str, ...]) -> None:
    directly = estate.play(playbook, *arguments)
    estate.sandbox.reset()
    in_processes = estate.play(playbook, *arguments, *IN_A_PROCESS)
    assert directly.exit_code == in_processes.exit_code, directly.output[-3000:]
    assert told(directly.tasks) == told(in_processes.tasks)
    assert told(directly.tasks)


# --- every module ------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Compared:
    """How a module is called: well, by what the tests of faults know of it, and in ways that are refused.

    ``wrong`` are options that replace or join the good ones; None takes one away.
    """

    case: str
    wrong: tuple[Mapping[str, t.Any], ...]


UNKNOWN: t.Final = {"colour": "blue"}
NO_CA: t.Final = {"ca_bundle": "/nowhere/ca.pem"}
NO_LOGIN: t.Final = {"secret": SECRET}
NO_KEY: t.Final = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": SECRET}
NO_CONTEXT: t.Final = {"context": "nowhere"}
FILE: t.Final = {
    "dest": "values.yaml",  # beside the playbook
    "format": "helm_kube_prometheus_stack",
    "namespace": cases.NAMESPACE,
    "service_account": cases.SERVICE_ACCOUNT,
    "role_arn": "arn:aws:iam::123456789012:role/Writer",
    "region": cases.REGION,
    "remote_write_url": "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
}

MODULES: t.Final = {
    "aks_oidc_issuer": Compared(
        "aks_oidc_issuer-enable",
        (UNKNOWN, NO_CA, NO_LOGIN, {"name": None}, {"resource_id": "/x"}, {"wait_timeout": "long"}),
    ),
    "amp_resource_policy": Compared(
        "amp_resource_policy-create", (UNKNOWN, NO_CA, NO_KEY, {"state": "away"}, {"alias": "nowhere"})
    ),
    "amp_workspace_info": Compared("amp_workspace_info", (UNKNOWN, NO_CA, NO_KEY, {"alias": None}, {"alias": "no"})),
    "entra_federated_credential": Compared(
        "entra_federated_credential-create", (UNKNOWN, NO_CA, NO_LOGIN, {"name": None}, {"issuer": "http://plain"})
    ),
    "federated_service_account": Compared(
        "federated_service_account-create",
        (UNKNOWN, {"ca_cert": "/nowhere/ca.pem"}, NO_CONTEXT, {"name": None}, {"labels": "none"}),
    ),
    "federation_check": Compared(
        "federation_check", (UNKNOWN, NO_CA, NO_KEY, NO_CONTEXT, {"role_name": "x"}, {"scope": "all"})
    ),
    "iam_oidc_provider_thumbprint": Compared(
        "iam_oidc_provider_thumbprint-modify",
        (UNKNOWN, NO_CA, NO_KEY, {"issuer": None}, {"tags": "none"}, {"issuer": "https://nowhere.example/"}),
    ),
    "iam_web_identity_role": Compared(
        "iam_web_identity_role-create",
        (UNKNOWN, NO_CA, NO_KEY, {"name": None}, {"service_accounts": [{"namespace": "a", "colour": "b"}]}),
    ),
    "prometheus_remote_write": Compared(
        "prometheus_remote_write-create",
        (UNKNOWN, {"ca_cert": "/nowhere/ca.pem"}, NO_CONTEXT, {"workload_kind": "Pod"}, {"configmap": "nowhere"}),
    ),
    "remote_write_file": Compared("", (UNKNOWN, {"dest": None}, {"dest": "/nowhere/x"}, {"format": "toml"})),
}


def good_options(compared: Compared, faults: cases.Estate) -> Json:
    if not compared.case:
        return dict(FILE)
    (case,) = (case for case in cases.PRESENT if case.name == compared.case)
    connection = {name: value for name, value in faults.connection.items() if name in case.definition.spec.options}
    if "context" in case.definition.spec.options:
        connection["context"] = case.cluster
    return {**connection, **case.options(faults)}


def calls(module: str, compared: Compared, faults: cases.Estate) -> list[Json]:
    """In check mode, for real, and each way that is refused."""
    good = good_options(compared, faults)
    name = f"{PREFIX}{module}"
    refused = [
        {option: value for option, value in {**good, **wrong}.items() if value is not None} for wrong in compared.wrong
    ]
    return [
        {"name": f"{module}: plan", name: good, "check_mode": True},
        {"name": f"{module}: do", name: good},
        *({"name": f"{module}: refused {number}", name: options} for number, options in enumerate(refused)),
    ]


@pytest.fixture(scope="module")
def both(_shared_sandbox: t.Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[PlaybookRun, PlaybookRun]:
    """Runs of all calls of all modules: in the worker, and in processes."""
    faults = cases.Estate(_shared_sandbox)
    folder = tmp_path_factory.mktemp("both")

    def run(*arguments: str) -> PlaybookRun:
        _shared_sandbox.reset()
        (folder / FILE["dest"]).unlink(missing_ok=True)
        for name in ("prometheus_remote_write-create", "amp_resource_policy-create"):
            next(case for case in cases.PRESENT if case.name == name).prepare(faults)
        tasks = [call for module, compared in MODULES.items() for call in calls(module, compared, faults)]
        return run_tasks(folder, tasks, "-vvv", "--diff", *arguments, inventory=_shared_sandbox.folder.inventory)

    return run(), run(*IN_A_PROCESS)


def test_every_module_with_an_action_is_compared() -> None:
    actions = {path.stem for path in (ROOT / "plugins" / "action").glob("*.py")}
    direct = {name for name in actions if "DirectAction" in (ROOT / f"plugins/action/{name}.py").read_text("utf-8")}
    assert direct == set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_returns_the_same(both: tuple[PlaybookRun, PlaybookRun], module: str) -> None:
    directly, in_processes = ([task for task in run.tasks if task.action == f"{PREFIX}{module}"] for run in both)
    assert told(directly) == told(in_processes)
    if module == "amp_resource_policy":
        require_resource_policies()  # with an older boto3 it has failed in both ways
    compared = MODULES[module]
    assert [task.status for task in directly] == ["ok"] * 2 + ["ignored"] * len(compared.wrong)


@pytest.mark.parametrize("setting", ["true", "false"])
@pytest.mark.parametrize("variable", [{}, {"ansible_inject_invocation": True}], ids=["as set", "by a variable"])
def test_the_arguments_are_told_where_ansible_asks_for_them(
    estate: Estate, tmp_path_factory: pytest.TempPathFactory, setting: str, variable: Json
) -> None:
    tasks = [{"name": "a file", f"{PREFIX}remote_write_file": dict(FILE), "vars": variable, "check_mode": True}]
    runs = []
    for arguments in ((), IN_A_PROCESS):
        folder = tmp_path_factory.mktemp("told")  # ansible-core 2.21 has a socket below it, whose path must be short
        inventory = estate.sandbox.folder.inventory
        runs.append(run_tasks(folder, tasks, *arguments, inventory=inventory, ANSIBLE_INJECT_INVOCATION=setting))
        assert len(runs[-1].tasks) == 1, runs[-1].output[-3000:]
    told_directly, told_in_a_process = (bool(task.invocation) for run in runs for task in run.tasks)
    assert told_directly == told_in_a_process


def test_it_is_known_which_way_a_module_ran(both: tuple[PlaybookRun, PlaybookRun]) -> None:
    directly, in_processes = both
    for module in MODULES:
        assert f"{PREFIX}{module} runs in the worker" in directly.output
    assert "runs in the worker" not in in_processes.output
    assert "AnsiballZ" not in directly.output
    assert "AnsiballZ" in in_processes.output


def test_no_secret_is_shown_either_way(both: tuple[PlaybookRun, PlaybookRun]) -> None:
    secrets = (SECRET, cases.CONTROLLER_CLIENT_SECRET, cases.CONTROLLER_AWS_SECRET_KEY)
    for run in both:
        assert "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in run.output
        assert not [secret for secret in secrets if secret in run.output]
        assert not [task for task in run.tasks if any(secret in json.dumps(task.invocation) for secret in secrets)]


# --- what a task may ask for --------------------------------------------------------------------------------------


def trial(name: str, what: str, options: Mapping[str, t.Any] | None = None, **keywords: t.Any) -> Json:
    return {"name": name, TRIAL: {"what": what, **(options or {})}, **keywords}


def results(run: PlaybookRun) -> dict[str, TaskResult]:
    return {task.task: task for task in run.tasks if task.action == TRIAL}


def test_a_task_runs_in_a_process_where_it_needs_one(estate: Estate, tmp_path: Path) -> None:
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    in_workers = [
        trial("plain", "thread"),
        trial("delegated", "thread", delegate_to="127.0.0.1"),
        trial("another name", "thread", vars={"ansible_python_interpreter": _sibling_name()}),
        trial("as whom", "thread", remote_user="somebody", port=22, vars={"ansible_remote_tmp": "/nowhere"}),
    ]
    in_processes = [
        trial("environment", "thread", environment={"A": "b"}),
        trial("become", "thread", become=True),
        trial("async", "thread", **{"async": 60, "poll": 1}),
        trial("interpreter", "thread", vars={"ansible_python_interpreter": str(wrapper)}),
        trial("connection", "thread", vars={"ansible_connection": "crosscloud.trial.other"}),
        trial("turned off", "thread", vars={"aks_amp_direct": "no"}),
    ]
    run = run_tasks(tmp_path, [*in_workers, *in_processes], inventory=estate.sandbox.folder.inventory)
    found = {name: task.result.get("where", task.msg) for name, task in results(run).items()}
    assert found == {
        **{task["name"]: "worker" for task in in_workers},
        **{task["name"]: "process" for task in in_processes},
    }


def _sibling_name() -> str:
    """This environment's interpreter under another of its names."""
    own = Path(sys.executable)
    return str(next(path for path in own.parent.glob("python*") if path != own and path.resolve() == own.resolve()))


@pytest.mark.parametrize("environment", [{"AKS_AMP_DIRECT": "false"}, {"ANSIBLE_KEEP_REMOTE_FILES": "1"}])
def test_the_environment_of_a_run_may_ask_for_processes(
    estate: Estate, tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = {"ANSIBLE_REMOTE_TEMP": str(tmp_path / "kept")}
    tasks = [trial("asked", "thread")]
    run = run_tasks(tmp_path, tasks, inventory=estate.sandbox.folder.inventory, **environment, **folder)
    assert results(run)["asked"].result["where"] == "process"


#: In the words of a playbook's author. Ansible itself evaluates most of them; none may get lost on the way.
ORDINARY: t.Final = [
    trial("where it runs", "tell", {"secret": SECRET, "given": {"a": 1, "b": "x", "c": [True, None, 1.5]}}),
    trial("in check mode", "tell", check_mode=True),
    trial("not in check mode", "tell", check_mode=False),
    trial(
        "templates", "tell", {"given": {"n": "{{ 40 + 2 }}", "d": "{{ {1: 'one', 'x': omit} }}", "day": "2026-11-28"}}
    ),
    trial("by its alias", "tell", {"title": "one"}),
    trial("by both names", "tell", {"title": "one", "name": "two"}),
    trial("an old option", "tell", {"old": "x"}),
    trial("in a loop", "tell", {"name": "{{ item }}"}, loop=["one", "two"]),
    trial("defaults", "tell", module_defaults={TRIAL: {"name": "a default"}}),
    trial("hidden", "tell", {"secret": SECRET}, no_log=True),
    trial(
        "unsafe",
        "tell",
        {"name": "{{ lookup('vars', 'untrusted') }}"},
        vars={"untrusted": {"__ansible_unsafe": "{{ 1 }}"}},
    ),
    trial("refused", "refuse", {"secret": SECRET}),
    trial("judged", "tell", failed_when="true", changed_when="true"),
    trial("noise", "print"),
    trial("listening", "listen"),
    trial("a missing option", "tell", {"what": None}),
    trial("a wrong choice", "dance"),
]


def test_keywords_and_values_mean_the_same(estate: Estate, tmp_path: Path) -> None:
    inventory = estate.sandbox.folder.inventory
    log = tmp_path / "ansible.log"
    environment = {"AKS_AMP_TRIAL": "set", "ANSIBLE_LOG_PATH": str(log)}
    directly, in_processes = (
        run_tasks(tmp_path, ORDINARY, "-vvv", *extra, inventory=inventory, **environment)
        for extra in ((), IN_A_PROCESS)
    )
    first, second = ([_without_where(entry) for entry in told(run.tasks)] for run in (directly, in_processes))
    assert first == second
    found = results(directly)
    assert found["where it runs"].result["cwd"] == str(tmp_path)
    assert found["where it runs"].result["variable"] == "set"
    assert found["where it runs"].result["secret_length"] == len(SECRET)
    assert found["listening"].result["heard"] == ["plugin failed"]
    assert found["in check mode"].result["check_mode"] is True
    assert found["defaults"].result["another"] == "a default"
    for run in (directly, in_processes):
        assert NOISE not in run.output
        assert SECRET not in run.output
    logged = log.read_text(encoding="utf-8")
    assert NOISE not in logged
    assert SECRET not in logged


def _without_where(entry: tuple[t.Any, ...]) -> list[t.Any]:
    """The trial module says where it ran, which differs."""
    return json.loads(re.sub(r'"where": "(worker|process)"', '"where": ""', json.dumps(entry)))


# --- what goes wrong ---------------------------------------------------------------------------------------------


def test_a_crash_fails_its_task_and_nothing_else(estate: Estate, tmp_path: Path) -> None:
    wrong = ("bug", "exit", "cancel", "recurse", "hoard")
    tasks = [
        *(trial(what, what, {"secret": SECRET}) for what in wrong),
        trial("sleep", "sleep", timeout=1),
        trial("afterwards", "tell"),
    ]
    tracebacks = {"ANSIBLE_DISPLAY_TRACEBACK": "error"}  # without it, ansible-core shows none since 2.19
    run = run_tasks(tmp_path, tasks, "-vvv", inventory=estate.sandbox.folder.inventory, **tracebacks)
    found = results(run)
    assert {name: task.status for name, task in found.items()} == {
        **dict.fromkeys((*wrong, "sleep"), "ignored"),
        "afterwards": "ok",
    }
    assert {name: _kind(found[name].msg) for name in wrong} == {
        "bug": "ZeroDivisionError",
        "exit": "SystemExit",
        "cancel": "CancelledError",
        "recurse": "RecursionError",
        "hoard": "MemoryError",
    }
    assert "trial.py" in str(found["bug"].result["exception"]), "its traceback is kept"
    assert re.search(r"1 second|expected time frame \(1\)", found["sleep"].msg)
    assert SECRET not in run.output
    assert SECRET not in json.dumps([task.result for task in run.tasks])


def _kind(message: str) -> str:
    found = re.match(r"The module failed unexpectedly: (\w+)", message)
    return found[1] if found else message


def test_a_secret_out_of_a_vault_reaches_the_module(estate: Estate, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("of the vault", encoding="utf-8")
    vault = str(Path(sys.executable).parent / "ansible-vault")
    command = (vault, "encrypt_string", "--vault-password-file", str(password), SECRET, "--name", "vaulted")
    encrypted = subprocess.run(  # noqa: S603  # of this environment
        command, check=True, capture_output=True, text=True, env=clean_environment()
    ).stdout
    variables = tmp_path / "variables.yml"
    variables.write_text(encrypted, encoding="utf-8")
    options = {"secret": "{{ vaulted }}", "given": {"inner": "{{ vaulted }}"}}
    run = run_tasks(
        tmp_path,
        [trial("vault", "tell", options)],
        *("-e", f"@{variables}", "--vault-password-file", str(password)),
        inventory=estate.sandbox.folder.inventory,
    )
    result = results(run)["vault"].result
    assert result["secret_length"] == len(SECRET)
    assert result["types"] == {"inner": "str"}
    assert SECRET not in json.dumps(result)
