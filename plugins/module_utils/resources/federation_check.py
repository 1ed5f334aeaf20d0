# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that metrics can flow from a service account's token to a sample in the workspace."""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.options import (
    AWS,
    KUBERNETES,
    TRANSPORT,
    ArgumentSpec,
    AwsAuth,
    KubeAuth,
    Params,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources.federation_probes import (
    Budget,
    Clouds,
    FederationCheck,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources.federation_wish import (
    SCOPE_FULL,
    SCOPE_TOKEN_EXCHANGE,
    Wish,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.runner import Context, ModuleDefinition, Result
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.token_options import AUDIENCE_OPTIONS

ARGUMENT_SPEC = ArgumentSpec(
    {
        "issuer": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "service_account": {"type": "str", "required": True},
        "role_arn": {"type": "str", "required": True},
        "workspace_arn": {"type": "str"},
        "remote_write_url": {"type": "str"},
        "query_url": {"type": "str"},
        "scope": {"type": "str", "choices": [SCOPE_TOKEN_EXCHANGE, SCOPE_FULL], "default": SCOPE_FULL},
        "wait_timeout": {"type": "int", "default": 120},
        "poll_interval": {"type": "float", "default": 2.0},
        "fail_on_broken": {"type": "bool", "default": True},
    },
    required_if=(("scope", SCOPE_FULL, ("workspace_arn", "remote_write_url")),),
).merge(AUDIENCE_OPTIONS, AWS, KUBERNETES, TRANSPORT)


def run(params: Params, context: Context) -> Result:
    wish = Wish.from_params(params, check_mode=context.check_mode)
    patience = 0.0 if context.check_mode else wish.wait_timeout
    budget = Budget(context.monotonic() + patience, wish.poll_interval, context.sleep, context.monotonic)
    clouds = Clouds.of(AwsAuth.from_params(params), KubeAuth.from_params(params), wish.region)
    check = FederationCheck(wish, clouds, context.check_mode, budget)
    findings = check.prove()
    facts = findings.facts()
    if findings.proof.broken and wish.fail_on_broken and not context.check_mode:
        raise errors.CheckFailed(findings.proof.failure(wish.account.subject, wish.target), facts=facts)
    doubt = "" if context.check_mode else findings.proof.doubt()
    return Result(facts, warnings=(doubt,) if doubt else ())


DEFINITION: t.Final = ModuleDefinition(ARGUMENT_SPEC, run)
