# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The web identity in a pod template: what is added, what is accepted, what is refused, and that the rest stays."""

from __future__ import annotations

import copy
import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import KNOWN_AFTER_APPLY, ProjectedToken
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import CONFIG_MAP, ObjectReference
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import SECRET as SECRET_KIND
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_environment import (
    LoadedVariables,
    bundles_of,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.pod_template import (
    PodChange,
    PodWish,
    SourceMount,
    choose_container,
    how_mounted,
    merge_pod_template,
    patched,
)

Json = dict[str, t.Any]

ROLE = "arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role"
TOKEN = ProjectedToken(ROLE, "eu-central-1")
WISH = PodWish("prometheus-sa", TOKEN)
PLACE = "Deployment monitoring/prometheus"
LABEL = "azure.workload.identity/use"
SECRET = "hunter2"


def template(**container: t.Any) -> Json:
    """A template with a sidecar and things of its own; ``container`` are fields of the Prometheus container."""
    return {
        "metadata": {"creationTimestamp": None, "labels": {"app": "prometheus"}},
        "spec": {
            "containers": [
                {"name": "reloader", "image": "r", "env": [{"name": "AWS_REGION", "value": "other"}]},
                {
                    "name": "prometheus",
                    "image": "p",
                    "env": [{"name": "PASSWORD", "value": SECRET}],
                    "volumeMounts": [{"name": "config", "mountPath": "/etc/prometheus"}],
                    **container,
                },
            ],
            "volumes": [{"name": "config", "configMap": {"name": "prometheus-config", "defaultMode": 420}}],
            "securityContext": {"fsGroup": 65534},
        },
    }


def federated() -> Json:
    """A template that has everything, with the fields that an API server fills in."""
    change = merge_pod_template(template(), WISH, PLACE)
    return copy.deepcopy(patched(template(), change.patch))


def volume_as_stored() -> Json:
    """Our volume with what the API server fills in."""
    volume = TOKEN.volume()
    volume["projected"]["defaultMode"] = 420
    return volume


def main_container(pod_template: Json) -> Json:
    return t.cast("Json", next(item for item in pod_template["spec"]["containers"] if item["name"] == "prometheus"))


def merged(pod_template: Json, wish: PodWish = WISH) -> tuple[PodChange, Json]:
    """The change and the template after it, which must need nothing more."""
    before = copy.deepcopy(pod_template)
    change = merge_pod_template(pod_template, wish, PLACE)
    assert pod_template == before, "the template that was read has been changed"
    after = patched(pod_template, change.patch)
    again = merge_pod_template(after, wish, PLACE)
    assert (again.patch, again.summaries) == ({}, ())
    return change, after


def refused(pod_template: Json, wish: PodWish = WISH) -> str:
    with pytest.raises(errors.Refused) as caught:
        merge_pod_template(pod_template, wish, PLACE)
    assert caught.value.sentence().startswith(PLACE)
    assert SECRET not in caught.value.sentence()
    return caught.value.sentence()


def test_an_ordinary_pod_gets_all_of_it_and_keeps_the_rest() -> None:
    change, after = merged(template())
    expected = template()
    expected["spec"]["serviceAccountName"] = expected["spec"]["serviceAccount"] = "prometheus-sa"
    expected["spec"]["volumes"].append(volume_as_stored())
    container = main_container(expected)
    container["volumeMounts"].append(TOKEN.volume_mount())
    container["env"] += [{"name": name, "value": value} for name, value in TOKEN.environment().items()]
    assert after == expected
    assert change.before == {}
    assert change.after == {
        "serviceAccountName": "prometheus-sa",
        "volumes": {"aws-iam-token": volume_as_stored()["projected"]},
        "containers": {
            "prometheus": {"volumeMounts": {"/var/run/secrets/aws": "aws-iam-token"}, "env": TOKEN.environment()}
        },
    }
    assert change.summaries[0] == "run as the service account prometheus-sa (it was default)"


def test_a_pod_without_lists_gets_them() -> None:
    bare: Json = {"metadata": {}, "spec": {"containers": [{"name": "server"}]}}
    _unused, after = merged(bare)
    assert after["spec"]["volumes"] == [volume_as_stored()]
    assert after["spec"]["containers"][0]["volumeMounts"] == [TOKEN.volume_mount()]


def test_what_the_api_server_fills_in_is_no_drift() -> None:
    complete = federated()
    assert merge_pod_template(complete, WISH, PLACE).patch == {}
    del complete["spec"]["volumes"][1]["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"]
    del main_container(complete)["volumeMounts"][1]["readOnly"]
    main_container(complete)["volumeMounts"][1]["mountPath"] += "/"
    assert merge_pod_template(complete, WISH, PLACE).patch == {}


def test_the_patch_holds_only_what_changes() -> None:
    complete = federated()
    complete["spec"]["serviceAccountName"] = "other"
    change, _unused = merged(complete)
    # The deprecated name follows, as it does in the API server.
    assert change.patch == {"spec": {"serviceAccountName": "prometheus-sa", "serviceAccount": "prometheus-sa"}}
    assert (change.before, change.after) == ({"serviceAccountName": "other"}, {"serviceAccountName": "prometheus-sa"})
    assert change.summaries == ("run as the service account prometheus-sa (it was other)",)


def test_our_variables_with_other_values_are_updated() -> None:
    complete = federated()
    main_container(complete)["env"][1]["value"] = "arn:aws:iam::123456789012:role/old"
    change, after = merged(complete)
    assert change.summaries == (f"set AWS_ROLE_ARN to {ROLE} (it was arn:aws:iam::123456789012:role/old)",)
    assert change.before == {
        "containers": {"prometheus": {"env": {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/old"}}}
    }
    assert main_container(after) == main_container(federated())


def test_one_of_our_variables_that_is_there_twice_is_refused() -> None:
    complete = federated()
    main_container(complete)["env"].append({"name": "AWS_REGION", "value": "us-east-1"})
    assert "sets AWS_REGION more than once in the container prometheus" in refused(complete)


def test_a_variable_of_others_that_is_there_twice_stays_so() -> None:
    twice = [{"name": "HOME", "value": "/a"}, {"name": "HOME", "value": "/b"}]
    _unused, after = merged(template(env=twice))
    assert main_container(after)["env"][:2] == twice


def test_containers_and_volumes_of_one_name_are_refused() -> None:
    pod_template = template()
    pod_template["spec"]["containers"].append({"name": "prometheus", "image": "other"})
    assert "several containers called prometheus" in refused(pod_template)
    pod_template = template()
    pod_template["spec"]["initContainers"] = [{"name": "reloader", "image": "other"}]
    assert "several containers called reloader" in refused(pod_template)
    pod_template = template()
    pod_template["spec"]["volumes"].append({"name": "config", "emptyDir": {}})
    assert "several volumes called config" in refused(pod_template)


def test_our_variable_from_elsewhere_is_refused() -> None:
    variable = {"name": "AWS_ROLE_ARN", "valueFrom": {"configMapKeyRef": {"name": "aws", "key": "role"}}}
    sentence = refused(template(env=[variable]))
    assert "AWS_ROLE_ARN" in sentence
    assert "configMapKeyRef" in sentence
    assert ROLE in sentence


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"])
@pytest.mark.parametrize("value", [{"value": SECRET}, {"valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}])
def test_static_credentials_are_refused_even_in_a_converged_pod(name: str, value: Json) -> None:
    complete = federated()
    main_container(complete)["env"].append({"name": name, **value})
    assert f"sets {name} in the container prometheus" in refused(complete)


def test_static_credentials_elsewhere_or_empty_ones_do_not_matter() -> None:
    complete = federated()
    main_container(complete)["env"].append({"name": "AWS_PROFILE", "value": ""})
    complete["spec"]["containers"][0]["env"].append({"name": "AWS_ACCESS_KEY_ID", "value": "x"})
    assert merge_pod_template(complete, WISH, PLACE).patch == {}


_LOADED_FROM = [
    {"secretRef": {"name": "aws-keys"}},
    {"prefix": "AWS_", "configMapRef": {"name": "settings", "optional": True}},
]


def loaded(pod_template: Json, *found: Json | None) -> list[LoadedVariables]:
    bundles = bundles_of(main_container(pod_template), "monitoring")
    return [LoadedVariables(bundle, bundle.names_in(item)) for bundle, item in zip(bundles, found, strict=True)]


@pytest.mark.parametrize(
    ("secret", "settings", "words"),
    [
        ({"AWS_ACCESS_KEY_ID": "aHVudGVyMg=="}, {}, "AWS_ACCESS_KEY_ID from Secret monitoring/aws-keys"),
        ({}, {"PROFILE": SECRET}, "AWS_PROFILE from ConfigMap monitoring/settings"),
    ],
)
def test_static_credentials_from_elsewhere_are_refused_even_in_a_converged_pod(
    secret: Json, settings: Json, words: str
) -> None:
    complete = federated()
    main_container(complete)["envFrom"] = _LOADED_FROM
    with pytest.raises(errors.Refused) as caught:
        merge_pod_template(
            complete, WISH, PLACE, loaded=loaded(complete, {"data": secret}, {"data": settings, "binaryData": {}})
        )
    assert f"loads {words} into the container prometheus" in caught.value.sentence()
    assert SECRET not in caught.value.sentence()


@pytest.mark.parametrize(
    ("secret", "settings"),
    [
        ({"AWS_ACCESS_KEY_ID": ""}, {"AWS_PROFILE": "x"}),  # empty; and with the prefix AWS_AWS_PROFILE
        ({"aws_profile": "eA=="}, {"SHARED_CREDENTIALS_FILE": "/a", "CONFIG_FILE": "/b"}),
    ],
)
def test_what_is_no_credential_may_be_loaded(secret: Json, settings: Json) -> None:
    pod_template = template(envFrom=_LOADED_FROM)
    found = loaded(pod_template, {"data": secret}, {"data": settings})
    assert merge_pod_template(pod_template, WISH, PLACE, loaded=found).warnings == ()
    assert merge_pod_template(pod_template, WISH, PLACE, loaded=loaded(pod_template, None, None)).warnings == ()


def test_an_empty_variable_of_the_container_hides_one_from_elsewhere() -> None:
    pod_template = template(envFrom=_LOADED_FROM, env=[{"name": "AWS_PROFILE", "value": ""}])
    found = loaded(pod_template, {"data": {"AWS_PROFILE": "eA=="}}, None)
    assert merge_pod_template(pod_template, WISH, PLACE, loaded=found).warnings == ()


@pytest.mark.parametrize("name", ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"])
def test_files_into_which_the_sdk_looks_after_the_web_identity_are_left_alone(name: str) -> None:
    variable = {"name": name, "value": "/etc/aws"}
    _unused, after = merged(template(env=[variable]))
    assert main_container(after)["env"][0] == variable


def test_variables_that_can_not_be_seen_are_warned_of_when_something_changes() -> None:
    complete = federated()
    main_container(complete)["envFrom"] = _LOADED_FROM
    unseen = [LoadedVariables(bundle, None, "Grant it.") for bundle in bundles_of(main_container(complete), "m")]
    first, second = merge_pod_template(template(envFrom=_LOADED_FROM), WISH, PLACE, loaded=unseen).warnings
    assert "loads variables from Secret m/aws-keys into the container prometheus" in first
    assert first.endswith("Grant it.")
    assert "ConfigMap m/settings" in second
    assert merge_pod_template(complete, WISH, PLACE, loaded=unseen).warnings == ()


def equivalent(**changes: t.Any) -> Json:
    """A converged pod whose token has another volume name, path and lifetime than ours."""
    complete = federated()
    source = {"audience": TOKEN.audience, "expirationSeconds": 86400, "path": "web-identity"}
    complete["spec"]["volumes"][1] = {
        "name": "irsa",
        "projected": {"sources": [{"configMap": {"name": "ca"}}, {"serviceAccountToken": {**source, **changes}}]},
    }
    container = main_container(complete)
    container["volumeMounts"][1] = {"name": "irsa", "mountPath": "/irsa"}
    container["env"][2]["value"] = "/irsa/web-identity"
    return complete


def test_an_equivalent_token_is_accepted_as_it_is() -> None:
    assert merge_pod_template(equivalent(), WISH, PLACE).patch == {}


@pytest.mark.parametrize("broken", ["audience", "path", "subPath"])
def test_a_token_that_is_not_equivalent_is_left_and_ours_is_added(broken: str) -> None:
    pod_template = equivalent() if broken == "subPath" else equivalent(**{broken: "other"})
    if broken == "subPath":
        main_container(pod_template)["volumeMounts"][1].update(mountPath="/irsa/web-identity", subPath="web-identity")
    change, after = merged(pod_template)
    assert [volume["name"] for volume in after["spec"]["volumes"]] == ["config", "irsa", "aws-iam-token"]
    assert main_container(after)["env"][2]["value"] == "/var/run/secrets/aws/token"
    assert any("it was /irsa/web-identity" in summary for summary in change.summaries)


def test_our_volume_follows_the_wish_and_keeps_its_mode() -> None:
    complete = federated()
    complete["spec"]["volumes"][1]["projected"]["defaultMode"] = 256
    wish = dataclasses.replace(WISH, token=dataclasses.replace(TOKEN, expiration_seconds=7200))
    change, after = merged(complete, wish)
    projected = after["spec"]["volumes"][1]["projected"]
    assert projected["defaultMode"] == 256
    assert projected["sources"][0]["serviceAccountToken"]["expirationSeconds"] == 7200
    assert "7200 seconds (it was for sts.amazonaws.com and 3600)" in change.summaries[0]


def test_another_audience_in_our_volume_is_repaired() -> None:
    complete = federated()
    complete["spec"]["volumes"][1]["projected"]["sources"][0]["serviceAccountToken"]["audience"] = "api://x"
    change, after = merged(complete)
    assert after == federated()
    assert "it was for api://x" in change.summaries[0]


def test_a_volume_whose_token_others_read_is_not_changed() -> None:
    complete = federated()
    complete["spec"]["volumes"][1]["projected"]["sources"][0]["serviceAccountToken"]["audience"] = "api://x"
    complete["spec"]["containers"][0]["volumeMounts"] = [{"name": "aws-iam-token", "mountPath": "/t"}]
    assert "into reloader too" in refused(complete)


@pytest.mark.parametrize(
    "volume",
    [
        {"name": "aws-iam-token", "emptyDir": {}},
        {"name": "aws-iam-token", "secret": {"secretName": "s"}},
        {"name": "aws-iam-token", "projected": {"sources": [{"serviceAccountToken": {"path": "x"}}]}},
        {
            "name": "aws-iam-token",
            "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}, {"secret": {"name": "s"}}]},
        },
    ],
)
def test_a_volume_of_our_name_with_other_content_is_refused(volume: Json) -> None:
    pod_template = template()
    pod_template["spec"]["volumes"].append(volume)
    assert "volume aws-iam-token with other content" in refused(pod_template)


@pytest.mark.parametrize(
    "mount",
    [
        {"name": "config", "mountPath": "/var/run/secrets/aws"},
        {"name": "config", "mountPath": "/var/run/secrets/aws/"},
        {"name": "config", "mountPath": "/var/run/secrets/aws/token", "subPath": "x"},
        {"name": "aws-iam-token", "mountPath": "/var/run/secrets/aws", "subPath": "x"},
    ],
)
def test_a_path_that_is_taken_is_refused(mount: Json) -> None:
    assert "where the web identity token belongs" in refused(template(volumeMounts=[mount]))


def test_the_pod_label_is_set_when_asked_for_only() -> None:
    wish = dataclasses.replace(WISH, pod_label=True)
    change, after = merged(federated(), wish)
    assert change.patch == {"metadata": {"labels": {LABEL: "true"}}}
    assert after["metadata"]["labels"] == {"app": "prometheus", LABEL: "true"}
    assert merge_pod_template(after, WISH, PLACE).patch == {}


def test_a_role_that_is_not_known_yet_is_shown_as_such() -> None:
    wish = dataclasses.replace(WISH, token=dataclasses.replace(TOKEN, role_arn=KNOWN_AFTER_APPLY))
    change = merge_pod_template(template(), wish, PLACE)
    assert change.after["containers"]["prometheus"]["env"]["AWS_ROLE_ARN"] == KNOWN_AFTER_APPLY


def test_other_values_of_the_container_are_not_shown() -> None:
    change = merge_pod_template(template(), WISH, PLACE)
    assert SECRET not in f"{change.before}{change.after}{change.summaries}"


@pytest.mark.parametrize(
    ("names", "asked", "chosen"),
    [
        (["a", "prometheus"], None, "prometheus"),
        (["server"], None, "server"),
        (["a", "prometheus"], "a", "a"),
    ],
)
def test_the_container_of_prometheus(names: list[str], asked: str | None, chosen: str) -> None:
    assert choose_container({"containers": [{"name": name} for name in names]}, asked, PLACE) == chosen


@pytest.mark.parametrize(
    "image",
    [
        "prom/prometheus",
        "quay.io/prometheus/prometheus:v3.5.0",
        "registry:5000/prometheus@sha256:0123",
        "registry:5000/prometheus:v2@sha256:0123",
    ],
)
def test_without_a_telling_name_the_only_image_of_prometheus_is_chosen(image: str) -> None:
    reloader = {"name": "reload", "image": "quay.io/prometheus-operator/prometheus-config-reloader:v0.85.0"}
    server = {"name": "server", "image": image}
    assert choose_container({"containers": [reloader, server]}, None, PLACE) == "server"
    with pytest.raises(errors.Ambiguous):
        choose_container({"containers": [reloader, server, {**server, "name": "second"}]}, None, PLACE)


def test_an_init_container_or_a_native_sidecar_is_not_prometheus() -> None:
    sidecar = {"name": "prometheus", "image": "prom/prometheus", "restartPolicy": "Always"}
    spec = {"containers": [{"name": "server"}], "initContainers": [sidecar]}
    assert choose_container(spec, None, PLACE) == "server"
    with pytest.raises(errors.NotFound, match="'prometheus' among its init containers only") as caught:
        choose_container(spec, "prometheus", PLACE)
    assert "server" in caught.value.fix


def test_a_container_that_can_not_be_told_is_an_error_that_lists_them() -> None:
    with pytest.raises(errors.Ambiguous, match="server, reloader"):
        choose_container({"containers": [{"name": "server"}, {"name": "reloader"}]}, None, PLACE)
    with pytest.raises(errors.NotFound, match="no container 'x', but server"):
        choose_container({"containers": [{"name": "server"}]}, "x", PLACE)


MAP, SECRET_OBJECT = CONFIG_MAP.at("c", "monitoring"), SECRET_KIND.at("c", "monitoring")


@pytest.mark.parametrize(
    ("source", "volume", "mount", "how"),
    [
        (MAP, {"configMap": {"name": "c"}}, {}, SourceMount.WHOLE),
        (MAP, {"projected": {"sources": [{"configMap": {"name": "c"}}]}}, {}, SourceMount.WHOLE),
        (MAP, {"configMap": {"name": "c"}}, {"subPath": "prometheus.yml"}, SourceMount.SINGLE_FILE),
        (MAP, {"configMap": {"name": "other"}}, {}, SourceMount.NONE),
        (MAP, {"secret": {"secretName": "c"}}, {}, SourceMount.NONE),
        (MAP, {"emptyDir": {}}, {}, SourceMount.NONE),
        (SECRET_OBJECT, {"secret": {"secretName": "c"}}, {}, SourceMount.WHOLE),
        (SECRET_OBJECT, {"projected": {"sources": [{"secret": {"name": "c"}}]}}, {}, SourceMount.WHOLE),
        (SECRET_OBJECT, {"secret": {"secretName": "c"}}, {"subPathExpr": "$(X)"}, SourceMount.SINGLE_FILE),
        (SECRET_OBJECT, {"configMap": {"name": "c"}}, {}, SourceMount.NONE),
    ],
)
def test_how_a_source_is_mounted(source: ObjectReference, volume: Json, mount: Json, how: SourceMount) -> None:
    container = {"name": "p", "volumeMounts": [{"name": "v", "mountPath": "/x", **mount}]}
    pod_template = {"spec": {"containers": [container], "volumes": [{"name": "v", **volume}]}}
    assert how_mounted(pod_template, source, "p") is how
    assert how_mounted(pod_template, source) is how


def test_a_source_that_only_a_reloader_mounts_is_mounted_all_the_same() -> None:
    """The operator's way: a sidecar unpacks the secret into a folder that Prometheus reads."""
    mounts = [{"name": "v", "mountPath": "/x"}]
    volumes = [{"name": "v", "secret": {"secretName": "c"}}]
    containers: list[Json] = [{"name": "prometheus"}, {"name": "config-reloader", "volumeMounts": mounts}]
    pod_template: Json = {"spec": {"containers": containers, "volumes": volumes}}
    assert how_mounted(pod_template, SECRET_OBJECT, "prometheus") is SourceMount.WHOLE
    del containers[1]
    assert how_mounted(pod_template, SECRET_OBJECT, "prometheus") is SourceMount.NONE
    pod_template["spec"]["initContainers"] = [{"name": "unpack", "volumeMounts": mounts}]
    assert how_mounted(pod_template, SECRET_OBJECT, "prometheus") is SourceMount.WHOLE


_names = st.sampled_from(["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_REGION", "HOME", "X"])
_variables = st.lists(
    st.fixed_dictionaries({"name": _names}, optional={"value": st.sampled_from(["", "v", ROLE])}),
    # A variable of others may be there twice; one of ours is refused then.
    unique_by=lambda variable: variable["name"] if variable["name"].startswith("AWS_") else id(variable),
)
_mounts = st.lists(
    st.builds(lambda path: {"name": "config", "mountPath": path}, st.sampled_from(["/a", "/b/", "/var/run"])),
    unique_by=lambda mount: mount["mountPath"],
)


@given(env=_variables, mounts=_mounts, account=st.sampled_from([None, "default", "x", "prometheus-sa"]))
def test_one_change_is_enough_and_nothing_of_others_is_lost(
    env: list[Json], mounts: list[Json], account: str | None
) -> None:
    pod_template = template(env=env, volumeMounts=mounts)
    if account is not None:
        pod_template["spec"]["serviceAccountName"] = account
    _unused, after = merged(pod_template)
    container = main_container(after)
    assert container["volumeMounts"][: len(mounts)] == mounts
    ours = TOKEN.environment()
    assert [item for item in container["env"] if item["name"] not in ours] == [
        item for item in env if item["name"] not in ours
    ]
    effective = {item["name"]: item.get("value") for item in container["env"]}
    assert {name: effective[name] for name in ours} == ours
    assert after["spec"]["containers"][0] == pod_template["spec"]["containers"][0]
