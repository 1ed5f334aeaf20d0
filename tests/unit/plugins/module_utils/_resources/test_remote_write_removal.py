# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remote write taken away again, against the sandbox's API servers."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    CONFIG_MAP,
    DEPLOYMENT,
    ObjectReference,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_record import RECORD_ANNOTATION
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import KubeAuth
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import prometheus_remote_write as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.prometheus_source import TextSource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.remote_write_removal import (
    RemovalResource,
    RemovalWish,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, Result
from sandbox.testing import running_sandbox
from sandbox.world import AWS_ACCOUNT
from tests.unit.plugins.module_utils._resources.aws_modules import params_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server import Sandbox

Json = dict[str, t.Any]

URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"
OTHER_URL = URL.replace("ws-1234", "ws-5678")
ROLE = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-fresh"
CONFIG = CONFIG_MAP.at("prometheus-config", "monitoring")
WORKLOAD = DEPLOYMENT.at("prometheus", "monitoring")
PLACE: Json = {"namespace": "monitoring", "configmap": "prometheus-config", "workload_name": "prometheus"}
PRESENT: Json = {
    "service_account": "prometheus-sa",
    "role_arn": ROLE,
    "region": "eu-west-1",
    "remote_write_url": URL,
}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    metadata = {"name": "prometheus-sa", "namespace": "monitoring"}
    running.api_server("fresh").seed({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    return running


def run(sandbox: Sandbox, cluster: str = "fresh", *, check_mode: bool = False, **options: t.Any) -> Result:
    values = {**PLACE, "kubeconfig": str(sandbox.kubeconfig), "context": cluster, **options}
    context = Context(check_mode=check_mode, sleep=lambda _: None)
    return resource.DEFINITION.run(params_of(resource.DEFINITION, values), context)


def present(sandbox: Sandbox, cluster: str = "fresh", **options: t.Any) -> Result:
    return run(sandbox, cluster, **{**PRESENT, **options})


def absent(sandbox: Sandbox, cluster: str = "fresh", *, check_mode: bool = False, **options: t.Any) -> Result:
    return run(sandbox, cluster, check_mode=check_mode, state="absent", **options)


def objects(sandbox: Sandbox, cluster: str = "fresh") -> list[Json]:
    """ConfigMap and Deployment without what every write changes."""
    found = []
    for kind, name in (("ConfigMap", "prometheus-config"), ("Deployment", "prometheus")):
        stored = sandbox.api_server(cluster).get(kind, "monitoring", name)
        assert stored is not None
        metadata = {key: stored["metadata"].get(key) for key in ("name", "labels")}
        # The controller counts its rollouts there.
        annotations = {
            name: value
            for name, value in (stored["metadata"].get("annotations") or {}).items()
            if name != "deployment.kubernetes.io/revision"
        }
        found.append(
            {"metadata": metadata, "annotations": annotations, **{key: stored.get(key) for key in ("data", "spec")}}
        )
    return found


def write(sandbox: Sandbox, reference: ObjectReference, body: Json, cluster: str = "fresh") -> None:
    """A change by somebody else."""
    client = KubeClient(KubeAuth(kubeconfig=str(sandbox.kubeconfig), context=cluster))
    found = client.get(reference)
    assert found is not None
    client.merge_patch(reference, body, resource_version=found["metadata"]["resourceVersion"])


def text_of(sandbox: Sandbox, cluster: str = "fresh") -> str:
    return str(objects(sandbox, cluster)[0]["data"]["prometheus.yml"])


@pytest.mark.parametrize("pod_label", [False, True])
def test_everything_is_as_it_was_before_and_check_mode_predicts_it(sandbox: Sandbox, pod_label: bool) -> None:
    before = objects(sandbox)
    present(sandbox, pod_label=pod_label)
    assert objects(sandbox) != before
    since = len(sandbox.world.log.since())
    checked = absent(sandbox, check_mode=True)
    assert not any(request.write for request in sandbox.world.log.since()[since:])
    applied = absent(sandbox)
    assert objects(sandbox) == before
    assert [change.report() for change in applied.changes] == [change.report() for change in checked.changes]
    assert [change.diff() for change in applied.changes] == [change.diff() for change in checked.changes]
    assert [change.kind for change in applied.changes] == ["ConfigMap", "Deployment"]
    ignored = {"rollout_status": None}
    assert {**applied.facts, **ignored} == {**checked.facts, **ignored}
    assert (applied.facts["rollout"], applied.facts["kept"]) == ("restart", [])
    again = absent(sandbox)
    assert (again.changes, again.warnings, again.facts["rollout"]) == ((), (), "none")


def test_it_comes_and_goes_as_often_as_wanted(sandbox: Sandbox) -> None:
    before = objects(sandbox)
    for _unused in range(2):
        present(sandbox)
        present(sandbox, role_arn=f"{ROLE}-2", token_expiration_seconds=7200)
        absent(sandbox)
        assert objects(sandbox) == before


def test_what_existed_before_is_kept_as_it_was_repaired(sandbox: Sandbox) -> None:
    before = objects(sandbox, "halfdone")
    url = yaml.safe_load(text_of(sandbox, "halfdone"))["remote_write"][0]["url"]
    role = f"arn:aws:iam::{AWS_ACCOUNT}:role/AKS-Prometheus-AMP-Role-halfdone"
    present(sandbox, "halfdone", role_arn=role, remote_write_url=url)
    repaired = text_of(sandbox, "halfdone")
    result = absent(sandbox, "halfdone")
    after = objects(sandbox, "halfdone")
    assert text_of(sandbox, "halfdone") == repaired
    assert after[1] == before[1]
    (kept,) = t.cast("list[str]", result.facts["kept"])
    assert kept.startswith(f"The remote_write entry for {url} in prometheus.yml in {CONFIG} is kept: ")
    assert any("loses the web identity" in warning for warning in result.warnings)


def test_what_somebody_else_federated_is_left_alone(sandbox: Sandbox) -> None:
    before = objects(sandbox, "finished")
    result = absent(sandbox, "finished")
    assert result.changes == ()
    assert objects(sandbox, "finished") == before
    assert "the collection did not add it" in result.warnings[0]


def test_the_identity_stays_while_another_added_entry_uses_it(sandbox: Sandbox) -> None:
    before = objects(sandbox)
    present(sandbox)
    one = objects(sandbox)
    present(sandbox, remote_write_url=OTHER_URL)
    result = absent(sandbox, remote_write_url=OTHER_URL)
    assert objects(sandbox) == one
    assert [change.kind for change in result.changes] == ["ConfigMap"]
    assert result.facts["kept"] == [f"The web identity of {WORKLOAD} is kept: it is used by the entry for {URL}."]
    absent(sandbox)
    assert objects(sandbox) == before


def test_what_others_changed_in_the_entry_goes_with_it_and_what_they_changed_elsewhere_stays(sandbox: Sandbox) -> None:
    text = text_of(sandbox)
    present(sandbox)
    edited = "# note\n" + text_of(sandbox) + "    queue_config: {max_shards: 10}\n"
    write(sandbox, CONFIG, {"data": {"prometheus.yml": edited}})
    result = absent(sandbox)
    assert text_of(sandbox) == "# note\n" + text
    assert "max_shards" in str(result.changes[0].before)


def test_an_entry_that_is_gone_already_leaves_only_the_record_to_remove(sandbox: Sandbox) -> None:
    before = objects(sandbox)
    present(sandbox)
    write(sandbox, CONFIG, {"data": before[0]["data"]})
    result = absent(sandbox)
    assert "gone already" in result.changes[0].summary
    assert objects(sandbox) == before


@pytest.mark.parametrize(
    "options",
    [{"configmap": "nowhere"}, {"key": "nowhere.yml"}, {"workload_name": "nowhere"}, {"namespace": "nowhere"}],
)
def test_what_is_not_there_is_absent(sandbox: Sandbox, options: Json) -> None:
    result = absent(sandbox, **options)
    assert (result.changes, result.warnings) == ((), ())


@pytest.mark.parametrize("missing", sorted(PRESENT))
def test_presence_needs_what_absence_does_not(missing: str) -> None:
    arguments = resource.ARGUMENT_SPEC.module_arguments()
    validator = ModuleArgumentSpecValidator(arguments.pop("argument_spec"), **arguments)
    given = {**PLACE, **{name: value for name, value in PRESENT.items() if name != missing}}
    (message,) = validator.validate(given).error_messages
    assert missing in message
    assert not validator.validate({**given, "state": "absent"}).error_messages


def test_an_immutable_config_map_is_refused_before_any_write(sandbox: Sandbox) -> None:
    present(sandbox)
    write(sandbox, CONFIG, {"immutable": True})
    since = len(sandbox.world.log.since())
    with pytest.raises(errors.Refused, match="is immutable"):
        absent(sandbox)
    assert not any(request.write for request in sandbox.world.log.since()[since:])


def test_a_record_that_somebody_broke_undoes_nothing_but_goes(sandbox: Sandbox) -> None:
    present(sandbox)
    write(sandbox, WORKLOAD, {"metadata": {"annotations": {RECORD_ANNOTATION: "{"}}})
    template = objects(sandbox)[1]["spec"]["template"]
    absent(sandbox)
    after = objects(sandbox)[1]
    assert after["spec"]["template"] == template
    assert RECORD_ANNOTATION not in after["annotations"]


class Rival(KubeClient):
    """A client before whose first write somebody else changes the ConfigMap."""

    raced = False

    def merge_patch(self, reference: ObjectReference, body: Json, *, resource_version: str, **how: bool) -> Json:
        if not self.raced:
            self.raced = True
            found = self.get(CONFIG)
            assert found is not None
            text = {"data": {"prometheus.yml": "# edit\n" + found["data"]["prometheus.yml"]}}
            super().merge_patch(CONFIG, text, resource_version=found["metadata"]["resourceVersion"])
        return super().merge_patch(reference, body, resource_version=resource_version, **how)


def test_a_lost_race_is_planned_anew_and_keeps_the_others_change(sandbox: Sandbox) -> None:
    text = text_of(sandbox)
    present(sandbox)
    client = Rival(KubeAuth(kubeconfig=str(sandbox.kubeconfig), context="fresh"))
    removal = RemovalResource(RemovalWish(TextSource(CONFIG, "prometheus.yml"), WORKLOAD), client)
    outcome = Context(check_mode=False, sleep=lambda _: None).converge(removal)
    assert [change.kind for change in outcome.changes] == ["ConfigMap", "Deployment"]
    assert text_of(sandbox) == "# edit\n" + text
