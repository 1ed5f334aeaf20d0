# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests need no cloud: all five steps and a diagnosis speak to every service, and no connection leaves this machine."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import sys
import typing as t

import pytest

from sandbox.estate import application_name
from sandbox.testing import running_sandbox
from tests.unit.plugins.module_utils._resources.doctor import Doctor

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.server import Sandbox


class _Watch:
    """What sockets are connected to while it is on. Python keeps an audit hook until it ends."""

    def __init__(self) -> None:
        self._seen: list[str] | None = None
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[t.Any, ...]) -> None:
        if self._seen is not None and event == "socket.connect":
            connected, address = arguments
            if connected.family in (socket.AF_INET, socket.AF_INET6):
                self._seen.append(str(address[0]))

    @contextlib.contextmanager
    def on(self) -> Iterator[list[str]]:
        self._seen = seen = []
        try:
            yield seen
        finally:
            self._seen = None


@pytest.fixture(scope="module")
def watch() -> _Watch:
    return _Watch()


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


def federate(doctor: Doctor, cluster: str) -> None:
    doctor.step_aks_oidc_issuer(cluster)
    doctor.step_iam_web_identity(cluster)
    doctor.step_entra_federation(cluster)
    applications = doctor.sandbox.directory.applications()
    client_id = next(one["appId"] for one in applications if one["displayName"] == application_name(cluster))
    doctor.step_service_account(cluster, client_id)
    doctor.step_prometheus_remote_write(cluster)


def test_a_connection_that_leaves_the_machine_would_be_seen(watch: _Watch) -> None:
    with watch.on() as seen, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connected:
        connected.connect(("192.0.2.1", 9))  # of a network for documentation; a datagram socket sends nothing by this
    assert seen == ["192.0.2.1"]


def test_a_whole_federation_connects_to_this_machine_only(running: Sandbox, watch: _Watch) -> None:
    with watch.on() as seen:
        doctor = Doctor(running)
        federate(doctor, "fresh")
        assert doctor.kinds("fresh") == []
    asked = {request.service for request in running.world.log.since() if not request.internal}
    assert asked == {"aps", "aps-workspaces", "arm", "graph", "iam", "kubernetes/fresh", "login", "oidc", "sts"}
    assert len(seen) > len(asked)
    assert all(ipaddress.ip_address(address).is_loopback for address in seen), set(seen)
