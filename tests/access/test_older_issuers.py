# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters whose issuer has the older form: what the guide says to add to AWS' documents is needed, and enough."""

from __future__ import annotations

import copy
import json
import typing as t

from tests.access.documents import FOLDER, VALUES, Document, load
from tests.access.trials import Trial, run
from tests.docs.pages import GUIDES, blocks
from tests.faults.modules import CASES, Case, Estate, by_name

ISSUER: t.Final = "https://oidc.prod-aks.azure.com/3c5b5d2e-8b1f-4f0a-9f6e-2a4d7c1e9b01/"
ARN: t.Final = f"arn:aws:iam::{VALUES['ACCOUNT_ID']}:oidc-provider/{ISSUER.removeprefix('https://')}"


def _resources() -> list[str]:
    """The guide's example: the resource of the documents, and the one to add."""
    parsed = [json.loads(block.text) for block in blocks(GUIDES / "least_privilege.rst") if block.language == "json"]
    (found,) = [document["Resource"] for document in parsed if "Statement" not in document]
    return t.cast("list[str]", found)


def _statements(policy: t.Any) -> list[t.Any]:
    return [one for one in policy["Statement"] if ":oidc-provider/" in one["Resource"]]


def _seed(estate: Estate) -> None:
    estate.sandbox.aws.seed_provider(ISSUER, client_ids=["sts.amazonaws.com"], thumbprints=["a" * 40])


def _removal() -> Trial:
    known = by_name(CASES)["iam_oidc_provider_thumbprint-absent"]
    options = {"issuer": ISSUER, "state": "absent", "force": True}
    return Trial(Case("older-issuer-absent", known.definition, "finished", lambda _estate: options, prepare=_seed))


def _with_example(document: Document) -> Document:
    (policy,) = copy.deepcopy(document.parts)
    for statement in _statements(policy):
        statement["Resource"] = [_filled(resource) for resource in _resources()]
    return Document(document.path, (policy,))


def _filled(text: str) -> str:
    for word in ("ACCOUNT_ID", "TENANT_ID"):
        text = text.replace(word, VALUES[word])
    return text


def test_the_example_begins_with_the_resource_of_the_documents() -> None:
    paths = sorted(FOLDER.glob("aws/**/*.json"))
    named = {one["Resource"] for path in paths for one in _statements(json.loads(path.read_text(encoding="utf-8")))}
    assert named == {_resources()[0]}


def test_an_older_issuer_needs_what_the_guide_adds(estate: Estate) -> None:
    document = load("aws/teardown.json", VALUES)
    refused = run(estate, _removal(), lambda _estate: [document])
    assert refused.failed
    assert "iam:GetOpenIDConnectProvider" in refused.text
    assert ARN in estate.sandbox.aws._account.store.open_id_providers
    done = run(estate, _removal(), lambda _estate: [_with_example(document)])
    assert not done.failed, done.text
    assert ARN not in estate.sandbox.aws._account.store.open_id_providers
