# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs examples on the sandbox, in check mode: each is an inventory host of its own, so one run tries many of them."""

from __future__ import annotations

import dataclasses
import functools
import re
import typing as t
from pathlib import Path

import yaml

from demo.runs import PlaybookRun, clean_environment, run_playbook
from sandbox import world
from tests.docs.arguments import module_specs
from tests.docs.commands import WRITING, Command
from tests.docs.estate import CLUSTER, GROUPS, DocumentedEstate, Json
from tests.docs.kinds import Kind, kind, load

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.docs.pages import Block

#: What examples call the results of the steps, by the module whose result it is.
RESULTS: t.Final = {
    "cluster": "aks_oidc_issuer",
    "provider": "iam_oidc_provider_thumbprint",
    "role": "iam_web_identity_role",
    "found": "amp_workspace_info",
    "amp": "amp_workspace_info",
    "metrics": "amp_workspace_info",
    "credential": "entra_federated_credential",
    "entra": "entra_federated_credential",
    "aks_oidc_issuer_result": "aks_oidc_issuer",
    "iam_web_identity_role_result": "iam_web_identity_role",
    "iam_web_identity_workspace_result": "amp_workspace_info",
}
PROFILES: t.Final = ("metrics", "central", "fleet")
#: A playbook of the collection by its name or by its file.
_PLAYBOOK = re.compile(
    r"(?:crosscloud\.aks_amp\.|playbooks/)?(?P<name>federate|verify|drift|teardown|merge_drift_reports)(?:\.yml)?"
)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How an example ended. ``failure`` is the message of the task that failed, empty when none did."""

    tasks: int
    failure: str
    output: str


class Player:
    """Runs examples on an estate."""

    def __init__(self, estate: DocumentedEstate) -> None:
        self.estate = estate
        self._commands: dict[object, PlaybookRun] = {}

    @functools.cached_property
    def environment(self) -> dict[str, str]:
        """The login of who runs examples, as a shell would have it."""
        keys = f"aws_access_key_id = {world.CONTROLLER_AWS_ACCESS_KEY}\n"
        keys += f"aws_secret_access_key = {world.CONTROLLER_AWS_SECRET_KEY}\n"
        profiles = self.estate.folder / "profiles"
        profiles.write_text("".join(f"[{name}]\n{keys}region = eu-west-1\n" for name in PROFILES), encoding="utf-8")
        profiles.chmod(0o600)
        return {
            "AWS_SHARED_CREDENTIALS_FILE": str(profiles),
            "AWS_ACCESS_KEY_ID": world.CONTROLLER_AWS_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": world.CONTROLLER_AWS_SECRET_KEY,
            "AWS_REGION": "eu-west-1",
            "AZURE_TENANT_ID": world.AZURE_TENANT,
            "AZURE_CLIENT_ID": world.CONTROLLER_CLIENT_ID,
            "AZURE_CLIENT_SECRET": world.CONTROLLER_CLIENT_SECRET,
            "AZURE_SUBSCRIPTION_ID": world.AZURE_SUBSCRIPTION,
            "K8S_AUTH_KUBECONFIG": self.estate.translated("~/.kube/config"),
            "ANSIBLE_NOCOLOR": "true",
        }

    @functools.cached_property
    def results(self) -> dict[str, t.Any]:
        """What the steps returned for a federated cluster, by the names that examples use."""
        run = self.run("playbooks/federate.yml", self.inventory("steps", {CLUSTER: self.estate.host()}), "--check")
        assert run.exit_code == 0, run.output[-6000:]
        results = {name: dict(run.result(CLUSTER, module)) for name, module in RESULTS.items()}
        return {**results, "my_issuer": results["cluster"]["issuer"]}

    def run(
        self, playbook: str, inventory: Path, *arguments: str, variables: Mapping[str, str] | None = None
    ) -> PlaybookRun:
        environment = {**self.environment, **(variables or {})}
        if callbacks := environment.get("ANSIBLE_CALLBACKS_ENABLED"):
            environment["ANSIBLE_CALLBACKS_ENABLED"] = f"{callbacks},recorder"
        return run_playbook(playbook, inventory, *arguments, environment=environment)

    def inventory(self, name: str, hosts: Json, **groups: t.Any) -> Path:
        path = self.estate.folder / f"inventory-{name}.yml"
        path.write_text(yaml.safe_dump({"aks": {"hosts": hosts}, **groups}), encoding="utf-8")
        path.chmod(0o600)
        return path

    def fleet(self) -> Path:
        """The inventory in place of those that commands name: two federated clusters, and groups by region."""
        hosts = {name: self.estate.host(name) for name in ("payments-prod", "search-prod")}
        groups = {group: {"hosts": dict.fromkeys(members)} for group, members in GROUPS.items()}
        return self.inventory("fleet", hosts, **groups)

    # Commands ----------------------------------------------------------------------------------------------------

    @functools.cached_property
    def shell(self) -> dict[str, str]:
        """The environment of commands."""
        return {**clean_environment(), **self.environment}

    def command(self, command: Command) -> PlaybookRun:
        """An ``ansible-playbook`` of an example, on the fleet; where it would write, in check mode.

        Of commands that come to the same one is run.
        """
        arguments = _without_inventory(list(command.words[1:]))
        (playbook,) = [found for word in arguments if (found := _PLAYBOOK.fullmatch(word))]
        check = ("--check", "--diff") if playbook["name"] in WRITING else ()
        told = [self.estate.translated(word) for word in arguments if word not in (playbook[0], *check)]
        words = (f"playbooks/{playbook['name']}.yml", *told, *check)
        key = (words, command.variables)
        if key not in self._commands:
            self._commands[key] = self.run(words[0], self.fleet(), *words[1:], variables=dict(command.variables))
        return self._commands[key]

    # Variables ---------------------------------------------------------------------------------------------------

    def federate(self, blocks: Iterable[Block]) -> dict[Block, Outcome]:
        """What each block's variables come to, on hosts of their own, by the plan of ``federate.yml`` in one task."""
        names = {f"example-{number}": block for number, block in enumerate(blocks)}
        inventory = self.inventory("variables", {name: self._host(block) for name, block in names.items()})
        # As a fleet, hosts that are the same cluster would be refused.
        run = self.run("playbooks/drift.yml", inventory, "-e", '{"aks_amp_fleet": []}')
        return {block: _outcome(run, name) for name, block in names.items()}

    def _host(self, block: Block) -> Json:
        (given,) = load(self.estate.translated(block.text))
        return {**self.estate.host(given.get("aks_amp_cluster_name", CLUSTER)), **given}

    # Tasks and plays ---------------------------------------------------------------------------------------------

    def play(self, blocks: Iterable[Block]) -> dict[Block, Outcome]:
        """All blocks in one playbook in check mode."""
        names = {f"example-{number}": block for number, block in enumerate(blocks)}
        if not names:
            return {}
        plays = [play for name, block in names.items() for play in self._plays(name, block)]
        playbook = self.estate.folder / "examples.yml"
        playbook.write_text(yaml.safe_dump(plays, sort_keys=False, width=1000), encoding="utf-8")
        inventory = self.inventory("tasks", {name: {**self.estate.host(), **self.results} for name in names})
        run = self.run(str(playbook), inventory, "--check", "--diff")
        return {block: _outcome(run, name) for name, block in names.items()}

    def _plays(self, host: str, block: Block) -> list[Json]:
        (found,) = load(self.estate.translated(block.text))
        plays = found if kind(block) is Kind.PLAYS else [{"name": block.name, "tasks": found}]
        trusted = {"https_proxy": self.estate.sandbox.proxy_url, "ca_bundle": str(self.estate.sandbox.ca_file)}
        # Errors are ignored, and judged later: Ansible ends a playbook when all hosts of a play have failed.
        common = {"hosts": host, "connection": "local", "gather_facts": False, "ignore_errors": True}
        takers = [name for name, spec in module_specs().items() if trusted.keys() <= spec.keys()]
        common["module_defaults"] = dict.fromkeys(takers, trusted)
        return [play if "ansible.builtin.import_playbook" in play else {**play, **common} for play in plays]


def _without_inventory(words: list[str]) -> list[str]:
    """Arguments without the inventories that they name."""
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in ("-i", "--inventory"):
            next(rest)
        else:
            kept.append(word)
    return kept


def _outcome(run: PlaybookRun, host: str) -> Outcome:
    mine = [task for task in run.tasks if task.host == host]
    failures = [
        f"{task.task}: {task.msg} {_details(task.result)}" for task in mine if task.status in ("failed", "unreachable")
    ]
    return Outcome(len(mine), "\n".join(failures), run.output)


def _details(result: Mapping[str, t.Any]) -> str:
    """What argument specs say, and items of loops."""
    texts: Sequence[t.Any] = [
        *result.get("argument_errors", ()),
        *(one.get("msg", "") for one in result.get("results", ())),
    ]
    return " ".join(str(text) for text in texts if text)
