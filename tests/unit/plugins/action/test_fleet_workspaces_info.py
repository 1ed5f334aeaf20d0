# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts would ask, by their variables, and which of them ask alike."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Mapping

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.action import fleet_workspaces_info as action

FLEET = {"aks_amp_workspace_alias": "fleet-metrics", "aks_amp_aws_region": "eu-west-1"}
ASKED = {"alias": "fleet-metrics", "region": "eu-west-1"}


class Broken(Mapping[str, t.Any]):
    """Variables with a template that raises what it likes, as before ansible-core 2.19."""

    def __getitem__(self, name: str) -> t.Any:
        raise ZeroDivisionError(name)

    def __contains__(self, name: object) -> bool:
        return name == "aks_amp_workspace_alias"

    def __iter__(self) -> Iterator[str]:
        return iter(("aks_amp_workspace_alias",))

    def __len__(self) -> int:
        return 1


def asked(**hosts: Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    return list(action._asked(list(hosts), hosts))


def test_a_host_asks_as_its_role_would() -> None:
    given = {
        **FLEET,
        "aks_amp_aws_access_key": "AKIAEXAMPLE",
        "aks_amp_aws_secret_key": "secret",
        "aks_amp_aws_assume_role_arn": "arn:aws:iam::123456789012:role/roles",
        "aks_amp_workspace_assume_role_arn": "arn:aws:iam::210987654321:role/workspaces",
        "aks_amp_workspace_assume_role_external_id": "fleet",
        "aks_amp_aws_use_fips_endpoint": True,
        "aks_amp_https_proxy": "http://proxy.example.com:3128",
    }
    assert asked(a=given) == [
        {
            **ASKED,
            "access_key": "AKIAEXAMPLE",
            "secret_key": "secret",
            "assume_role_arn": "arn:aws:iam::210987654321:role/workspaces",
            "assume_role_external_id": "fleet",
            "use_fips_endpoint": True,
            "https_proxy": "http://proxy.example.com:3128",
        }
    ]


def test_the_roles_own_variables_count_before_those_of_the_fleet() -> None:
    assert asked(a={**FLEET, "iam_web_identity_workspace_alias": "own"}) == [{**ASKED, "alias": "own"}]


@pytest.mark.parametrize("old", [{"omit": "__omit_place_holder__0123"}, {}], ids=["before 2.19", "2.19"])
def test_what_is_not_given_is_left_out(old: dict[str, str]) -> None:
    assert asked(a={**FLEET, **old, "aks_amp_aws_profile": ""}) == [ASKED]


def test_a_host_whose_variables_can_not_be_evaluated_asks_for_itself() -> None:
    undefined = {**FLEET, "aks_amp_aws_profile": "{{ nothing_of_that_name }}"}  # as ansible-core left it before 2.19
    assert asked(a=Broken(), b=undefined, c=FLEET) == [ASKED]


def test_only_what_several_ask_is_shared() -> None:
    other = {**ASKED, "region": "eu-central-1"}
    assert action._alike([ASKED, other, dict(reversed(ASKED.items()))]) == [ASKED]
    assert action._alike([ASKED, other]) == []
    assert action._alike([]) == []
