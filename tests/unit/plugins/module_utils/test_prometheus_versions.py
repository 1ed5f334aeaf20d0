# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions of Prometheus: how they are read from an image's tag, and what an entry may say to which of them."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    FederationError,
    RemoteWrite,
    setting_names,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import (
    FIRST_RELEASES,
    NotAVersion,
    PrometheusVersion,
)

URL = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write"
ROLE = "arn:aws:iam::123456789012:role/Role"
OTHER_ROLE = "arn:aws:iam::210987654321:role/Other"


def version(text: str) -> PrometheusVersion:
    return PrometheusVersion.parse(text)


def entry(**settings: t.Any) -> RemoteWrite:
    return RemoteWrite(URL, "eu-west-1", ROLE, **settings)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("quay.io/prometheus/prometheus:v2.53.3", "2.53.3"),
        ("prom/prometheus:v3.5.0-distroless", "3.5.0"),
        ("prom/prometheus:v3.5.0@sha256:0123456789abcdef", "3.5.0"),
        ("localhost:5000/prom/prometheus:v2.26.0-rc.1", "2.26.0"),
        ("docker.io/bitnami/prometheus:3.5.0-debian-12-r0", "3.5.0"),
        ("docker.io/bitnami/prometheus:3.5", "3.5.0"),
        ("rancher/mirrored-prometheus-prometheus:v2.42.0", "2.42.0"),
        ("gke.gcr.io/prometheus-engine/prometheus:v2.45.3-gmp.8-gke.0", "2.45.3"),
        ("registry.example/prometheus_server:2.53.3+build7", "2.53.3"),
        ("prom/prometheus", None),
        ("prom/prometheus:latest", None),
        ("prom/prometheus:main", None),
        ("prom/prometheus:v3", None),
        ("prom/prometheus@sha256:0123456789abcdef", None),
        ("localhost:5000/prom/prometheus", None),
        ("localhost:5000/prom/prometheus@sha256:0123", None),
        ("prom/prometheus:2.53.3.4", None),
        ("quay.io/prometheus-operator/prometheus-operator:v0.75.0", None),
        ("quay.io/prometheus-operator/prometheus-config-reloader:v0.75.0", None),
        ("openshift/ose-prometheus:v4.14.0", None),
        ("victoriametrics/vmagent:v1.93.0", None),
        ("", None),
    ],
)
def test_the_version_of_an_image(image: str, expected: str | None) -> None:
    found = PrometheusVersion.of_image(image)
    assert (str(found) if found else None) == expected


@pytest.mark.parametrize(
    "text", ["", "v", "3", "v3", "latest", "2.", "2.x", "02.1", "2.53.3.1", "a2.53.3", "2.53.3 x", "-1.2"]
)
def test_other_texts_are_no_version(text: str) -> None:
    with pytest.raises(NotAVersion) as caught:
        version(text)
    assert f"'{text}'" in str(caught.value)


_numbers = st.tuples(st.integers(0, 99), st.integers(0, 999), st.integers(0, 999))


@settings(deadline=None)
@given(_numbers, _numbers)
def test_versions_are_ordered_by_their_numbers(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    assert (PrometheusVersion(*one) < PrometheusVersion(*other)) is (one < other)
    assert version(f"v{PrometheusVersion(*one)}-rc.0") == PrometheusVersion(*one)


#: What asks for a setting, the last release without it and the first one with it.
GATES: list[tuple[str, dict[str, t.Any], str, str]] = [
    ("sigv4", {}, "2.25.2", "2.26.0"),
    ("queue_config.sample_age_limit", {"queue_config": {"sample_age_limit": "1h"}}, "2.49.1", "2.50.0"),
    ("sigv4.use_fips_sts_endpoint", {"use_fips_sts_endpoint": True}, "3.0.1", "3.1.0"),
    ("sigv4.use_fips_sts_endpoint", {"use_fips_sts_endpoint": True}, "2.54.0", "3.1.0"),
    ("sigv4.service_name", {"service_name": "aps"}, "3.4.2", "3.5.0"),
    ("sigv4.external_id", {"chained_role_arn": OTHER_ROLE, "external_id": "x"}, "3.9.1", "3.10.0"),
]


@pytest.mark.parametrize(("setting", "settings", "last_without", "first_with"), GATES)
def test_a_setting_that_the_version_does_not_know_is_an_error(
    setting: str, settings: dict[str, t.Any], last_without: str, first_with: str
) -> None:
    wanted = entry(**settings)
    assert setting in setting_names(wanted.entry(version(first_with)))
    assert setting in setting_names(wanted.entry(None))
    with pytest.raises(FederationError) as caught:
        wanted.entry(version(last_without))
    assert f"Prometheus {last_without} " in str(caught.value)
    assert first_with in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("setting", "settings", "last_without", "first_with"), GATES)
def test_without_a_version_it_is_a_warning(
    setting: str, settings: dict[str, t.Any], last_without: str, first_with: str
) -> None:
    del last_without
    wanted = entry(**settings)
    warnings = wanted.version_warnings(None)
    assert wanted.version_warnings(version(first_with)) == ()
    if setting == "sigv4":  # every entry needs it, so nobody is warned of it
        assert warnings == ()
    else:
        (sentence,) = warnings
        assert setting in sentence
        assert f"needs {first_with}" in sentence


def test_the_order_is_that_of_the_documentation_and_defaults_are_left_out_by_null() -> None:
    wanted = entry(
        chained_role_arn=OTHER_ROLE,
        name="amp",
        external_id="x",
        use_fips_sts_endpoint=True,
        service_name="aps",
        queue_config={"min_shards": 2, "capacity": None, "max_shards": 7},
        write_relabel_configs=({"regex": "go_.*", "action": "drop"},),
    )
    rendered = wanted.entry()
    assert list(rendered) == ["url", "write_relabel_configs", "name", "sigv4", "queue_config"]
    assert list(rendered["sigv4"]) == ["region", "role_arn", "external_id", "use_fips_sts_endpoint", "service_name"]
    assert rendered["queue_config"] == {
        "max_shards": 7,
        "max_samples_per_send": 1000,
        "retry_on_http_429": True,
        "min_shards": 2,
    }
    nothing = dict.fromkeys(("capacity", "max_shards", "max_samples_per_send", "retry_on_http_429"))
    assert "queue_config" not in entry(queue_config=nothing).entry()


def test_no_fips_is_said_only_to_a_version_that_knows_it() -> None:
    wanted = entry(use_fips_sts_endpoint=False)
    assert "use_fips_sts_endpoint" not in wanted.entry()["sigv4"]
    assert "use_fips_sts_endpoint" not in wanted.entry(version("2.53.3"))["sigv4"]
    assert wanted.entry(version("3.5.0"))["sigv4"]["use_fips_sts_endpoint"] is False
    assert wanted.version_warnings(None) == ()


def test_an_external_id_needs_a_chained_role() -> None:
    with pytest.raises(FederationError, match="give chained_role_arn too"):
        entry(external_id="x")


def test_the_numbers_are_those_of_the_releases() -> None:
    """Documentation and changelog say 2.54 and 3.11 for two of them; the releases' own dependencies say these."""
    assert {name: str(first) for name, first in FIRST_RELEASES.items()} == {
        "sigv4": "2.26.0",
        "sigv4.use_fips_sts_endpoint": "3.1.0",
        "sigv4.service_name": "3.5.0",
        "sigv4.external_id": "3.10.0",
        "queue_config.retry_on_http_429": "2.26.0",
        "queue_config.sample_age_limit": "2.50.0",
    }
