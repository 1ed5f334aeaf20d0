# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision about an Entra application and its federated identity credential, without any directory."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _ownership as ownership
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import (
    Application,
    Credential,
    IdentityRef,
    ManagedIdentity,
    ServicePrincipal,
    Trust,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    ENTRA_AUDIENCE,
    KNOWN_AFTER_APPLY,
    FederationError,
    Issuer,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AzureAuth, Params, State, Transport
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_application import (
    ApplicationChoice,
    ApplicationKey,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_credentials import (
    MAX_CREDENTIALS,
    CreateCredential,
    CredentialWish,
    Existing,
    IssuerState,
    UpdateCredential,
    doubtful_issuers,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_federated_credential import (
    Current,
    IdentityCurrent,
    facts,
    plan,
    plan_identity,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_wish import ARGUMENT_SPEC, Wish

ISSUER = "https://westeurope.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/d85c7db7/"
SUBJECT = "system:serviceaccount:monitoring:prometheus-sa"
TRUST = Trust(ISSUER, SUBJECT, (ENTRA_AUDIENCE,))
OURS = (ownership.ENTRA_TAG,)
APPLICATION = Application("object-1", "client-1", "Prometheus-AMP-Federation", "Prometheus-AMP-Federation", OURS)
FOREIGN = dataclasses.replace(APPLICATION, unique_name=None, tags=())
PRINCIPAL = ServicePrincipal("principal-1", "72f988bf-86f1-41af-91ab-2d7cd011db47", OURS)
GUID = "0b1f6471-1bf0-4dda-aec3-cb9272f09590"
OLD = "https://westeurope.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/gone/"
IDENTITY = IdentityRef(GUID, "rg-one", "id-prometheus")


def wish(
    issuer: str = ISSUER,
    *,
    service_principal: bool = True,
    display_name: str = APPLICATION.display_name,
    absent: bool = False,
    holder: ApplicationChoice | IdentityRef | None = None,
    by_name: bool = False,
    **changes: t.Any,
) -> Wish:
    """The credential aks-one with TRUST; ``changes`` are those of its CredentialWish."""
    trust = None if by_name else dataclasses.replace(TRUST, issuer=issuer)
    return Wish(
        state=State.ABSENT if absent else State.PRESENT,
        holder=holder or ApplicationChoice(ApplicationKey.DISPLAY_NAME, display_name),
        credential=CredentialWish("aks-one", trust, None if by_name else Issuer(issuer), **changes),
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
    assume(all(one.subject is not None for one in credentials if one.name == "aks-one"))
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
    assert parsed.credential.trust == TRUST
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
        (
            {"display_name": None, "managed_identity_id": "/subscriptions/x"},
            "managed_identity_id is '/subscriptions/x'",
        ),
        ({"display_name": None, "managed_identity_name": "id"}, "but there is no resource_group"),
        (
            {"display_name": None, "managed_identity_name": "id", "resource_group": "rg"},
            r"but there is no subscription_id \(AZURE_SUBSCRIPTION_ID\)",
        ),
        (
            {"display_name": None, "managed_identity_id": IDENTITY.resource_id, "prune_stale": True},
            "prune_stale is true, but the credentials of a managed identity carry no description",
        ),
        (
            {
                "display_name": None,
                "managed_identity_id": IDENTITY.resource_id,
                "state": "absent",
                "issuer": None,
                "namespace": None,
                "service_account": None,
            },
            "removed by name, issuer and subject together",
        ),
        (
            {"state": "absent", "issuer": None},
            "Of issuer, namespace, service_account only namespace and service_account is given",
        ),
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
    parsed = Wish.from_params(params(display_name="one", issuer=KNOWN_AFTER_APPLY), check_mode=True)
    assert parsed.credential.issuer is not None
    assert not parsed.credential.issuer.known


@pytest.mark.parametrize(
    ("key", "value", "unique_name"),
    [
        (ApplicationKey.DISPLAY_NAME, "Prometheus-AMP-Federation", "Prometheus-AMP-Federation"),
        (ApplicationKey.DISPLAY_NAME, "Prometheus on AKS", "aks-amp-fc8be8d2dc56190ea0ed7f046ff241ed"),
        (ApplicationKey.UNIQUE_NAME, "what the user says", "what the user says"),
        (ApplicationKey.APP_ID, GUID, None),
    ],
)
def test_a_display_name_yields_the_same_unique_name_in_every_run(
    key: ApplicationKey, value: str, unique_name: str | None
) -> None:
    assert ApplicationChoice(key, value).unique_name == unique_name


def test_a_managed_identity_is_named_by_its_id_or_its_place() -> None:
    resource_id = IDENTITY.resource_id.replace("resourceGroups", "RESOURCEGROUPS")
    by_id = Wish.from_params(params(managed_identity_id=resource_id), check_mode=False)
    place = {"managed_identity_name": "id-prometheus", "resource_group": "rg-one", "subscription_id": GUID}
    assert by_id.holder == Wish.from_params(params(**place), check_mode=False).holder == IDENTITY


def test_an_absent_credential_may_be_named_alone() -> None:
    nothing = {"state": "absent", "issuer": None, "namespace": None, "service_account": None}
    assert Wish.from_params(params(display_name="one", **nothing), check_mode=False).credential.trust is None


def test_secrets_of_the_login_are_never_shown() -> None:
    auth = AzureAuth(Transport(), secret="hidden-one", certificate_password="hidden-two")
    assert "hidden" not in repr(auth)


# Choices about what exists


def test_an_application_found_by_display_name_only_is_used_with_a_warning() -> None:
    current = Current(FOREIGN, PRINCIPAL, (credential(),))
    (warning,) = plan(current, wish()).warnings
    assert "was found by its display name" in warning
    assert "app_id: client-1" in warning
    by_id = wish(holder=ApplicationChoice(ApplicationKey.APP_ID, GUID))
    assert plan(current, by_id).warnings == ()
    named = Current(dataclasses.replace(FOREIGN, unique_name=APPLICATION.unique_name), PRINCIPAL, (credential(),))
    assert plan(named, wish()).warnings == ()


def test_the_trust_under_another_name_is_reported_by_choice() -> None:
    stale = credential(issuer=OLD)
    for named in ((), (stale,)):
        current = holding(credential("by-hand"), *named)
        with pytest.raises(
            errors.Refused, match="by the federated identity credential by-hand and not by aks-one"
        ) as one:
            plan(current, wish(existing=Existing.REPORT))
        assert (OLD in one.value.message) is bool(named)
    assert plan(holding(credential()), wish(existing=Existing.REPORT)).changes == ()


def test_a_flexible_credential_of_the_name_is_refused_and_others_are_left_alone() -> None:
    with pytest.raises(errors.Refused, match="matches claims by an expression"):
        plan(holding(credential(subject=None)), wish())
    made = plan(holding(credential("flexible", subject=None)), wish())
    assert [change.action for change in made.changes] == [Action.CREATE]


# A name that another cluster has, too

NEIGHBOUR = "https://westeurope.oic.prod-aks.azure.com/72f988bf-86f1-41af-91ab-2d7cd011db47/neighbour/"


def with_issuers(current: Current, state: IssuerState) -> Current:
    """What was found out about the issuers of all its credentials."""
    return dataclasses.replace(current, issuers={one.issuer: state for one in current.credentials})


@pytest.mark.parametrize("description", ["by somebody", ownership.DESCRIPTION])
def test_the_credential_of_a_cluster_that_is_alive_is_not_taken_unless_forced(description: str) -> None:
    current = with_issuers(holding(credential(issuer=NEIGHBOUR, description=description)), IssuerState.FOUND)
    with pytest.raises(errors.Refused) as caught:
        plan(current, wish())
    assert caught.value.message.startswith(
        "The federated identity credential aks-one of the application Prometheus-AMP-Federation trusts "
        f"{SUBJECT} of '{NEIGHBOUR}', which is alive"
    )
    assert "aks_amp_credential_name" in caught.value.fix
    assert "force" in caught.value.fix
    refused: t.Any = caught.value.facts  # reports tell that it drifted
    assert [change["kind"] for change in refused["refused_changes"]] == ["federated identity credential"]
    assert (refused["refused_diff"][0]["before"]["issuer"], refused["refused_diff"][0]["after"]["issuer"]) == (
        NEIGHBOUR,
        ISSUER,
    )
    with pytest.raises(errors.Refused, match="which is alive"):
        plan(current, wish(KNOWN_AFTER_APPLY))  # no cluster has an issuer before it is enabled
    forced = plan(current, wish(force=True))
    assert [change.action for change in forced.changes] == [Action.UPDATE]
    assert forced.warnings == ()


def test_the_credential_of_a_cluster_that_was_built_again_is_repaired_silently() -> None:
    made = plan(with_issuers(holding(credential(issuer=OLD)), IssuerState.GONE), wish())
    assert [change.action for change in made.changes] == [Action.UPDATE]
    assert made.warnings == ()


def test_whose_trust_is_replaced_is_said_when_its_issuer_can_not_be_asked() -> None:
    for issuers in ({}, {NEIGHBOUR: IssuerState.UNKNOWN}):
        current = dataclasses.replace(holding(credential(issuer=NEIGHBOUR, subject="s")), issuers=issuers)
        made = plan(current, wish())
        assert [change.action for change in made.changes] == [Action.UPDATE]
        (warning,) = made.warnings
        assert f"it trusted s of '{NEIGHBOUR}'" in warning
        assert "could not be found out" in warning
        assert plan(made.predicted, wish()).warnings == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": ISSUER[:-1]},
        {"issuer": ISSUER.upper()},
        {"issuer": f"https://{ISSUER}/"},
        {"subject": "system:serviceaccount:other:sa"},
        {"audiences": ("sts.amazonaws.com",)},
    ],
)
def test_a_mistake_about_this_clusters_own_issuer_is_repaired_without_asking(changes: dict[str, t.Any]) -> None:
    current = holding(credential(**changes))
    assert doubtful_issuers(current.credentials, wish().credentials) == frozenset()
    made = plan(with_issuers(current, IssuerState.FOUND), wish())
    assert [change.action for change in made.changes] == [Action.UPDATE]
    assert made.warnings == ()


def test_only_the_issuer_that_would_be_replaced_is_asked_about() -> None:
    neighbour, other = credential(issuer=NEIGHBOUR), credential("other", issuer=OLD, description=ownership.DESCRIPTION)
    assert doubtful_issuers((neighbour, other), wish().credentials) == {NEIGHBOUR}
    assert doubtful_issuers((neighbour, other), wish(force=True).credentials) == frozenset()
    by_hand = credential("by-hand")  # has the trust, so that the one of the name is left alone
    assert doubtful_issuers((neighbour, other, by_hand), wish().credentials) == frozenset()
    assert doubtful_issuers((by_hand, other), wish(prune_stale=True).credentials) == {OLD}


# Pruning


def test_only_own_credentials_of_issuers_that_are_gone_are_pruned() -> None:
    mine = ownership.DESCRIPTION
    gone = credential("gone", issuer=OLD, description=mine)
    foreign = credential("foreign", issuer=OLD, subject="s", description="by hand")
    alive = credential("alive", issuer="https://alive.example/", description=mine)
    silent = credential("silent", issuer="https://silent.example/", description=f"{mine}, team one")
    issuers = {OLD: IssuerState.GONE, alive.issuer: IssuerState.FOUND, silent.issuer: IssuerState.UNKNOWN}
    current = Current(APPLICATION, PRINCIPAL, (credential(), gone, foreign, alive, silent), issuers)
    assert plan(current, wish()).changes == ()
    made = plan(current, wish(prune_stale=True))
    assert [(change.action, change.name) for change in made.changes] == [(Action.DELETE, "gone")]
    assert made.changes[0].after is None
    assert made.predicted.credentials == (credential(), foreign, alive, silent)
    (warning,) = made.warnings
    assert "silent is kept" in warning


def test_pruning_makes_room_before_the_quota_is_looked_at() -> None:
    others = [
        credential(f"other{n}", issuer=OLD, subject=f"s{n}", description=ownership.DESCRIPTION) for n in range(20)
    ]
    current = Current(APPLICATION, PRINCIPAL, tuple(others), {OLD: IssuerState.GONE})
    with pytest.raises(errors.Refused) as caught:
        plan(current, wish())
    assert "prune_stale" in caught.value.fix
    actions = [change.action for change in plan(current, wish(prune_stale=True)).changes]
    assert actions == [Action.DELETE] * 20 + [Action.CREATE]


# Removal


def own(name: str = "aks-one", **changes: t.Any) -> Credential:
    return credential(name, **{"description": ownership.DESCRIPTION, **changes})


def test_the_last_credential_takes_principal_and_application_with_it() -> None:
    made = plan(holding(own()), wish(absent=True))
    assert [(change.action, change.kind, change.after) for change in made.changes] == [
        (Action.DELETE, "federated identity credential", None),
        (Action.DELETE, "Entra service principal", None),
        (Action.DELETE, "Entra application", None),
    ]
    assert "deleted applications" in made.changes[2].summary
    assert facts(made.predicted, wish(absent=True))["client_id"] is None
    assert plan(made.predicted, wish(absent=True)).changes == ()


@pytest.mark.parametrize(
    ("application", "others", "kept"),
    [
        (APPLICATION, (own("other", subject="s"),), "still has the federated identity credential other"),
        (dataclasses.replace(APPLICATION, secrets=2), (), "still has 2 secrets or keys"),
        (dataclasses.replace(APPLICATION, tags=(*OURS, "team-one")), (), "still has the tag team-one"),
    ],
)
def test_an_application_that_others_use_is_kept_and_that_is_said(
    application: Application, others: tuple[Credential, ...], kept: str
) -> None:
    made = plan(Current(application, PRINCIPAL, (own(), *others)), wish(absent=True))
    assert [change.kind for change in made.changes] == ["federated identity credential"]
    (warning,) = made.warnings
    assert kept in warning
    assert plan(made.predicted, wish(absent=True)).changes == ()


def test_an_application_that_is_kept_without_service_principal_is_said_to_have_none() -> None:
    (warning,) = plan(Current(APPLICATION, None, (own(), own("other", subject="s"))), wish(absent=True)).warnings
    assert "It has no service principal" in warning


def test_of_a_foreign_application_only_what_was_added_goes() -> None:
    tagged = dataclasses.replace(FOREIGN, tags=("team-one",))
    for foreign in (FOREIGN, tagged):
        made = plan(Current(foreign, PRINCIPAL, (own(),)), wish(absent=True))
        assert [change.kind for change in made.changes] == ["federated identity credential", "Entra service principal"]
        assert made.predicted.application == foreign
    by_hand = dataclasses.replace(PRINCIPAL, tags=())
    made = plan(Current(FOREIGN, by_hand, (own(),)), wish(absent=True))
    assert [change.kind for change in made.changes] == ["federated identity credential"]


def test_what_is_not_marked_is_not_deleted_unless_forced() -> None:
    with pytest.raises(errors.Refused, match="was not created by this collection") as caught:
        plan(holding(credential()), wish(absent=True))
    assert "force" in caught.value.fix
    kept = plan(holding(credential()), wish(absent=True, keep_shared=True))
    assert kept.changes == ()
    assert kept.warnings[0].startswith("The federated identity credential aks-one of the application")
    assert "is kept: it was not created by this collection" in kept.warnings[0]
    made = plan(
        Current(FOREIGN, dataclasses.replace(PRINCIPAL, tags=()), (credential(),)), wish(absent=True, force=True)
    )
    assert [change.kind for change in made.changes] == ["federated identity credential"]


def test_the_name_with_another_trust_is_kept_unless_the_name_alone_is_given() -> None:
    other = own(issuer=OLD)
    made = plan(holding(other), wish(absent=True))
    assert made.changes == ()
    assert "which is not what is to be removed" in made.warnings[0]
    assert plan(holding(other), wish(absent=True, by_name=True)).changes[0].name == "aks-one"
    assert plan(holding(other), wish(KNOWN_AFTER_APPLY, absent=True)).changes == ()


@pytest.mark.parametrize("current", [Current(), holding(own("other", subject="s"))])
def test_what_is_absent_already_changes_nothing(current: Current) -> None:
    assert plan(current, wish(absent=True)).changes == ()


# Managed identities

PLACE = ManagedIdentity("client-2", "principal-2", "tenant-2")


def test_a_managed_identitys_credential_has_no_description() -> None:
    made = plan_identity(IdentityCurrent(PLACE), wish(holder=IDENTITY))
    (change,) = made.changes
    assert t.cast("dict[str, object]", change.after)["description"] is None
    assert "on the managed identity id-prometheus in resource group rg-one" in change.summary
    assert plan_identity(made.predicted, wish(holder=IDENTITY)).changes == ()


def test_a_full_managed_identity_is_refused() -> None:
    others = tuple(credential(f"other{n}", subject=f"s{n}") for n in range(MAX_CREDENTIALS))
    with pytest.raises(errors.Refused, match=r"The managed identity id-prometheus .* has 20") as caught:
        plan_identity(IdentityCurrent(PLACE, others), wish(holder=IDENTITY))
    assert "another managed identity" in caught.value.fix


def test_a_managed_identitys_credential_of_a_cluster_that_is_alive_is_not_taken_unless_forced() -> None:
    neighbours = (credential(issuer=NEIGHBOUR),)
    current = IdentityCurrent(PLACE, neighbours, {NEIGHBOUR: IssuerState.FOUND})
    with pytest.raises(errors.Refused, match=r"aks-one of the managed identity id-prometheus .* which is alive"):
        plan_identity(current, wish(holder=IDENTITY))
    assert len(plan_identity(current, wish(holder=IDENTITY, force=True)).changes) == 1


def test_a_managed_identitys_credential_goes_only_by_name_and_trust_together() -> None:
    made = plan_identity(IdentityCurrent(PLACE, (credential(),)), wish(holder=IDENTITY, absent=True))
    assert [change.action for change in made.changes] == [Action.DELETE]
    with pytest.raises(errors.Refused, match="but not the name aks-one"):
        plan_identity(IdentityCurrent(PLACE, (credential("by-hand"),)), wish(holder=IDENTITY, absent=True))
    other = IdentityCurrent(PLACE, (credential(issuer=OLD),))
    assert plan_identity(other, wish(holder=IDENTITY, absent=True)).changes == ()
