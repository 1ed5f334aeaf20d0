# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that msgraph-sdk fills in: what they take of an answer, and that they keep its own from being loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from uuid import UUID

import pytest
from kiota_serialization_json.json_parse_node import JsonParseNode

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.graph_models import (
    ApplicationAnswer,
    ApplicationPage,
    CredentialAnswer,
    ServicePrincipalAnswer,
)

OWNER = "72f988bf-86f1-41af-91ab-2d7cd011db47"

_MODELS = "ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients"
#: Prints how many of the library's modules with models are loaded once an application and a refusal have been read.
_COUNTING: t.Final = f"""
import sys
from {_MODELS} import graph, graph_models
from kiota_serialization_json.json_parse_node import JsonParseNode
graph.load_libraries()
JsonParseNode({{"id": "1", "web": {{"homePageUrl": "x"}}}}).get_object_value(graph_models.ApplicationAnswer)
JsonParseNode({{"error": {{"code": "c", "innerError": {{}}}}}}).get_object_value(graph.ODataError)
print(len([name for name in sys.modules if name.startswith("msgraph.generated.models.")]))
"""


def test_an_application_is_read_by_graphs_names_and_the_rest_left_alone() -> None:
    answer = {
        "id": "o",
        "appId": "a",
        "displayName": "2026-11-28",  # a text that looks like a date is one all the same
        "uniqueName": None,
        "tags": ["x=y"],
        "passwordCredentials": [{"keyId": "k", "hint": "abc"}],
        "keyCredentials": [],
        "web": {"redirectUris": ["https://x"]},
    }
    read = JsonParseNode(answer).get_object_value(ApplicationAnswer)
    assert (read.id, read.app_id, read.display_name, read.unique_name, read.tags) == (
        "o",
        "a",
        "2026-11-28",
        None,
        ["x=y"],
    )
    assert (len(read.password_credentials or ()), len(read.key_credentials or ())) == (1, 0)


def test_what_an_answer_lacks_is_none() -> None:
    read = JsonParseNode({}).get_object_value(CredentialAnswer)
    assert (read.id, read.name, read.issuer, read.subject, read.audiences, read.description) == (None,) * 6


@pytest.mark.parametrize("disabled", [True, False])
def test_a_service_principal_is_read(disabled: bool) -> None:
    answer = {"id": "o", "appOwnerOrganizationId": OWNER, "tags": [], "accountEnabled": True, "isDisabled": disabled}
    read = JsonParseNode(answer).get_object_value(ServicePrincipalAnswer)
    assert (read.id, read.app_owner_organization_id, read.tags) == ("o", UUID(OWNER), [])
    assert (read.account_enabled, read.is_disabled) == (True, disabled)


def test_a_page_names_the_next_one() -> None:
    page = json.loads('{"value": [{"id": "1"}, {"id": "2"}], "@odata.nextLink": "https://next"}')
    read = JsonParseNode(page).get_object_value(ApplicationPage)
    assert [one.id for one in read.value or ()] == ["1", "2"]
    assert read.odata_next_link == "https://next"


def test_reading_loads_hardly_any_of_the_librarys_models() -> None:
    command = [sys.executable, "-W", "ignore", "-c", _COUNTING]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(  # noqa: S603  # this interpreter
        command, check=True, capture_output=True, text=True, env=environment
    )
    assert int(done.stdout) < 50
