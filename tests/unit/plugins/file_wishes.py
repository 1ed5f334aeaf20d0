# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of rendered files ask for."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    ProjectedToken,
    RemoteWrite,
    ServiceAccount,
    WebIdentityToken,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus.remote_write_options import RemoteWrites
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._prometheus_versions import PrometheusVersion
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._render.common import FileWish

ROLE: t.Final = "arn:aws:iam::123456789012:role/AKS-Prometheus-AMP-Role"
CHAINED: t.Final = "arn:aws:iam::210987654321:role/AMP-Writer"
REGION: t.Final = "eu-central-1"
URL: t.Final = "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"
OTHER_URL: t.Final = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-5678/api/v1/remote_write"
MAIN: t.Final = RemoteWrite(URL, REGION, ROLE)
SECOND: t.Final = RemoteWrite(OTHER_URL, "eu-west-1", ROLE)
TOKEN: t.Final = ProjectedToken(ROLE, REGION)


def file_wish(
    *entries: RemoteWrite,
    external_labels: t.Mapping[str, str] | None = None,
    version: PrometheusVersion | None = None,
    token: WebIdentityToken = TOKEN,
    **settings: t.Any,
) -> FileWish:
    """A wish for the main workspace, unless others are given."""
    writes = RemoteWrites(entries or (MAIN,), external_labels or {}, version)
    wish = FileWish(ServiceAccount("monitoring", "prometheus-sa"), writes, token)
    return dataclasses.replace(wish, **settings)
