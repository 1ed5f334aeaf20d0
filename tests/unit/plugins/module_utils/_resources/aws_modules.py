# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The AWS modules run against a sandbox, from raw options to their results, without Ansible's process around them."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AwsAuth, Params, Transport
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, ModuleDefinition, Result
from sandbox.world import CONTROLLER_AWS_ACCESS_KEY, CONTROLLER_AWS_SECRET_KEY

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.server import Sandbox

REGION = "eu-west-1"


def params_of(definition: ModuleDefinition, values: Mapping[str, t.Any]) -> Params:
    """Options as AnsibleModule would validate them; fails the test when it would refuse them."""
    arguments = definition.spec.module_arguments()
    result = ModuleArgumentSpecValidator(arguments.pop("argument_spec"), **arguments).validate(dict(values))
    assert not result.error_messages, result.error_messages
    return Params(result.validated_parameters)


@dataclasses.dataclass
class Clock:
    """Time that passes by sleeping only. Seconds."""

    now: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


class Runner:
    """Runs modules with the sandbox's connection options."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.clock = Clock()

    @property
    def connection(self) -> dict[str, t.Any]:
        return {
            "region": REGION,
            "access_key": CONTROLLER_AWS_ACCESS_KEY,
            "secret_key": CONTROLLER_AWS_SECRET_KEY,
            "https_proxy": self.sandbox.proxy_url,
            "ca_bundle": str(self.sandbox.ca_file),
        }

    def run(self, definition: ModuleDefinition, *, check_mode: bool = False, **options: t.Any) -> Result:
        return self.run_alone(definition, check_mode=check_mode, **{**self.connection, **options})

    def run_alone(self, definition: ModuleDefinition, *, check_mode: bool = False, **options: t.Any) -> Result:
        """Run a module with these options only."""
        params = params_of(definition, options)
        context = Context(check_mode=check_mode, sleep=self.clock.sleep, monotonic=self.clock.monotonic)
        return definition.run(params, context)

    def client(self, service: str) -> t.Any:
        """A boto3 client of the controller's, to look at what a module left behind."""
        transport = Transport(self.sandbox.proxy_url, str(self.sandbox.ca_file))
        auth = AwsAuth(transport, REGION, None, CONTROLLER_AWS_ACCESS_KEY, CONTROLLER_AWS_SECRET_KEY)
        return AwsSession(auth).client(service)

    def deny(self, *actions: str) -> None:
        """Let the controller do everything but these IAM actions."""
        allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        denied = [{"Effect": "Deny", "Action": list(actions), "Resource": "*"}] if actions else []
        self.sandbox.aws.set_controller_policies({"Version": "2012-10-17", "Statement": [allowed, *denied]})

    def writes_since(self, number: int) -> list[str]:
        """The operations that changed something after a request."""
        return [request.operation for request in self.sandbox.world.log.since(number) if request.write]

    def operations_since(self, number: int) -> list[str]:
        return [request.operation for request in self.sandbox.world.log.since(number) if request.operation]

    @property
    def last_request(self) -> int:
        requests = self.sandbox.world.log.since()
        return requests[-1].number if requests else 0
