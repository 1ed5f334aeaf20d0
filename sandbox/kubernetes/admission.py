# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Admission webhooks of a test: they see what clients write, may change it, and may refuse it.

Source: ``pkg/admission/plugin/webhook/{mutating,errors}`` of k8s.io/apiserver; the texts are theirs.
"""

from __future__ import annotations

import dataclasses
import typing as t

from sandbox.kubernetes.errors import ApiError, bad_request
from sandbox.kubernetes.kinds import Resource
from sandbox.world import Json


@dataclasses.dataclass(frozen=True)
class Webhook:
    """An admission webhook for one kind (``Deployment``).

    ``judge`` gets the object as it would be stored, may change it in place, and gives the reason to refuse it, or None.
    One with side effects can't take part in a dry run.
    """

    name: str
    kind: str
    judge: t.Callable[[Json], str | None]
    side_effects: bool = False


class Admission:
    """The webhooks of one cluster, asked in the order in which they were added."""

    def __init__(self) -> None:
        self._webhooks: list[Webhook] = []

    def add(self, webhook: Webhook) -> None:
        self._webhooks.append(webhook)

    def clear(self) -> None:
        self._webhooks.clear()

    def admit(self, resource: Resource, obj: Json, *, dry_run: bool) -> None:
        """:raises ApiError: 400, as an answer of a webhook that names no other code."""
        for webhook in self._webhooks:
            if webhook.kind != resource.kind:
                continue
            if dry_run and webhook.side_effects:
                raise bad_request(f'admission webhook "{webhook.name}" does not support dry run')
            reason = webhook.judge(obj)
            if reason is not None:
                raise ApiError(400, "", f'admission webhook "{webhook.name}" denied the request: {reason}')
