# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input is refused before any write, in plain words that say what is wrong, where, and what to do.

Each case is an inventory host of its own, so that one run tries many of them: ``federate.yml`` with a wrong inventory
or a broken estate, and a play that calls single modules with wrong options.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import subprocess
import sys
import typing as t

import pytest
import yaml

from demo.runs import PlaybookRun, TaskResult, run_playbook
from sandbox import estate, manifests, world

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from sandbox.server import Sandbox
    from sandbox.world import Json, LoggedRequest

NO_GUID = "00000000-0000-0000-0000-000000000000"
TWINS = "twins"  # the alias of two workspaces, and the display name of two applications
OLD_SECRET = "secret-of-an-older-entry"
ISSUER = f"https://westeurope.oic.prod-aks.azure.com/{world.AZURE_TENANT}/9d1f0c64-77a3-4c4f-8f0b-5b6e3f2a8c02/"
PORT = ISSUER.replace(".com/", ".com:443/")
ROLE = f"arn:aws:iam::{world.AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role"
WORKSPACE = f"arn:aws:aps:{estate.AWS_REGION}:{world.AWS_ACCOUNT}:workspace/ws-12345678-1234-1234-1234-123456789012"


@dataclasses.dataclass(frozen=True)
class Case:
    """One bad input: what is changed of a good inventory host, and what the refusal must say."""

    name: str
    says: tuple[str, ...]
    variables: Mapping[str, t.Any]
    cluster: str  # whose host in the sandbox's inventory is taken
    without: tuple[str, ...] = ()  # beginnings of the names of variables that are left out
    by_ansible: bool = False  # refused by Ansible's argument specs, in Ansible's words


def wrong(case: str, /, *says: str, on: str, without: str = "", by_ansible: bool = False, **variables: t.Any) -> Case:
    """A host with these wrong ``aks_amp_`` variables; those beginning with a word of ``without`` are missing."""
    values = {f"aks_amp_{name}": value for name, value in variables.items()}
    return Case(case, says, values, on, tuple(f"aks_amp_{word}" for word in without.split()), by_ansible)


# federate.yml, as far as step 2 ---------------------------------------------------------------------------------------

AZURE_SOURCES = ("Give client_id, tenant and secret", "AZURE_CLIENT_ID, AZURE_TENANT_ID", "AZURE_CLIENT_SECRET")
AWS_SOURCES = ("Give access_key and secret_key or profile", "set AWS_ACCESS_KEY_ID and", "AWS_PROFILE")
KUBE_SOURCES = ("Give kubeconfig (K8S_AUTH_KUBECONFIG or KUBECONFIG)", "K8S_AUTH_HOST", "K8S_AUTH_API_KEY")
LIBRARIES = ("Install the packages of the collection's requirements.txt", "ansible_python_interpreter")
NO_SDK = "{{ python_without_sdks }}"

STEP_1 = (
    wrong(
        "no-such-cluster",
        "cluster nope in resource group rg-fleet",
        "not found",
        "Correct",
        on="fresh",
        cluster_name="nope",
    ),
    wrong("no-such-group", "Resource group rg-nope", "not found", "Correct", on="fresh", resource_group="rg-nope"),
    wrong("no-such-subscription", NO_GUID, "not found", "Correct", on="fresh", subscription_id=NO_GUID),
    wrong("no-cluster-name", "'name' is empty", "Give it a value", on="fresh", cluster_name=""),
    wrong("cluster-is-updating", "provisioning state Updating", "Run again", on="updating", wait=False),
    wrong("cluster-has-failed", "provisioning state Failed", "Bring it back", on="failed"),
    wrong("cluster-is-stopped", "is stopped", "az aks start", on="stopped"),
    wrong("issuer-is-another", "names the issuer", "find out which of the two is right", on="misnamed"),
    wrong("issuer-is-not-published", "reading the discovery document", "HTTP 404", "Check that", on="unpublished"),
    wrong(
        "issuer-switched-off",
        "can never be switched off again",
        "Leave the option out",
        on="finished",
        oidc_issuer=False,
    ),
    wrong("flag-is-none", "oidc_issuer", "perhaps", on="fresh", by_ansible=True, oidc_issuer="perhaps"),
    wrong("interval-is-no-number", "poll_interval", on="fresh", by_ansible=True, poll_interval="soon"),
    wrong("interval-is-nothing", "poll_interval", "greater than zero", on="fresh", poll_interval=0),
    wrong("unknown-cloud", "AzureCloud, AzureUSGovernment", on="fresh", by_ansible=True, cloud_environment="Moon"),
    wrong("unknown-login", "auto, certificate, cli, client_secret", on="fresh", by_ansible=True, auth_source="guess"),
    wrong("no-ca-file", "ca_bundle", "/nowhere.pem", "Name a PEM file", on="fresh", ca_bundle="/nowhere.pem"),
    wrong("no-azure-login", "No Azure credentials", *AZURE_SOURCES, "az login", on="fresh", without="client_ tenant_"),
    wrong("no-azure-variables", *AZURE_SOURCES, on="fresh", without="client_ tenant_", auth_source="env"),
    wrong("half-an-azure-login", "no tenant (AZURE_TENANT_ID)", "Give tenant", on="fresh", without="tenant_"),
    wrong("expired-azure-secret", "AADSTS7000215", "AZURE_CLIENT_SECRET", on="fresh", client_secret="expired"),
    wrong("no-azure-library", "azure-identity", *LIBRARIES, on="fresh", python_interpreter=NO_SDK),
)

STEP_2 = (
    wrong("no-such-alias", "alias 'nope'", "fleet-metrics", "Correct alias", on="halfdone", workspace_alias="nope"),
    wrong(
        "alias-twice",
        f"2 workspaces in eu-west-1 have the alias '{TWINS}'",
        "Give the workspace_id",
        on="halfdone",
        workspace_alias=TWINS,
    ),
    wrong(
        "no-such-workspace",
        "no workspace ws-nope in eu-west-1",
        "Correct",
        on="halfdone",
        without="workspace_",
        workspace_id="ws-nope",
    ),
    wrong("no-workspace", "workspace_id, alias", on="halfdone", without="workspace_", by_ansible=True),
    wrong("workspace-named-twice", "workspace_id|alias", on="halfdone", by_ansible=True, workspace_id="ws-nope"),
    wrong("no-flag-for-queries", "allow_query", "perhaps", on="halfdone", by_ansible=True, allow_query="perhaps"),
    wrong("no-aws-login", "No AWS credentials", *AWS_SOURCES, on="halfdone", without="aws_access aws_secret"),
    wrong("no-region", "No AWS region", "Give region, set AWS_REGION", on="halfdone", without="aws_region"),
    wrong("expired-aws-secret", "not accepted", *AWS_SOURCES, on="halfdone", aws_secret_key="expired"),
)

# federate.yml, step 3 -------------------------------------------------------------------------------------------------

STEP_3 = (
    wrong("no-such-object-id", NO_GUID, "Correct object_id", on="halfdone", application_object_id=NO_GUID),
    wrong("no-such-app-id", NO_GUID, "Correct app_id", on="halfdone", application_id=NO_GUID),
    wrong("application-twice", TWINS, "2 of them", "object_id or app_id", on="halfdone", application_name=TWINS),
)

# federate.yml, steps 4 to 6 -------------------------------------------------------------------------------------------

LATER_STEPS = (
    wrong("no-kubeconfig", "No cluster is given", *KUBE_SOURCES, on="finished", without="kube"),
    wrong(
        "no-namespace",
        "no namespace nowhere",
        "create_namespace",
        on="finished",
        namespace="nowhere",
        create_namespace=False,
    ),
    wrong("workload-kind", "got: ReplicaSet", on="finished", by_ansible=True, prometheus_workload_kind="ReplicaSet"),
    wrong(
        "chained-to-itself",
        "federated role itself",
        "leave the chained role out",
        on="finished",
        chained_role_arn=f"{ROLE}-finished",
    ),
    wrong(
        "prometheus-yml-is-none",
        "not-yaml",
        "prometheus.yml",
        "line 2",
        "Repair",
        on="finished",
        prometheus_configmap="not-yaml",
    ),
    wrong(
        "entry-with-keys",
        "static-keys",
        "other credentials",
        '"region": "eu-west-1"',
        "<redacted>",
        "Remove",
        on="finished",
        prometheus_configmap="static-keys",
    ),
)

# Single modules -------------------------------------------------------------------------------------------------------

TRANSPORT = {"https_proxy": "{{ aks_amp_https_proxy }}", "ca_bundle": "{{ aks_amp_ca_bundle }}"}
AWS = {
    "region": "{{ aks_amp_aws_region }}",
    "access_key": "{{ aks_amp_aws_access_key }}",
    "secret_key": "{{ aks_amp_aws_secret_key }}",
    **TRANSPORT,
}
AZURE = {
    "tenant": "{{ aks_amp_tenant_id }}",
    "client_id": "{{ aks_amp_client_id }}",
    "secret": "{{ aks_amp_client_secret }}",
    **TRANSPORT,
}
KUBERNETES = {"kubeconfig": "{{ aks_amp_kubeconfig }}"}
SUBJECT = {"namespace": manifests.NAMESPACE, "service_account": estate.SERVICE_ACCOUNT}

AKS, WORKSPACE_INFO, CHECK = "aks_oidc_issuer", "amp_workspace_info", "federation_check"
PROVIDER, IAM_ROLE, ENTRA = "iam_oidc_provider_thumbprint", "iam_web_identity_role", "entra_federated_credential"
ACCOUNT, PROMETHEUS = "federated_service_account", "prometheus_remote_write"

# Options of each module with which it would find something to write.
MODULES: Mapping[str, Json] = {
    AKS: {
        "subscription_id": world.AZURE_SUBSCRIPTION,
        "resource_group": estate.RESOURCE_GROUP,
        "name": "fresh",
        "oidc_issuer": True,
        **AZURE,
    },
    WORKSPACE_INFO: {"alias": estate.WORKSPACE_ALIAS, **AWS},
    PROVIDER: {"issuer": ISSUER, "trust_anchors": "{{ aks_amp_trust_anchors }}", **AWS},
    IAM_ROLE: {
        "name": "AKS-Prometheus-AMP-Role-halfdone",
        "issuer": ISSUER,
        "service_accounts": [{"namespace": manifests.NAMESPACE, "name": estate.SERVICE_ACCOUNT}],
        "workspace_arns": [WORKSPACE],
        **AWS,
    },
    ENTRA: {
        "display_name": estate.APPLICATION_NAME,
        "name": "aks-prometheus-federation-halfdone",
        "issuer": ISSUER,
        **SUBJECT,
        **AZURE,
    },
    ACCOUNT: {"namespace": manifests.NAMESPACE, "name": estate.SERVICE_ACCOUNT, "context": "fresh", **KUBERNETES},
    PROMETHEUS: {
        "namespace": manifests.NAMESPACE,
        "configmap": manifests.CONFIG_MAP,
        "workload_kind": manifests.WORKLOAD_KIND,
        "workload_name": manifests.WORKLOAD,
        "service_account": estate.SERVICE_ACCOUNT,
        "role_arn": ROLE,
        "region": estate.AWS_REGION,
        "remote_write_url": "{{ remote_write_url }}",
        "context": "finished",
        **KUBERNETES,
    },
    CHECK: {
        "issuer": ISSUER,
        **SUBJECT,
        "role_arn": ROLE,
        "workspace_arn": WORKSPACE,
        "remote_write_url": "{{ remote_write_url }}",
        "context": "halfdone",
        **KUBERNETES,
        **AWS,
    },
}


def call(case: str, module: str, /, *says: str, by_ansible: bool = False, **options: t.Any) -> Case:
    """A call of a module with these options wrong; None leaves an option out."""
    given = {name: value for name, value in {**MODULES[module], **options}.items() if value is not None}
    return Case(case, says, {"module": module, "options": given}, "halfdone", by_ansible=by_ansible)


def without_sdks(module: str, library: str) -> Case:
    good = call(f"no-{library}-for-{module.replace('_', '-')}", module, library, *LIBRARIES)
    return dataclasses.replace(good, variables={**good.variables, "ansible_python_interpreter": NO_SDK})


def accounts(*names: str, namespace: str = "monitoring") -> list[Json]:
    return [{"namespace": namespace, "name": name} for name in names]


CALLS = (
    call("issuer-over-http", PROVIDER, "not an https URL", "exactly as", issuer=ISSUER.replace("https", "http")),
    call("issuer-with-two-schemes", PROVIDER, "scheme twice", "exactly as", issuer=f"https://{ISSUER}"),
    call("issuer-with-query", PROVIDER, "query", "IAM accepts neither", issuer=f"{ISSUER}?x=1"),
    call("issuer-with-blank", PROVIDER, "white space", "remove it", issuer=f"{ISSUER} "),
    call("issuer-too-long", PROVIDER, "IAM accepts 255", "exactly as", issuer=ISSUER + "x" * 255),
    call("issuer-without-slash", PROVIDER, "discovery document", f"'{ISSUER}'", "give that one", issuer=ISSUER[:-1]),
    call("issuer-with-two-slashes", PROVIDER, "names the issuer", f"'{ISSUER}'", "find out", issuer=f"{ISSUER}/"),
    call("issuer-unknown", PROVIDER, "check mode only", "--tags aks_oidc_issuer", issuer="<known after apply>"),
    *(
        call(f"port-for-{module.replace('_', '-')}", module, PORT, "IAM accepts neither", "exactly as", issuer=PORT)
        for module in (PROVIDER, IAM_ROLE, ENTRA, CHECK)
    ),
    call("client-id-wildcard", PROVIDER, "audience '*'", "sts.amazonaws.com", client_ids=["*"]),
    call("thumbprint-is-no-sha1", PROVIDER, "'abc'", "Give 40 hex digits", thumbprints=["abc"]),
    call("thumbprint-is-made-up", PROVIDER, "placeholder", "Give unmanaged", thumbprints=["0" * 40]),
    call("no-anchor-file", PROVIDER, "trust_anchors", "/nowhere.pem", "PEM", trust_anchors=["/nowhere.pem"]),
    call("tags-are-no-map", PROVIDER, "tags", by_ansible=True, tags=["x"]),
    call("namespace-in-capitals", IAM_ROLE, "'Mon'", "lower-case", service_accounts=accounts("a", namespace="Mon")),
    call("namespace-wildcard", IAM_ROLE, "'*'", "every namespace", service_accounts=accounts("a", namespace="*")),
    call("namespace-with-colon", IAM_ROLE, "'a:b'", "lower-case", service_accounts=accounts("a", namespace="a:b")),
    call("account-with-underscore", IAM_ROLE, "'a_b'", "lower-case", service_accounts=accounts("a_b")),
    call("account-wildcard", IAM_ROLE, "'*'", "every service account", service_accounts=accounts("*")),
    call("account-without-name", IAM_ROLE, "name", by_ansible=True, service_accounts=[{"namespace": "a"}]),
    call("audience-with-blank", IAM_ROLE, "audience 'a b'", "sts.amazonaws.com", audience="a b"),
    call("audience-too-long", IAM_ROLE, "1 to 255 characters", audience="a" * 256),
    call("no-audience", IAM_ROLE, "'audience' is empty", "Give it a value", audience=""),
    call(
        "trust-policy-too-long",
        IAM_ROLE,
        "AKS-Prometheus-AMP-Role-halfdone would have",
        "IAM takes 2048",
        "Use one role per cluster",
        service_accounts=accounts(*(f"prometheus-{number}" for number in range(40))),
    ),
    call(
        "workspace-wildcard", IAM_ROLE, "not the ARN of an AMP workspace", "expected arn:aws:aps", workspace_arns=["*"]
    ),
    call("role-name", IAM_ROLE, "'a b'", "Use 1 to 64", name="a b"),
    call("another-role-path", IAM_ROLE, "has the path /", "Set path to /", path="/team/"),
    call("application-named-twice", ENTRA, "mutually exclusive", by_ansible=True, app_id=NO_GUID),
    call("no-application", ENTRA, "object_id, app_id", by_ansible=True, display_name=None),
    call("object-id-is-no-guid", ENTRA, "object_id is 'nope'", "Give", display_name=None, object_id="nope"),
    call("application-in-capitals", ENTRA, "differ in upper and lower case", "object_id", display_name="Lonely"),
    call("credential-name", ENTRA, "'a b'", "Use 3 to 120", name="a b"),
    call("subject-for-entra", ENTRA, "'*'", "every service account", service_account="*"),
    call("audience-for-entra", ENTRA, "audience 'a b'", "api://AzureADTokenExchange", audience="a b"),
    call("subject-of-account", ACCOUNT, "'a_b'", "lower-case", name="a_b"),
    call("rejected-token", ACCOUNT, "Unauthorized", "reading", "K8S_AUTH_API_KEY", api_key="expired"),
    call("no-such-kubeconfig", ACCOUNT, "/nowhere", *KUBE_SOURCES, kubeconfig="/nowhere"),
    call("no-such-context", ACCOUNT, "'nope'", "Name a valid kubeconfig and context", context="nope"),
    call("api-server-is-no-url", ACCOUNT, "'nope'", "Give it as https://", host="nope"),
    call("role-arn", CHECK, "'nope'", "expected arn:aws:iam", role_arn="nope"),
    call("remote-write-over-http", CHECK, "remote_write_url", "https", remote_write_url="http://x"),
    call("unknown-scope", CHECK, "token_exchange, full", by_ansible=True, scope="half"),
    call("no-remote-write-url", CHECK, "remote_write_url", by_ansible=True, remote_write_url=None),
    without_sdks(WORKSPACE_INFO, "boto3"),
    without_sdks(IAM_ROLE, "boto3"),
    without_sdks(ENTRA, "azure-identity"),
    without_sdks(ACCOUNT, "kubernetes"),
    without_sdks(CHECK, "boto3"),
)

PROMETHEUS_CALLS = (
    call("no-configmap", PROMETHEUS, "nope", "monitoring", configmap="nope"),
    call("no-key", PROMETHEUS, "'nope.yml'", "prometheus-config", key="nope.yml"),
    call("no-workload", PROMETHEUS, "nope", "monitoring", workload_name="nope"),
    call("no-container", PROMETHEUS, "nope", "prometheus", container="nope"),
    call("replica-set", PROMETHEUS, "got: ReplicaSet", by_ansible=True, workload_kind="ReplicaSet"),
    call("chained-to-itself", PROMETHEUS, "federated role itself", "leave the chained role out", chained_role_arn=ROLE),
    call("chained-to-nothing", PROMETHEUS, "'nope'", "expected arn:aws:iam", chained_role_arn="nope"),
    call("configuration-is-a-list", PROMETHEUS, "a-list", "not a mapping", "Repair", configmap="a-list"),
    call("entry-with-profile", PROMETHEUS, "other credentials", "ops", "Remove", configmap="named-profile"),
    call("entry-with-another-role", PROMETHEUS, "role/other", "chained_role_arn", configmap="another-role"),
    call("entry-with-password", PROMETHEUS, "basic_auth", "<redacted>", "Remove", configmap="basic-auth"),
    without_sdks(PROMETHEUS, "kubernetes"),
)

# How they are tried ---------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, eq=False)  # each is itself: a dictionary inside has no hash
class Group:
    """Cases that one run tries; ``tags`` are the steps of federate.yml, None for calls of single modules."""

    name: str
    cases: tuple[Case, ...]
    tags: str | None = None


GROUPS = (
    Group("steps-1-and-2", STEP_1 + STEP_2, "aks_oidc_issuer,iam_web_identity"),
    Group("step-3", STEP_3, "entra_federation"),
    Group("steps-4-to-6", LATER_STEPS, "service_account,prometheus_remote_write,federation_check"),
    Group("modules", CALLS + PROMETHEUS_CALLS),
)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a group."""

    run: PlaybookRun
    writes: Sequence[LoggedRequest]
    secrets: frozenset[str]

    def failed(self, host: str) -> tuple[TaskResult, ...]:
        return tuple(task for task in self.run.tasks if task.host == host and task.status != "ok")


def break_estate(sandbox: Sandbox) -> None:
    """Add clusters that can't be federated, twins where there may be one only, and bad configurations."""
    for name, changes in (
        ("updating", {"provisioningState": "Updating"}),
        ("failed", {"provisioningState": "Failed"}),
        ("stopped", {"powerState": {"code": "Stopped"}}),
        ("misnamed", {}),
        ("unpublished", {}),
    ):
        sandbox.add_cluster(name)
        sandbox.cluster(name).body["properties"].update(changes)
    # What ARM shows leads to the document of an issuer that is called otherwise, and to no document.
    for name, ending in (("misnamed", "/"), ("unpublished", "other/")):
        cluster = sandbox.cluster(name)
        profile = {"enabled": True, "issuerURL": cluster.issuer_url + ending}
        cluster.body["properties"]["oidcIssuerProfile"] = profile
    for _unused in range(2):
        sandbox.aws.seed_workspace(TWINS, estate.AWS_REGION)
        sandbox.directory.seed_application(TWINS)
    sandbox.directory.seed_application("lonely")
    good = configuration(sandbox)  # ends with the entry's sigv4
    for name, text in (
        ("not-yaml", "global:\n  scrape_interval: [15s\nscrape_configs: []\n"),
        ("a-list", "- job_name: prometheus\n"),
        ("static-keys", f"{good}      access_key: AKIAOLD\n      secret_key: {OLD_SECRET}\n"),
        ("named-profile", f"{good}      profile: ops\n"),
        ("another-role", f"{good}      role_arn: arn:aws:iam::210987654321:role/other\n"),
        ("basic-auth", f"{good}    basic_auth:\n      username: fleet\n      password: {OLD_SECRET}\n"),
    ):
        config_map = manifests.config_map(text)
        config_map["metadata"]["name"] = name
        sandbox.api_server("finished").seed(config_map)


def configuration(sandbox: Sandbox) -> str:
    """The prometheus.yml of the finished cluster."""
    found = sandbox.api_server("finished").get("ConfigMap", manifests.NAMESPACE, manifests.CONFIG_MAP)
    assert found is not None
    return str(found["data"][manifests.CONFIG_KEY])


def inventory_of(sandbox: Sandbox, cases: Sequence[Case], python_without_sdks: Path) -> Json:
    """A host for each case: that of a cluster, with what is wrong in the case."""
    aks = yaml.safe_load(sandbox.folder.inventory.read_text(encoding="utf-8"))["aks"]
    entry = yaml.safe_load(configuration(sandbox))["remote_write"][0]
    shared = {"python_without_sdks": str(python_without_sdks), "remote_write_url": entry["url"]}
    hosts = {}
    for case in cases:
        good = {**aks["vars"], **aks["hosts"][case.cluster], **shared, "aks_amp_name_suffix": f"-{case.cluster}"}
        missing = {name for name in good for beginning in case.without if name.startswith(beginning)}
        hosts[case.name] = {name: good[name] for name in good.keys() - missing} | dict(case.variables)
    return {"aks": {"hosts": hosts}}


def play_of_calls() -> list[Json]:
    """A play in which each host calls the module that its variables name."""
    tasks = [
        {
            "name": f"Call {module}",
            f"crosscloud.aks_amp.{module}": {},
            "args": "{{ options }}",
            "when": f"module == '{module}'",
        }
        for module in MODULES
    ]
    return [{"name": "Call single modules", "hosts": "aks", "gather_facts": False, "tasks": tasks}]


def try_group(sandbox: Sandbox, folder: Path, group: Group) -> Outcome:
    python = folder / "python"
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", str(python)), check=True)  # noqa: S603  # our own
    sandbox.reset()
    break_estate(sandbox)
    inventory, calls = folder / "hosts.yml", folder / "calls.yml"
    inventory.write_text(yaml.safe_dump(inventory_of(sandbox, group.cases, python / "bin" / "python")))
    calls.write_text(yaml.safe_dump(play_of_calls()))
    run = run_playbook(
        "playbooks/federate.yml" if group.tags else str(calls),
        inventory,
        *(("--tags", group.tags) if group.tags else ()),
        *("-e", '{"aks_amp_fleet": []}'),  # hosts that are the same cluster would be refused as a fleet
        # No login, profile or kubeconfig of whoever runs the tests takes part, and no identity of the machine.
        environment={
            "HOME": str(folder),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:9",
        },
    )
    tokens = {sandbox.api_server(name).controller_token for name in ("fresh", "halfdone", "finished")}
    return Outcome(
        run,
        [request for request in sandbox.world.log.since() if request.write],
        frozenset({world.CONTROLLER_CLIENT_SECRET, world.CONTROLLER_AWS_SECRET_KEY, OLD_SECRET, *tokens}),
    )


@pytest.fixture(scope="module")
def outcome_of(_shared_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Group], Outcome]:
    """Tries each group when it is first asked for, and once."""
    return functools.cache(lambda group: try_group(_shared_sandbox, tmp_path_factory.mktemp(group.name), group))


@pytest.mark.parametrize(
    ("group", "case"), [pytest.param(group, case, id=case.name) for group in GROUPS for case in group.cases]
)
def test_bad_input_is_refused_in_plain_words(outcome_of: Callable[[Group], Outcome], group: Group, case: Case) -> None:
    outcome = outcome_of(group)
    failed = outcome.failed(case.name)
    assert len(failed) == 1, [(task.task, task.status, task.msg) for task in failed] or outcome.run.output[-3000:]
    refusal = failed[0]
    assert refusal.status == "failed"
    assert not refusal.changed
    assert [words for words in case.says if words not in refusal.msg] == [], refusal.msg
    for mishap in ("MODULE FAILURE", "Traceback", "Unhandled", "Unexpected"):
        assert mishap not in refusal.msg
        assert mishap not in json.dumps(refusal.result)
    if not case.by_ansible:
        assert "\n" not in refusal.msg
        assert refusal.msg.endswith(".")
        assert len(refusal.msg) < 1000, len(refusal.msg)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_nothing_is_written_and_no_secret_is_shown(outcome_of: Callable[[Group], Outcome], group: Group) -> None:
    outcome = outcome_of(group)
    assert outcome.run.exit_code == 2
    assert list(outcome.writes) == []
    kept = outcome.run.output + json.dumps([task.result for task in outcome.run.tasks])
    assert [secret for secret in outcome.secrets if secret in kept] == []
