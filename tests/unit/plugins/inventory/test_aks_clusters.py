# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin by ansible-inventory itself, against the sandbox's ARM."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.doc_fragments.azure_inventory import ModuleDocFragment
from ansible_collections.crosscloud.aks_amp.plugins.inventory import aks_clusters
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _options as options
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_inventory import FleetCluster
from demo.runs import ROOT, clean_environment
from sandbox.testing import running_sandbox
from sandbox.world import (
    AZURE_SUBSCRIPTION,
    AZURE_TENANT,
    CONTROLLER_CLIENT_ID,
    CONTROLLER_CLIENT_SECRET,
    Settings,
)
from tests.unit.plugins.azure_estate import AzureEstate
from tests.unit.plugins.fleet import SECOND_SUBSCRIPTION, add_cluster, add_subscription

if t.TYPE_CHECKING:
    from collections.abc import Iterator

PLUGIN = "crosscloud.aks_amp.aks_clusters"
HOSTILE = "{{ lookup('ansible.builtin.pipe', 'echo evaluated') }}"


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished command."""

    exit_code: int
    output: str
    errors: str

    @property
    def inventory(self) -> dict[str, t.Any]:
        assert self.exit_code == 0, self.errors
        content: dict[str, t.Any] = json.loads(self.output, object_hook=_without_mark)
        return content

    @property
    def hosts(self) -> dict[str, dict[str, t.Any]]:
        found: dict[str, dict[str, t.Any]] = self.inventory["_meta"]["hostvars"]
        return found

    def group(self, name: str) -> list[str]:
        return sorted(self.inventory.get(name, {}).get("hosts", []))

    @property
    def sentence(self) -> str:
        """What went wrong, in one line: ansible-core breaks lines at the width of the terminal."""
        assert self.exit_code != 0, self.output
        return " ".join(self.errors.split())


def _without_mark(content: dict[str, t.Any]) -> t.Any:
    """ansible-inventory shows a text that is never to be evaluated as a dictionary of this form."""
    return content["__ansible_unsafe"] if content.keys() == {"__ansible_unsafe"} else content


@dataclasses.dataclass(frozen=True)
class Fleet:
    """The sandbox and an inventory file for it."""

    estate: AzureEstate
    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "fleet.aks_clusters.yml"

    def write(self, **changes: t.Any) -> None:
        content = {
            "plugin": PLUGIN,
            "tenant": AZURE_TENANT,
            "client_id": CONTROLLER_CLIENT_ID,
            "https_proxy": self.estate.transport.https_proxy,
            "ca_bundle": self.estate.transport.ca_bundle,
            **changes,
        }
        self.file.write_text(yaml.safe_dump(content), encoding="utf-8")

    def run(self, program: str, *arguments: str, **environment: str) -> Run:
        variables = {
            **clean_environment(),
            "AZURE_CLIENT_SECRET": CONTROLLER_CLIENT_SECRET,
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
            "COLUMNS": "1000",
            **environment,
        }
        command = (str(Path(sys.executable).parent / program), "-i", str(self.file), *arguments)
        done = subprocess.run(  # noqa: S603  # Ansible's own programs
            command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def list(self, *arguments: str, environment: dict[str, str] | None = None, **changes: t.Any) -> Run:
        self.write(**changes)
        return self.run("ansible-inventory", "--list", *arguments, **(environment or {}))

    def requests(self) -> list[str]:
        return [one.operation for one in self.estate.requests("arm")]


@pytest.fixture(scope="module")
def running() -> Iterator[AzureEstate]:
    with running_sandbox(Settings(arm_page_size=1)) as sandbox:
        yield AzureEstate(sandbox)


@pytest.fixture
def fleet(running: AzureEstate, tmp_path: Path) -> Fleet:
    running.sandbox.reset()
    return Fleet(running, tmp_path)


# What becomes a host


def test_all_clusters_of_all_subscriptions_over_all_pages_become_hosts(fleet: Fleet) -> None:
    add_subscription(fleet.estate)
    add_cluster(fleet.estate, "other", group="rg-other", subscription=SECOND_SUBSCRIPTION)
    run = fleet.list()
    assert run.group("aks") == ["finished", "fresh", "halfdone", "other"]
    assert fleet.requests() == ["Subscriptions_List"] * 2 + ["ManagedClusters_List"] * 4
    assert fleet.estate.writes() == []
    assert run.hosts["other"]["aks_amp_subscription_id"] == SECOND_SUBSCRIPTION
    assert run.hosts["other"]["aks_amp_resource_group"] == "rg-other"
    fresh = run.hosts["fresh"]
    assert fresh["aks_amp_subscription_id"] == AZURE_SUBSCRIPTION
    assert fresh["aks_amp_cluster_name"] == "fresh"
    assert fresh["aks_tags"]["environment"] == "test"
    assert fresh["aks_oidc_issuer_enabled"] is False
    assert run.hosts["finished"]["aks_oidc_issuer_url"] == fleet.estate.sandbox.cluster("finished").issuer_url
    assert {*FleetCluster("s", "g", "n", "i").variables()} <= fresh.keys()
    for secret in (CONTROLLER_CLIENT_SECRET, fleet.estate.sandbox.cluster("fresh").admin_token, "BEGIN"):
        assert secret not in run.output + run.errors


def test_clusters_of_one_name_get_longer_names_by_which_filters_do_not_decide(fleet: Fleet) -> None:
    add_subscription(fleet.estate)
    add_cluster(fleet.estate, "fresh", group="rg-other", tags={"team": "a"})
    add_cluster(fleet.estate, "halfdone", subscription=SECOND_SUBSCRIPTION)
    assert fleet.list().group("aks") == sorted(
        [
            "finished",
            "fresh.rg-fleet",
            "fresh.rg-other",
            f"halfdone.rg-fleet.{AZURE_SUBSCRIPTION}",
            f"halfdone.rg-fleet.{SECOND_SUBSCRIPTION}",
        ]
    )
    only = fleet.list(tags={"team": None}, hostnames="short")
    assert list(only.hosts) == ["fresh.rg-other"]
    qualified = fleet.list(tags={"team": "a"}, hostnames="qualified")
    assert list(qualified.hosts) == [f"fresh.rg-other.{AZURE_SUBSCRIPTION}"]


def test_filters_groups_and_composed_variables(fleet: Fleet) -> None:
    add_cluster(fleet.estate, "stopped", tags={"environment": "prod"}, powerState={"code": "Stopped"})
    run = fleet.list(
        subscription_ids=[AZURE_SUBSCRIPTION],
        tags={"Environment": ["prod", "stage", "test"]},
        exclude_names=["HALF*"],
        include_stopped=False,
        group="fleet",
        strict=True,
        keyed_groups=[{"key": "aks_tags.environment", "prefix": "env"}, {"key": "aks_location", "prefix": "region"}],
        groups={"not_federated": "not aks_oidc_issuer_enabled"},
        compose={"aks_amp_kube_context": "aks_amp_cluster_name ~ '-admin'"},
    )
    assert run.group("fleet") == ["finished", "fresh"]
    assert run.group("env_prod") == ["finished"]
    assert run.group("region_eastus") == ["fresh"]
    assert run.group("not_federated") == ["fresh"]
    assert "aks" not in run.inventory
    assert run.hosts["fresh"]["aks_amp_kube_context"] == "fresh-admin"
    assert "Subscriptions_List" not in fleet.requests()


def test_strict_makes_a_wrong_expression_an_error(fleet: Fleet) -> None:
    wrong = {"compose": {"x": "aks_tags.no_such_tag.at_all"}}
    assert "x" not in fleet.list(**wrong).hosts["fresh"]
    assert "Could not set x for host" in fleet.list(strict=True, **wrong).sentence


def test_a_login_that_sees_no_subscription_has_no_hosts_and_says_so(fleet: Fleet) -> None:
    fleet.estate.sandbox.world.subscriptions.clear()
    run = fleet.list()
    assert run.hosts == {}
    assert "sees no usable Azure subscription" in " ".join(run.errors.split())


def test_the_graph_shows_hosts_and_groups(fleet: Fleet) -> None:
    fleet.write(keyed_groups=[{"key": "aks_location", "prefix": "region"}])
    graph = fleet.run("ansible-inventory", "--graph").output
    for line in ("|--@aks:", "|  |--fresh", "|--@region_eastus:"):
        assert line in graph


# What Azure says is data


def test_text_from_azure_is_never_a_template(fleet: Fleet) -> None:
    """Tags are set by people who must not be able to run commands on the controller."""
    tags = {"hostile": HOSTILE, "{{ 1 + 1 }}": "x", "statement": "{% for i in [1] %}loop{% endfor %}", "plain": "a b"}
    add_cluster(fleet.estate, "target", tags=tags)
    changes: dict[str, t.Any] = {
        "tags": {"plain": None},
        "compose": {"copied": "aks_tags.hostile", "joined": "'<' ~ aks_tags.hostile ~ '>'"},
        "keyed_groups": [{"key": "aks_tags.hostile", "prefix": "tag"}],
    }
    run = fleet.list(**changes)
    assert run.hosts["target"]["aks_tags"] == tags
    assert run.hosts["target"]["copied"] == HOSTILE
    assert "tag_evaluated" not in run.inventory
    shown = "{{ [aks_tags.hostile, copied, joined, aks_tags.statement, aks_tags] | to_json }}"
    played = fleet.run("ansible", "aks", "-m", "ansible.builtin.debug", "-a", f'msg="{shown}"')
    assert played.exit_code == 0, played.output
    assert HOSTILE in played.output
    assert "endfor" in played.output
    assert "echo evaluated" in played.output
    assert "evaluated" not in played.output.replace("echo evaluated", "")
    assert "loop" not in played.output.replace("%}loop{%", "")


_TEMPLATES = st.lists(st.sampled_from([*"{}%# '1a+(", "{{", "}}", "{%", "%}", HOSTILE]), max_size=12).map("".join)


@given(_TEMPLATES | st.text(max_size=12))
def test_no_text_is_evaluated(text: str) -> None:
    templar = Templar(loader=DataLoader())
    assert templar.template(aks_clusters.foreign(text)) == text
    assert templar.template(aks_clusters.foreign({text: text})) == {text: text}


def test_the_plugins_own_templates_are_evaluated() -> None:
    templar = Templar(loader=DataLoader(), variables={"ansible_playbook_python": "/usr/bin/python3"})
    assert templar.template(aks_clusters.trust_as_template("{{ ansible_playbook_python }}")) == "/usr/bin/python3"


def test_hosts_are_local_with_ansibles_own_interpreter_unless_group_vars_say_otherwise(fleet: Fleet) -> None:
    fleet.write(names=["fresh"])
    ask = (
        "aks",
        "-m",
        "ansible.builtin.debug",
        "-a",
        "msg=<{{ ansible_connection }}:{{ ansible_python_interpreter }}>",
    )
    played = fleet.run("ansible", *ask)
    assert "<local:{{" not in played.output
    assert "<local:/" in played.output
    (fleet.folder / "group_vars").mkdir()
    (fleet.folder / "group_vars" / "aks.yml").write_text("ansible_python_interpreter: /opt/python\n", encoding="utf-8")
    assert "<local:/opt/python>" in fleet.run("ansible", *ask).output


# Logins


def test_a_secret_may_be_a_template_and_wins_over_the_environment(fleet: Fleet) -> None:
    run = fleet.list(
        "-e",
        f"which_tenant={AZURE_TENANT}",
        secret="{{ lookup('ansible.builtin.env', 'FROM_VAULT') }}",
        tenant="{{ which_tenant }}",
        subscription_ids=["{{ lookup('ansible.builtin.env', 'WHICH') }}"],
        environment={
            "AZURE_CLIENT_SECRET": "wrong",
            "FROM_VAULT": CONTROLLER_CLIENT_SECRET,
            "WHICH": AZURE_SUBSCRIPTION.upper(),
        },
    )
    assert run.group("aks") == ["finished", "fresh", "halfdone"]


@pytest.mark.parametrize("cloud", ["AzureUSGovernment", "AzureChinaCloud"])
def test_another_cloud_is_one_option(fleet: Fleet, cloud: str) -> None:
    assert fleet.list(environment={"AZURE_CLOUD_ENVIRONMENT": cloud}).group("aks") == ["finished", "fresh", "halfdone"]


def test_a_value_of_the_environment_is_no_template(fleet: Fleet) -> None:
    secret = "{{ lookup('ansible.builtin.env', 'FROM_VAULT') }}"
    environment = {"AZURE_CLIENT_SECRET": secret, "FROM_VAULT": CONTROLLER_CLIENT_SECRET}
    assert "AADSTS7000215" in fleet.list(environment=environment).sentence


def test_a_refused_login_fails_at_once_and_shows_no_secret(fleet: Fleet) -> None:
    run = fleet.list(
        subscription_ids=[AZURE_SUBSCRIPTION, SECOND_SUBSCRIPTION],
        on_subscription_error="warn",
        environment={"AZURE_CLIENT_SECRET": "not-the-secret"},
    )
    assert "Microsoft Entra ID failed while logging in: AADSTS7000215" in run.sentence
    assert "not-the-secret" not in run.output + run.errors
    assert fleet.requests() == []


# A subscription that can't be read


def test_one_unreadable_subscription_fails_the_inventory(fleet: Fleet) -> None:
    add_subscription(fleet.estate, readable=False)
    run = fleet.list()
    assert f"listing the AKS clusters of subscription {SECOND_SUBSCRIPTION}: AuthorizationFailed" in run.sentence
    assert "Allow Microsoft.ContainerService/managedClusters/read" in run.sentence
    assert "set on_subscription_error: warn" in run.sentence


def test_by_choice_the_other_subscriptions_remain_and_the_missing_ones_are_named(fleet: Fleet) -> None:
    unknown = "00000000-0000-0000-0000-00000000000a"
    add_subscription(fleet.estate, readable=False)
    run = fleet.list(subscription_ids=[SECOND_SUBSCRIPTION, AZURE_SUBSCRIPTION, unknown], on_subscription_error="warn")
    assert run.group("aks") == ["finished", "fresh", "halfdone"]
    warnings = " ".join(run.errors.split())
    assert "AuthorizationFailed" in warnings
    assert SECOND_SUBSCRIPTION in warnings
    assert f"Subscription {unknown} was not found" in warnings


def test_when_no_subscription_can_be_read_the_inventory_fails_in_any_case(fleet: Fleet) -> None:
    run = fleet.list(subscription_ids=[SECOND_SUBSCRIPTION], on_subscription_error="warn")
    assert f"Subscription {SECOND_SUBSCRIPTION} was not found. Correct subscription_ids" in run.sentence


# Cache


def cached(fleet: Fleet) -> dict[str, t.Any]:
    return {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(fleet.folder / "cache")}


def test_a_second_run_with_the_cache_makes_no_request_and_gives_the_same(fleet: Fleet) -> None:
    add_cluster(fleet.estate, "target", tags={"hostile": HOSTILE})
    first = fleet.list(**cached(fleet))
    before = fleet.estate.last_request()
    second = fleet.list(**cached(fleet))
    assert fleet.estate.requests(since=before) == []
    assert second.inventory == first.inventory
    assert second.hosts["target"]["aks_tags"] == {"hostile": HOSTILE}
    # Filters are applied to what is cached; another list of subscriptions is another question to Azure.
    assert list(fleet.list(**cached(fleet), names=["fresh"]).hosts) == ["fresh"]
    assert fleet.estate.requests(since=before) == []
    assert len(fleet.list(**cached(fleet), subscription_ids=[AZURE_SUBSCRIPTION]).hosts) == 4
    assert fleet.estate.requests("arm", since=before) != []
    kept = "".join(path.read_text(encoding="utf-8") for path in (fleet.folder / "cache").iterdir())
    assert CONTROLLER_CLIENT_SECRET not in kept


def test_an_incomplete_inventory_is_not_cached(fleet: Fleet) -> None:
    add_subscription(fleet.estate, readable=False)
    add_cluster(fleet.estate, "other", subscription=SECOND_SUBSCRIPTION)
    changes = {**cached(fleet), "on_subscription_error": "warn"}
    assert "other" not in fleet.list(**changes).hosts
    fleet.estate.sandbox.world.subscriptions[-1].readable = True
    assert "other" in fleet.list(**changes).hosts


def test_a_cache_of_another_shape_is_replaced(fleet: Fleet) -> None:
    first = fleet.list(**cached(fleet))
    for path in (fleet.folder / "cache").iterdir():
        path.write_text('{"another": "version"}', encoding="utf-8")
    assert fleet.list(**cached(fleet)).hosts == first.hosts
    before = fleet.estate.last_request()
    assert fleet.list(**cached(fleet)).hosts == first.hosts
    assert fleet.estate.requests(since=before) == []


# Bad input


BAD_INPUT: t.Final[list[tuple[dict[str, t.Any], str]]] = [
    ({"locationz": ["x"]}, f"The plugin has no option 'locationz'. See ansible-doc -t inventory {PLUGIN}."),
    ({"subscription_ids": ["Production"]}, "subscription_ids: 'Production' is no subscription ID. Give the ID"),
    ({"tags": {"prometheus": True}}, "tags: the value True of 'prometheus' is no text. Quote it"),
    ({"group": "aks-fleet"}, "group: 'aks-fleet' is no name of a group. Use letters"),
    ({"hostnames": "long"}, "hostnames"),
    ({"secret": "{{ no_such_variable }}"}, "secret: the template can't be evaluated"),
    ({"client_id": ""}, "a secret, certificate or token is given, but no client_id"),
    ({"ca_bundle": "/no/such.pem"}, "ca_bundle: there is no file /no/such.pem. Name a PEM file."),
]


def test_bad_input_is_one_clear_sentence_before_any_request(fleet: Fleet) -> None:
    # All files in one run, which costs a process; each fails for itself.
    sources = []
    for number, (changes, _sentence) in enumerate(BAD_INPUT):
        file = fleet.folder / f"{number}.aks_clusters.yml"
        fleet.write(**changes)
        fleet.file.rename(file)
        sources += ["-i", str(file)]
    fleet.write(names=["fresh"])
    run = fleet.run("ansible-inventory", "--list", *sources, ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="false")
    said = " ".join(run.errors.split())
    assert [sentence for _changes, sentence in BAD_INPUT if sentence not in said] == []
    assert list(run.hosts) == ["fresh"]
    assert fleet.requests() == ["Subscriptions_List"] + ["ManagedClusters_List"] * 3  # those of the good file


def test_the_files_name_decides_whether_it_is_the_plugins() -> None:
    plugin = aks_clusters.InventoryModule()
    assert not plugin.verify_file(str(ROOT / "inventories" / "sample" / "hosts.yml"))
    assert not plugin.verify_file("/no/such.aks_clusters.yml")
    assert plugin.verify_file(str(ROOT / "inventories" / "discovered" / "fleet.aks_clusters.yml"))


# Documentation


def test_the_login_options_are_those_of_the_modules() -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    spec = options.AZURE.merge(options.TRANSPORT).options
    assert documented.keys() == spec.keys() - {"graph_endpoint"}  # an inventory has no use for Microsoft Graph
    for name, entry in documented.items():
        for key in ("type", "default", "choices", "aliases"):
            assert entry.get(key) == spec[name].get(key), (name, key)
        # The first variable that is set counts for modules, the last one for plugins.
        variables = [each["name"] for each in entry.get("env", [])]
        assert variables == list(reversed(spec[name].get("fallback", (None, []))[1])), name


def test_every_login_option_without_choices_may_be_a_template() -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert {name for name, entry in documented.items() if "choices" not in entry} <= set(aks_clusters.TEMPLATED)


def test_every_variable_is_documented_and_none_is_a_roles_own() -> None:
    variables = FleetCluster("s", "g", "n", "i").variables()
    description = " ".join(yaml.safe_load(aks_clusters.DOCUMENTATION)["description"])
    assert [name for name in variables if f"C({name})" not in description] == []
    for specs in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        for entry in yaml.safe_load(specs.read_text(encoding="utf-8"))["argument_specs"].values():
            assert variables.keys().isdisjoint(entry["options"]), specs
