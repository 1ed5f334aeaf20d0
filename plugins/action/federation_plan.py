# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Action of the module ``federation_plan``: walks through all steps of one cluster in check mode."""

from __future__ import annotations

import functools
import typing as t

import jinja2
from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.utils.vars import load_extra_vars

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import arm, aws, graph, tls_chain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.sharing import sharing
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift import collect
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._drift.model import STEPS
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import (
    aks_oidc_issuer,
    amp_resource_policy,
    amp_workspace,
    entra_federated_credential,
    federated_service_account,
    federation_check,
    iam_oidc_provider,
    iam_role,
    prometheus_remote_write,
    remote_write_file,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.foreign_text import all_plain
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._direct import WorkerAction
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._inventory_variables import Given
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._task_files import COLLECTION
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._templates import OMIT
from ansible_collections.crosscloud.aks_amp.plugins.plugin_utils._walk import Book, Failed, Walk

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import ModuleDefinition

try:  # Before ansible-core 2.19 there is none: what is omitted is a text there.
    from ansible.errors import AnsibleValueOmittedError
except ImportError:

    class AnsibleValueOmittedError(Exception):  # type: ignore[no-redef]  # stands in for it
        """Never raised."""


try:  # What a cloud returned is never a template. From ansible-core 2.19 on nothing is that is not marked as one.
    from ansible.utils.unsafe_proxy import wrap_var as as_data
except ImportError:

    def as_data(value: t.Any) -> t.Any:
        return value


Json = dict[str, t.Any]

DEFINITIONS: t.Final[Mapping[str, ModuleDefinition]] = {
    "aks_oidc_issuer": aks_oidc_issuer.DEFINITION,
    "amp_resource_policy": amp_resource_policy.DEFINITION,
    "amp_workspace_info": amp_workspace.DEFINITION,
    "entra_federated_credential": entra_federated_credential.DEFINITION,
    "federated_service_account": federated_service_account.DEFINITION,
    "federation_check": federation_check.DEFINITION,
    "iam_oidc_provider_thumbprint": iam_oidc_provider.DEFINITION,
    "iam_web_identity_role": iam_role.DEFINITION,
    "prometheus_remote_write": prometheus_remote_write.DEFINITION,
    "remote_write_file": remote_write_file.DEFINITION,
}

# Before the workers are forked, once for all of them.
arm.load_libraries()
aws.load_models()
graph.load_libraries()
tls_chain.load_roots()
BOOK: t.Final = Book()


class ActionModule(WorkerAction):
    """Never writes: it refuses to run outside of check mode."""

    def run(self, tmp: str | None = None, task_vars: Json | None = None) -> Json:
        variables = task_vars or {}
        result: Json = super().run(tmp, variables)
        self.validate_argument_spec(argument_spec={})
        if not self._task.check_mode:
            return {**result, "failed": True, "msg": "federation_plan only plans: give its task check_mode: true."}
        walk = self._walk(variables)
        try:
            with sharing():  # one cluster's steps, one after the other
                walk.steps()
        except Failed as failed:
            return {**result, **_of(walk), **all_plain(_of_failure(failed))}
        return {**result, **_of(walk)}

    def _walk(self, variables: Json) -> Walk:
        given = functools.partial(
            Given,
            wiring=BOOK.wiring,
            templates=BOOK.templates,
            template=self._template,
            omitted=variables.get("omit"),
        )
        in_processes = self._needs_process(variables)

        def perform(module: str, arguments: Json) -> Json:
            name = f"{COLLECTION}.{module}"
            if not in_processes:
                return self._in_the_worker(name, DEFINITIONS[module], arguments)
            found: Json = self._execute_module(module_name=name, module_args=arguments, task_vars=variables)
            return found

        def learned(facts: Mapping[str, t.Any]) -> None:
            self._templar.available_variables = {**self._templar.available_variables, **as_data(dict(facts))}

        return Walk(BOOK, given(variables), given(load_extra_vars(self._loader)), perform, learned)

    def _template(self, value: t.Any) -> t.Any:
        """What a user's template comes to; what is undefined may have a default. Raises Failed."""
        try:
            rendered = self._templar.template(value)
        except AnsibleValueOmittedError:
            return OMIT
        except AnsibleUndefinedVariable as error:
            raise jinja2.UndefinedError(str(error)) from error
        except AnsibleError as error:
            raise Failed("Evaluate the variables", str(error)) from error
        return rendered if isinstance(rendered, (str, bool, int, float, list, dict, type(None))) else str(rendered)


def _of(walk: Walk) -> Json:
    """What all tasks together came to, and what the report needs of each."""
    results, selected = walk.all_results, walk.value("aks_amp_selected_steps")
    warnings = [text for result in results for text in result.get("warnings") or ()]
    deprecations = [entry for result in results for entry in result.get("deprecations") or ()]
    return {
        "changed": any(result.get("changed") for result in results),
        "diff": [diff for result in results if result.get("changed") for diff in result.get("diff") or ()],
        "selected": [step for step in STEPS if step in selected],
        "steps": collect.reported(walk.results),
        **({"warnings": list(dict.fromkeys(warnings))} if warnings else {}),
        **({"deprecations": deprecations} if deprecations else {}),
    }


def _of_failure(failed: Failed) -> Json:
    told: Json = {name: failed.result[name] for name in ("error", "exception") if name in failed.result}
    failure = {"task": failed.task, "message": failed.message}
    return {**told, "failed": True, "msg": f"{failed.task}: {failed.message}", "failure": failure}
