# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every example of the documentation is executed on the sandbox; what can't be has a reason beside it.

Examples are the code blocks of the guides, the READMEs and the maintainers' pages, and the EXAMPLES of modules and of
the inventory plugin. What is done with a block depends on its language and on what it holds (``kinds.py``); the guide
to contributing says it for writers.
"""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import boto3
import pytest
import yaml
from ansible.constants import config as ansible_settings
from botocore.config import Config

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import (
    STEPS,
    Cluster,
    Report,
    Status,
    Step,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.render_text import openmetrics
from sandbox import estate as seeded
from sandbox import world
from sandbox.faults import Fault
from sandbox.faults import Kind as FaultKind
from tests.docs import arguments, commands, kinds
from tests.docs.estate import DocumentedEstate, documented_estate
from tests.docs.examples import EXAMPLES, parameters
from tests.docs.kinds import Kind, Verdict
from tests.docs.pages import ROOT, Block
from tests.docs.playing import Outcome, Player

if t.TYPE_CHECKING:
    from collections.abc import Iterator


#: A label before its value or the pattern of its values.
_LABEL: t.Final = re.compile(r"(\w+)=~?\"")


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentedEstate]:
    with documented_estate(tmp_path_factory.mktemp("examples")) as found:
        yield found


@pytest.fixture(scope="session")
def player(estate: DocumentedEstate) -> Player:
    return Player(estate)


def _chosen(request: pytest.FixtureRequest, test: str) -> list[Block]:
    """The blocks that a test of this session runs, so that one run has them all."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function) and item.originalname == test]
    found = [item.callspec.params["block"] for item in items]
    return [block for block in found if kinds.verdict(block)[0] is not Verdict.VALIDATED]


@pytest.fixture(scope="session")
def federated(player: Player, request: pytest.FixtureRequest) -> dict[Block, Outcome]:
    return player.federate(_chosen(request, "test_variables"))


@pytest.fixture(scope="session")
def played(player: Player, request: pytest.FixtureRequest) -> dict[Block, Outcome]:
    return player.play(_chosen(request, "test_tasks_and_plays"))


def judge(block: Block, outcome: Outcome) -> None:
    """An example ends well, or as the comment above it says."""
    verdict, text = kinds.verdict(block)
    if verdict is Verdict.REFUSED:
        assert text in outcome.failure, outcome.failure or "nothing failed"
    else:
        assert outcome.failure == "", outcome.failure
        assert outcome.tasks > 0, outcome.output[-6000:]


def test_there_are_examples_of_every_kind() -> None:
    counts = {kind: len(parameters(kind)) for kind in Kind}
    assert all(counts.values()), counts
    assert len(EXAMPLES) > 100


@pytest.mark.parametrize("block", [pytest.param(block, id=block.name) for block in EXAMPLES])
def test_a_block_is_of_a_kind_that_is_executed(block: Block) -> None:
    verdict, _why = kinds.verdict(block)
    if verdict is Verdict.SHOWN:
        kinds.parse(block)
    else:
        assert kinds.kind(block) in Kind


@pytest.mark.xdist_group("variables")
@pytest.mark.parametrize("block", parameters(Kind.VARIABLES))
def test_variables(block: Block, request: pytest.FixtureRequest) -> None:
    (variables,) = kinds.load(block.text)
    verdict, _text = kinds.verdict(block)
    if verdict is not Verdict.REFUSED:
        assert arguments.variable_errors(variables) == []
    if verdict is not Verdict.VALIDATED:
        judge(block, request.getfixturevalue("federated")[block])


@pytest.mark.xdist_group("tasks")
@pytest.mark.parametrize("block", parameters(Kind.TASKS, Kind.PLAYS))
def test_tasks_and_plays(block: Block, request: pytest.FixtureRequest) -> None:
    (tasks,) = kinds.load(block.text)
    verdict, _text = kinds.verdict(block)
    if verdict is not Verdict.REFUSED:
        assert arguments.task_errors(tasks) == []
    if verdict is not Verdict.VALIDATED:
        judge(block, request.getfixturevalue("played")[block])


@pytest.mark.xdist_group("commands")
@pytest.mark.parametrize("block", parameters(Kind.INVENTORY))
def test_inventories(block: Block, player: Player, estate: DocumentedEstate, tmp_path: Path) -> None:
    (groups,) = kinds.load(block.text)
    assert arguments.inventory_errors(groups) == []
    if kinds.verdict(block)[0] is Verdict.VALIDATED:
        return
    path = tmp_path / "hosts.yml"
    path.write_text(estate.translated(block.text), encoding="utf-8")
    # The login and the way to the sandbox, which stand in no inventory: what the example itself says wins.
    login = tmp_path / "login.yml"
    variables = {
        name: value
        for name, value in estate.group["vars"].items()
        if "aks_amp_aws_profile" not in block.text or name not in ("aks_amp_aws_access_key", "aks_amp_aws_secret_key")
    }
    login.write_text(yaml.safe_dump({"all": {"vars": variables}}), encoding="utf-8")
    run = player.run("playbooks/federate.yml", login, "-i", str(path), "--check")
    failed = [f"{task.host}: {task.task}: {task.msg}" for task in run.tasks if task.status in ("failed", "unreachable")]
    judge(block, Outcome(len(run.tasks), "\n".join(failed), run.output))


@pytest.mark.parametrize("page", sorted({block.page for block in EXAMPLES if "aws sso login" in block.text}))
def test_a_profile_that_is_logged_in_is_the_one_that_is_used(page: str) -> None:
    found = [block for block in EXAMPLES if block.page == page]
    used = [
        command.words
        for block in found
        if block.language == "console"
        for command in commands.commands(block)
        if command.program == "aws"
    ]
    (profile,) = {words[words.index("--profile") + 1] for words in used}
    inventories = [block for block in found if "aks_amp_subscription_id:" in block.text]
    assert inventories
    for block in inventories:
        assert f"aks_amp_aws_profile: {profile}\n" in block.text, block.name


@pytest.mark.xdist_group("commands")
@pytest.mark.parametrize("block", parameters(Kind.PLUGIN))
def test_inventory_plugins(block: Block, player: Player, estate: DocumentedEstate, tmp_path: Path) -> None:
    (options,) = kinds.load(estate.translated(block.text))
    way = {"https_proxy": estate.sandbox.proxy_url, "ca_bundle": str(estate.sandbox.ca_file)}
    cache = {"cache_connection": str(tmp_path)} if options.get("cache") else {}
    path = tmp_path / "example.aks_clusters.yml"
    path.write_text(yaml.safe_dump({**way, **options, **cache}), encoding="utf-8")
    command = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(path), "--list"]
    variables = {**player.shell, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"}
    finished = subprocess.run(  # noqa: S603  # our own
        command, cwd=ROOT, env=variables, check=False, capture_output=True, text=True
    )
    assert finished.returncode == 0, finished.stderr
    assert "hostvars" in json.loads(finished.stdout)["_meta"]


@pytest.mark.xdist_group("commands")
@pytest.mark.parametrize("block", parameters(Kind.COMMANDS))
def test_commands(block: Block, player: Player) -> None:
    found = commands.commands(block)
    assert found, "no line begins with '$ '"
    for command in found:
        if command.why_not_run:
            continue
        if command.program != "ansible-playbook":
            assert commands.check(command), command.text
            continue
        run = player.command(command)
        failure = "" if run.exit_code == 0 else f"{command.text} ended with {run.exit_code}\n{run.output[-6000:]}"
        judge(block, Outcome(len(run.tasks), failure, run.output))


@pytest.mark.parametrize("block", parameters(Kind.JSON))
def test_json(block: Block, estate: DocumentedEstate) -> None:
    document = json.loads(block.text)
    if "Statement" in document:
        _accepted_by_iam(estate, document, block)
    elif {"service", "kind"} <= document.keys():
        Fault(**{**document, "kind": FaultKind(document["kind"])})


def _accepted_by_iam(estate: DocumentedEstate, document: dict[str, t.Any], block: Block) -> None:
    """IAM takes a policy: a trust policy with a role, any other by itself. Policies of resources are AMP's."""
    iam = boto3.client(
        "iam",
        region_name=seeded.AWS_REGION,
        aws_access_key_id=world.CONTROLLER_AWS_ACCESS_KEY,
        aws_secret_access_key=world.CONTROLLER_AWS_SECRET_KEY,
        verify=str(estate.sandbox.ca_file),
        config=Config(proxies={"https": estate.sandbox.proxy_url}),
    )
    name, text = f"example-{block.line}", estate.translated(json.dumps(document))
    kinds_of_statements = {("Principal" in one, "Resource" in one) for one in document["Statement"]}
    if kinds_of_statements == {(True, False)}:
        assert iam.create_role(RoleName=name, AssumeRolePolicyDocument=text)["Role"]["RoleName"] == name
        iam.delete_role(RoleName=name)
    elif kinds_of_statements == {(False, True)}:
        assert iam.create_policy(PolicyName=name, PolicyDocument=text)["Policy"]["PolicyName"] == name


@pytest.mark.parametrize("block", parameters(Kind.RULES))
def test_alerting_rules(block: Block) -> None:
    """promtool judges them in tests/real, where it is. A name that no report has is no mistake to it."""
    (content,) = kinds.load(block.text)
    report = openmetrics(Report("2026-05-04T03:02:01Z", (Cluster("payments", (Step(STEPS[0], Status.BROKEN),)),)))
    metrics = set(re.findall(r"^# TYPE (\w+)", report, re.MULTILINE))
    labels = {label for found in re.findall(r"^\w+{(.*)}", report, re.MULTILINE) for label in _LABEL.findall(found)}
    for rule in (rule for group in content["groups"] for rule in group["rules"]):
        assert rule.keys() - {"for"} == {"alert", "expr", "labels", "annotations"}
        without_labels = re.sub(r"{.*?}|(?:by|without) \(.*?\)", "", rule["expr"])
        assert set(re.findall(r"\baks_amp_\w+", without_labels)) <= metrics, rule["alert"]
        assert "aks_amp_" in without_labels
        chosen = {label for found in re.findall(r"{(.*?)}", rule["expr"]) for label in _LABEL.findall(found)}
        grouped = {one for found in re.findall(r"(?:by|without) \((.*?)\)", rule["expr"]) for one in found.split(", ")}
        told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert chosen | grouped | told <= labels, rule["alert"]


@pytest.mark.parametrize("block", parameters(Kind.CONFIGURATION))
def test_settings_of_ansible(block: Block) -> None:
    known = {
        (entry["section"], entry["key"])
        for definition in ansible_settings.get_configuration_definitions().values()
        for entry in definition.get("ini", ())
    }
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(block.text)
    given = {(section, key) for section in parser.sections() for key in parser[section]}
    assert given
    assert given <= known
