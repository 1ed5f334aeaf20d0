# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision about an Entra application and its federated identity credential, without any directory."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import errors, ownership
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.clients.graph import (
    Application,
    Credential,
    ServicePrincipal,
    Trust,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.federation import (
    ENTRA_AUDIENCE,
    KNOWN_AFTER_APPLY,
    FederationError,
    Issuer,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.options import Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.plan import Action
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.resources.entra_federated_credential import (
    ARGUMENT_SPEC,
    MAX_CREDENTIALS,
    ApplicationChoice,
    ApplicationKey,
    CreateCredential,
    Current,
    UpdateCredential,
    Wish,
    facts,
    plan,
)

ISSUER = "https://westeurope.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/d85c7db7/"
SUBJECT = "system:serviceaccount:monitoring:prometheus-sa"
TRUST = Trust(ISSUER, SUBJECT, (ENTRA_AUDIENCE,))
APPLICATION = Application("object-1", "client-1", "Prometheus-AMP-Federation", "Prometheus-AMP-Federation")
PRINCIPAL = ServicePrincipal("principal-1", "72f988bf-86f1-41af-91ab-2d7cd011db47")
GUID = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"


def wish(issuer: str = ISSUER, *, service_principal: bool = True, display_name: str = APPLICATION.display_name) -> Wish:
    return Wish(
        application=ApplicationChoice(ApplicationKey.DISPLAY_NAME, display_name),
        credential_name="aks-one",
        trust=dataclasses.replace(TRUST, issuer=issuer),
        issuer=Issuer(issuer),
        service_principal=service_principal,
        tenant=None,
    )


def credential(name: str = "aks-one", **changes: t.Any) -> Credential:
    made = Credential(f"id-{name}", name, ISSUER, SUBJECT, (ENTRA_AUDIENCE,), "by somebody")
    return dataclasses.replace(made, **changes)


def holding(*credentials: Credential) -> Current:
    return Current(APPLICATION, PRINCIPAL, credentials)


def params(**values: t.Any) -> Params:
    given_values = {
        "name": "aks-one",
        "issuer": ISSUER,
        "namespace": "monitoring",
        "service_account": "prometheus-sa",
        **values,
    }
    return Params(
        {name: given_values.get(name, option.get("default")) for name, option in ARGUMENT_SPEC.options.items()}
    )


def test_an_empty_directory_gets_all_three_in_their_order() -> None:
    made = plan(Current(), wish())
    assert [(change.action, change.kind) for change in made.changes] == [
        (Action.CREATE, "Entra application"),
        (Action.CREATE, "Entra service principal"),
        (Action.CREATE, "federated identity credential"),
    ]
    assert made.changes[0].after == {
        "display_name": "Prometheus-AMP-Federation",
        "unique_name": "Prometheus-AMP-Federation",
        "sign_in_audience": "AzureADMyOrg",
        "tags": [ownership.ENTRA_TAG],
    }
    assert made.changes[2].after == {
        "name": "aks-one",
        "issuer": ISSUER,
        "subject": SUBJECT,
        "audiences": [ENTRA_AUDIENCE],
        "description": ownership.DESCRIPTION,
    }
    result = facts(made.predicted, wish())
    assert result["client_id"] == result["object_id"] == result["service_principal_id"] == KNOWN_AFTER_APPLY


def test_without_service_principal_none_is_made() -> None:
    made = plan(Current(), wish(service_principal=False))
    assert [change.kind for change in made.changes] == ["Entra application", "federated identity credential"]
    assert facts(made.predicted, wish())["service_principal_id"] is None


def test_what_is_right_is_left_alone_whoever_described_it() -> None:
    assert plan(holding(credential()), wish()).changes == ()


@pytest.mark.parametrize(
    ("changes", "summary"),
    [
        ({"issuer": ISSUER[:-1]}, "Change issuer of"),
        ({"issuer": f"https://{ISSUER}/"}, "Change issuer of"),
        ({"subject": "system:serviceaccount:other:sa"}, "Change subject of"),
        ({"audiences": ("sts.amazonaws.com",)}, "Change audience of"),
        ({"issuer": "https://old/", "subject": "s", "audiences": ()}, "Change issuer and subject and audience of"),
        ({"subject": None}, "Change subject of"),
    ],
)
def test_a_wrong_credential_of_the_name_is_corrected_in_place(changes: dict[str, t.Any], summary: str) -> None:
    wrong = credential(**changes)
    made = plan(holding(wrong), wish())
    (change,) = made.changes
    assert change.operation == UpdateCredential(wrong, TRUST)
    assert change.summary.startswith(summary)
    assert t.cast("dict[str, object]", change.after)["description"] == "by somebody"
    assert made.predicted.credentials == (credential(),)


def test_the_trust_under_another_name_is_used_as_it_is() -> None:
    current = holding(credential("by-hand"))
    made = plan(current, wish())
    assert made.changes == ()
    found = t.cast("dict[str, object]", facts(made.predicted, wish())["credential"])
    assert (found["name"], found["issuer"]) == ("by-hand", ISSUER)


def test_the_trust_under_another_name_wins_over_the_name() -> None:
    """Giving the named one this trust, too, would be refused: an application has each issuer and subject once."""
    stale = credential(issuer="https://old.oic.prod-aks.azure.com/t/g/")
    assert plan(holding(stale, credential("by-hand")), wish()).changes == ()
    (change,) = plan(holding(stale, credential("by-hand", audiences=("x",))), wish()).changes
    assert change.name == "by-hand"
    assert change.summary.startswith("Change audience of the federated identity credential by-hand")


def test_a_full_application_is_refused_before_any_write() -> None:
    others = tuple(credential(f"other{number}", subject=f"s{number}") for number in range(MAX_CREDENTIALS))
    with pytest.raises(errors.Refused, match="has 20 federated identity credentials, and Entra allows 20"):
        plan(holding(*others), wish())
    assert plan(holding(*others[:-1]), wish()).changes
    named = dataclasses.replace(others[0], name="aks-one")
    (change,) = plan(holding(named, *others[1:]), wish()).changes
    assert change.action is Action.UPDATE


def test_an_unknown_issuer_predicts_a_creation_or_a_change() -> None:
    unknown = wish(KNOWN_AFTER_APPLY)
    (created,) = plan(holding(), unknown).changes
    assert isinstance(created.operation, CreateCredential)
    assert created.operation.trust.issuer == KNOWN_AFTER_APPLY
    (changed,) = plan(holding(credential()), unknown).changes
    assert t.cast("dict[str, object]", changed.after)["issuer"] == KNOWN_AFTER_APPLY


def test_a_credential_that_misses_a_slash_is_pointed_out() -> None:
    made = plan(holding(credential(), credential("old", issuer=ISSUER[:-1])), wish())
    assert made.changes == ()
    (warning,) = made.warnings
    assert warning.startswith(f"The federated identity credential old has the issuer '{ISSUER[:-1]}'")
    unrelated = credential("unrelated", issuer="https://elsewhere/")
    assert plan(holding(credential(), unrelated), wish()).warnings == ()


@given(
    st.none() | st.just(APPLICATION),
    st.none() | st.just(PRINCIPAL),
    st.lists(
        st.builds(
            Credential,
            st.uuids().map(str),
            st.sampled_from(["aks-one", "b", "c"]),
            st.sampled_from([ISSUER, ISSUER[:-1], "https://x/"]),
            st.sampled_from([SUBJECT, "s", None]),
            st.sampled_from([(ENTRA_AUDIENCE,), ("x",), ()]),
            st.none(),
        ),
        max_size=5,
        unique_by=(lambda one: one.name, lambda one: (one.issuer, one.subject)),
    ),
    st.booleans(),
)
def test_the_prediction_needs_no_further_change_and_keeps_the_directorys_rules(
    application: Application | None,
    principal: ServicePrincipal | None,
    credentials: list[Credential],
    service_principal: bool,
) -> None:
    current = Current(application, principal, tuple(credentials)) if application else Current()
    wanted = wish(service_principal=service_principal)
    after = plan(current, wanted).predicted
    assert plan(after, wanted).changes == ()
    assert any(
        (one.issuer, one.subject, one.audiences) == (ISSUER, SUBJECT, TRUST.audiences) for one in after.credentials
    )
    assert len({one.name for one in after.credentials}) == len(after.credentials)
    assert len({(one.issuer, one.subject) for one in after.credentials}) == len(after.credentials)
    untouched = [one for one in current.credentials if one in after.credentials]
    assert len(untouched) >= len(current.credentials) - 1


# Options


def test_options_become_the_trust_of_the_model() -> None:
    parsed = Wish.from_params(params(display_name="one", tenant="contoso.example"), check_mode=False)
    assert parsed.trust == TRUST
    assert parsed.tenant == "contoso.example"


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": "ab"}, "The credential's name 'ab'"),
        ({"name": "-abc"}, "The credential's name '-abc'"),
        ({"name": "a b c"}, "The credential's name"),
        ({"name": "a" * 121}, "The credential's name"),
        ({"audience": "a b"}, "The audience 'a b' is malformed"),
        ({"audience": "a" * 601}, "is malformed"),
        ({"display_name": None, "app_id": "my application"}, "app_id is 'my application', which is not a GUID"),
        ({"display_name": None, "object_id": "x"}, "object_id is 'x', which is not a GUID"),
        ({"display_name": "a" * 257}, "display_name has 257 characters"),
        ({"display_name": ""}, "Exactly one of"),
        ({"unique_name": "two"}, "Exactly one of"),
        ({"issuer": KNOWN_AFTER_APPLY}, "good for check mode only"),
    ],
)
def test_bad_input_is_one_sentence(values: dict[str, t.Any], sentence: str) -> None:
    with pytest.raises(errors.InvalidInput, match=sentence):
        Wish.from_params(params(**{"display_name": "one", **values}), check_mode=False)


@pytest.mark.parametrize(
    "values", [{"issuer": "http://x/"}, {"issuer": f"https://{ISSUER}"}, {"namespace": "*"}, {"service_account": "A"}]
)
def test_the_trust_models_rules_hold(values: dict[str, t.Any]) -> None:
    with pytest.raises(FederationError):
        Wish.from_params(params(display_name="one", **values), check_mode=False)


def test_an_unknown_issuer_is_good_in_check_mode() -> None:
    assert not Wish.from_params(params(display_name="one", issuer=KNOWN_AFTER_APPLY), check_mode=True).issuer.known


@pytest.mark.parametrize(
    ("key", "value", "unique_name"),
    [
        (ApplicationKey.DISPLAY_NAME, "Prometheus-AMP-Federation", "Prometheus-AMP-Federation"),
        (ApplicationKey.DISPLAY_NAME, "Prometheus on AKS", None),
        (ApplicationKey.DISPLAY_NAME, "it's", None),
        (ApplicationKey.UNIQUE_NAME, "what the user says", "what the user says"),
        (ApplicationKey.APP_ID, GUID, None),
    ],
)
def test_only_plain_display_names_are_unique_names_too(
    key: ApplicationKey, value: str, unique_name: str | None
) -> None:
    assert ApplicationChoice(key, value).unique_name == unique_name
