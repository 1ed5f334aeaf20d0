# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a running Prometheus comes to a changed configuration, by its pod template."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import CONFIG_MAP, SECRET
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_way import (
    RESTART_ANNOTATION,
    Endpoint,
    Way,
    endpoint_of,
    has_reloader,
    restart_digest,
    restart_mark,
    way_to_follow,
)

Json = dict[str, t.Any]

CONFIG = CONFIG_MAP.at("config", "monitoring")
MOUNT: t.Final[Json] = {"name": "config", "mountPath": "/etc/prometheus"}
VOLUME: t.Final[Json] = {"name": "config", "configMap": {"name": "config"}}
LIFECYCLE = "--web.enable-lifecycle"


def template(
    *args: str, beside: t.Sequence[Json] = (), mount: Json | None = None, volume: Json | None = None, **more: t.Any
) -> Json:
    mounts = [mount or MOUNT]
    own = {"name": "prometheus", "image": "prom/prometheus:v3.5.0", "args": list(args), "volumeMounts": mounts, **more}
    return {"metadata": {}, "spec": {"containers": [own, *beside], "volumes": [volume or VOLUME]}}


def sidecar(name: str = "sidecar", image: str = "x/y:1", *args: str, mounts: t.Sequence[Json] = (MOUNT,)) -> Json:
    return {"name": name, "image": image, "args": list(args), "volumeMounts": list(mounts)}


RELOADERS: t.Final = (
    sidecar(image="quay.io/prometheus-operator/prometheus-config-reloader:v0.85.0"),
    sidecar(image="localhost:5000/configmap-reload@sha256:0"),
    sidecar("config-reloader"),
    sidecar("a", "b", "--webhook-url=http://127.0.0.1:9090/-/reload"),
    sidecar("a", "b", "--reload-url=http://127.0.0.1:9090/-/reload"),
)


@pytest.mark.parametrize("reloader", RELOADERS)
def test_a_reloader_that_watches_the_configuration_does_it(reloader: Json) -> None:
    assert way_to_follow(template(LIFECYCLE, beside=[reloader]), "prometheus", CONFIG) is Way.RELOADER


@pytest.mark.parametrize(
    "beside",
    [
        sidecar(image="config-reloader:1", mounts=[]),
        sidecar(image="config-reloader:1", mounts=[{**MOUNT, "subPath": "x"}]),
        sidecar(image="envoy:1"),
        sidecar(image="config-reloader-exporter:1"),
    ],
)
def test_other_containers_do_not(beside: Json) -> None:
    assert way_to_follow(template(LIFECYCLE, beside=[beside]), "prometheus", CONFIG) is Way.LIFECYCLE
    assert not has_reloader(template(LIFECYCLE, beside=[beside]), "prometheus", CONFIG)


def test_a_reloader_whose_calls_are_refused_is_none_unless_it_sends_signals() -> None:
    refused = sidecar(image="config-reloader:1")
    assert way_to_follow(template(beside=[refused]), "prometheus", CONFIG) is Way.RESTART
    signals = sidecar("a", "config-reloader:1", "--reload-method=signal")
    assert way_to_follow(template(beside=[signals]), "prometheus", CONFIG) is Way.RELOADER


@pytest.mark.parametrize(
    ("container", "way"),
    [
        ({"args": [LIFECYCLE]}, Way.LIFECYCLE),
        ({"args": ["--web.enable-lifecycle=true"]}, Way.LIFECYCLE),
        ({"args": ["--web.enable-lifecycle=false"]}, Way.RESTART),
        ({"args": ["--no-web.enable-lifecycle"]}, Way.RESTART),
        ({"args": []}, Way.RESTART),
        ({"args": None, "command": ["/bin/prometheus", LIFECYCLE]}, Way.LIFECYCLE),
        ({"args": ["-c", f"exec prometheus --a=b '{LIFECYCLE}'"], "command": ["sh"]}, Way.LIFECYCLE),
        ({"args": ["--web.enable-lifecycle-x"]}, Way.RESTART),
    ],
)
def test_the_arguments_tell_whether_it_can_be_asked(container: Json, way: Way) -> None:
    assert way_to_follow(template(**container), "prometheus", CONFIG) is way


def test_a_file_mounted_alone_needs_new_pods_whatever_else_there_is() -> None:
    single = {**MOUNT, "subPath": "prometheus.yml"}
    found = template(LIFECYCLE, beside=[RELOADERS[0]], mount=single)
    assert way_to_follow(found, "prometheus", CONFIG) is Way.RESTART


def test_secrets_and_projected_volumes_count_too() -> None:
    secret = {"name": "config", "secret": {"secretName": "config"}}
    assert way_to_follow(
        template(LIFECYCLE, beside=[RELOADERS[0]], volume=secret), "prometheus", SECRET.at("config", "m")
    ) is (Way.RELOADER)
    projected = {"name": "config", "projected": {"sources": [{"configMap": {"name": "config"}}]}}
    assert (
        way_to_follow(template(LIFECYCLE, beside=[RELOADERS[0]], volume=projected), "prometheus", CONFIG)
        is Way.RELOADER
    )


@pytest.mark.parametrize(
    ("args", "endpoint"),
    [
        ([], Endpoint()),
        (["--web.listen-address=:9091"], Endpoint(9091)),
        (["--web.listen-address", "0.0.0.0:9092"], Endpoint(9092)),
        (["--web.listen-address=[::]:9093"], Endpoint(9093)),
        (["--web.listen-address=127.0.0.1:9090"], Endpoint(local_only=True)),
        (["--web.listen-address=[::1]:9090"], Endpoint(local_only=True)),
        (["--web.external-url=https://host/prom/"], Endpoint(prefix="/prom")),
        (["--web.external-url=https://host"], Endpoint()),
        (["--web.external-url=https://host/prom", "--web.route-prefix=/"], Endpoint()),
        (["--web.route-prefix=a/b"], Endpoint(prefix="/a/b")),
    ],
)
def test_where_it_answers(args: list[str], endpoint: Endpoint) -> None:
    assert endpoint_of(template(*args), "prometheus") == endpoint


def test_a_probe_tells_that_it_speaks_tls() -> None:
    found = template(readinessProbe={"httpGet": {"scheme": "HTTPS", "path": "/-/ready"}})
    endpoint = endpoint_of(found, "prometheus")
    assert endpoint.path("m", "p-0", "/-/reload") == "/api/v1/namespaces/m/pods/https:p-0:9090/proxy/-/reload"
    assert Endpoint(prefix="/x").path("m", "p-0", "/-/ready") == "/api/v1/namespaces/m/pods/p-0:9090/proxy/x/-/ready"


def test_the_mark_is_read_where_it_is() -> None:
    assert restart_mark({}) is None
    assert restart_mark({"metadata": {"annotations": None}}) is None
    assert restart_mark({"metadata": {"annotations": {RESTART_ANNOTATION: "d"}}}) == "d"


@given(before=st.text(max_size=50), after=st.text(max_size=50))
def test_each_change_has_its_own_name_though_it_be_made_again(before: str, after: str) -> None:
    found = template()
    names: list[str] = []
    for _unused in range(3):
        names.append(restart_digest(found, before, after))
        found["metadata"] = {"annotations": {RESTART_ANNOTATION: names[-1]}}
    assert len(set(names)) == 3
    assert all(name.isalnum() and len(name) <= 63 for name in names)
    # The same question has the same answer: check mode predicts it.
    assert restart_digest(found, before, after) == restart_digest(found, before, after)
