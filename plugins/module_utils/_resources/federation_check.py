# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof that metrics can flow from a service account's token to a sample in the workspace."""

from __future__ import annotations

import typing as t

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import kube_config
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import (
    AWS,
    KUBERNETES,
    TRANSPORT,
    ArgumentSpec,
    AwsAuth,
    KubeAuth,
    Params,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_wish import DIAGNOSIS_OPTIONS
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.federation_probes import (
    Budget,
    Clouds,
    FederationCheck,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.federation_wish import (
    SCOPE_DIAGNOSIS,
    SCOPE_FULL,
    SCOPE_TOKEN_EXCHANGE,
    Wish,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, ModuleDefinition, Result
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._token_options import AUDIENCE_OPTIONS

_CHAIN = ("issuer", "role_arn")

ARGUMENT_SPEC = ArgumentSpec(
    {
        "issuer": {"type": "str"},
        "namespace": {"type": "str", "required": True},
        "service_account": {"type": "str", "required": True},
        "role_arn": {"type": "str"},
        "role_name": {"type": "str"},
        "chained_role_arn": {"type": "str"},
        "external_id": {"type": "str"},
        "workspace_arn": {"type": "str"},
        "workspace_id": {"type": "str"},
        "workspace_alias": {"type": "str"},
        "workspace_assume_role_arn": {"type": "str"},
        "workspace_assume_role_external_id": {"type": "str"},
        "remote_write_url": {"type": "str"},
        "query_url": {"type": "str"},
        "scope": {
            "type": "str",
            "choices": [SCOPE_TOKEN_EXCHANGE, SCOPE_FULL, SCOPE_DIAGNOSIS],
            "default": SCOPE_FULL,
        },
        "trust_anchors": {"type": "list", "elements": "path", "default": []},
        "labels_query": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 120},
        "poll_interval": {"type": "float", "default": 2.0},
        "fail_on_broken": {"type": "bool", "default": True},
        "fail_severity": {
            "type": "str",
            "choices": [severity.value for severity in Severity],
            "default": Severity.HIGH.value,
        },
    },
    mutually_exclusive=(("role_arn", "role_name"), ("workspace_arn", "workspace_id", "workspace_alias")),
    required_if=(
        ("scope", SCOPE_TOKEN_EXCHANGE, _CHAIN),
        ("scope", SCOPE_FULL, (*_CHAIN, "workspace_arn", "remote_write_url")),
    ),
).merge(AUDIENCE_OPTIONS, DIAGNOSIS_OPTIONS, AWS, KUBERNETES, TRANSPORT)


def run(params: Params, context: Context) -> Result:
    wish = Wish.from_params(params, check_mode=context.check_mode)
    patience = 0.0 if context.check_mode else wish.wait_timeout
    budget = Budget(context.monotonic() + patience, wish.poll_interval, context.sleep, context.monotonic)
    clouds = Clouds.of(AwsAuth.from_params(params), KubeAuth.from_params(params), wish.region)
    if wish.diagnosis is None:
        findings = FederationCheck(wish, clouds, context.check_mode, budget).prove()
    else:
        # Azure's libraries take half a second to import, which a mere proof does not pay.
        from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import federation_diagnosis

        diagnosis = federation_diagnosis.Diagnosis(wish, wish.diagnosis, clouds, context.check_mode, budget)
        wish, findings = diagnosis.findings()
    proof, facts = findings.proof, findings.facts(wish)
    failing = proof.broken or proof.from_severity(wish.fail_severity)
    if failing and wish.fail_on_broken and not context.check_mode:
        raise errors.CheckFailed(proof.failure(wish.account.subject, wish.target, wish.fail_severity), facts=facts)
    doubt = "" if context.check_mode else proof.doubt()
    return Result(facts, warnings=(doubt,) if doubt else ())


DEFINITION: t.Final = ModuleDefinition(ARGUMENT_SPEC, run, kube_config.remove_files)
