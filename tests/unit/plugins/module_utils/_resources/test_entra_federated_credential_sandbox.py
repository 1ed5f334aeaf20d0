# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module entra_federated_credential against the sandbox's Graph, alone and from many runs at once."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import typing as t

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _ownership as ownership
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import ApplicationDraft, Trust
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.graph import GraphClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import ENTRA_AUDIENCE, KNOWN_AFTER_APPLY
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import ApplyFailed, Outcome
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_federated_credential import (
    DEFINITION,
    Current,
    EntraFederation,
    IssuerProbe,
    Replication,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.entra_wish import Wish
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Result
from sandbox.faults import Fault, Kind
from sandbox.testing import running_sandbox
from sandbox.world import AZURE_TENANT, CONTROLLER_CLIENT_SECRET, Json
from tests.unit.plugins.azure_estate import AzureEstate, FastClock, context

if t.TYPE_CHECKING:
    from collections.abc import Iterator

# The library's generated classes announce the deprecation of classes that nobody here uses.
pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning")

NEW = "Unit-Test-Federation"
SHARED = "Fleet-Federation"
SUBJECT = "system:serviceaccount:monitoring:prometheus-sa"
MISSING = "00000000-0000-0000-0000-00000000dead"


@pytest.fixture(scope="module")
def running() -> Iterator[AzureEstate]:
    with running_sandbox() as sandbox:
        yield AzureEstate(sandbox)


@pytest.fixture
def estate(running: AzureEstate) -> AzureEstate:
    running.sandbox.reset()
    return running


def options(estate: AzureEstate, cluster: str = "finished", **values: t.Any) -> dict[str, t.Any]:
    keys = ("object_id", "app_id", "unique_name", "display_name")
    application = {} if any(key in values for key in keys) else {"display_name": NEW}
    return {
        **application,
        "name": f"aks-prometheus-federation-{cluster}",
        "issuer": estate.sandbox.cluster(cluster).issuer_url,
        "namespace": "monitoring",
        "service_account": "prometheus-sa",
        **values,
    }


def run(estate: AzureEstate, *, check_mode: bool = False, clock: FastClock | None = None, **values: t.Any) -> Result:
    given = options(estate, **values)
    given.pop("cluster", None)
    return DEFINITION.run(estate.params(DEFINITION.spec, **given), context(check_mode=check_mode, clock=clock))


def seed_shared(estate: AzureEstate) -> Json:
    """An application that people made by hand, with a right credential and one that has the scheme twice."""
    directory = estate.sandbox.directory
    application = directory.seed_application(SHARED)
    directory.seed_service_principal(application["appId"])
    for cluster, prefix in (("finished", ""), ("halfdone", "https://")):
        credential = {
            "name": f"aks-prometheus-federation-{cluster}",
            "issuer": prefix + estate.sandbox.cluster(cluster).issuer_url,
            "subject": SUBJECT,
            "audiences": [ENTRA_AUDIENCE],
        }
        directory.seed_federated_credential(application["id"], credential)
    return application


def applications(estate: AzureEstate, name: str) -> list[Json]:
    return [one for one in estate.sandbox.directory.applications() if one["displayName"] == name]


def credentials(estate: AzureEstate, application: Json) -> list[Json]:
    with GraphClient(estate.session()) as graph:
        return [dataclasses.asdict(one) for one in graph.credentials(application["id"])]


def test_check_mode_predicts_what_the_real_run_does_and_writes_nothing(estate: AzureEstate) -> None:
    predicted = run(estate, check_mode=True)
    assert estate.writes() == []
    assert predicted.facts["client_id"] == KNOWN_AFTER_APPLY
    done = run(estate)
    assert [change.report() for change in predicted.changes] == [change.report() for change in done.changes]
    assert [change.diff() for change in predicted.changes] == [change.diff() for change in done.changes]
    (application,) = applications(estate, NEW)
    assert done.facts["client_id"] == application["appId"]
    assert done.facts["object_id"] == application["id"]
    assert done.facts["tenant_id"] == AZURE_TENANT == predicted.facts["tenant_id"]
    made = t.cast("Json", done.facts["credential"])
    expected = t.cast("Json", predicted.facts["credential"])
    assert {**made, "id": KNOWN_AFTER_APPLY} == expected


def test_what_is_created_is_complete_and_marked(estate: AzureEstate) -> None:
    done = run(estate)
    (application,) = applications(estate, NEW)
    assert (application["uniqueName"], application["signInAudience"]) == (NEW, "AzureADMyOrg")
    assert application["tags"] == [ownership.ENTRA_TAG]
    (principal,) = [
        one for one in estate.sandbox.directory.service_principals() if one["appId"] == application["appId"]
    ]
    assert principal["id"] == done.facts["service_principal_id"]
    assert ownership.ENTRA_TAG in principal["tags"]
    (credential,) = credentials(estate, application)
    assert (credential["subject"], credential["audiences"]) == (SUBJECT, (ENTRA_AUDIENCE,))
    assert credential["issuer"] == estate.sandbox.cluster("finished").issuer_url
    assert credential["description"] == ownership.DESCRIPTION


def test_the_second_run_changes_nothing_and_costs_three_reads(estate: AzureEstate) -> None:
    first = run(estate)
    before = estate.last_request()
    second = run(estate)
    assert second.changes == ()
    assert second.facts == first.facts
    assert [one.operation for one in estate.requests("graph", since=before)] == [
        "ListApplications",
        "GetServicePrincipal",
        "ListFederatedIdentityCredentials",
    ]


@pytest.mark.parametrize("key", ["object_id", "app_id", "unique_name", "display_name"])
def test_an_application_is_found_by_each_of_its_keys(estate: AzureEstate, key: str) -> None:
    seeded = estate.sandbox.directory.seed_application("one", unique_name="unique-one")
    values = {"object_id": seeded["id"], "app_id": seeded["appId"], "unique_name": "unique-one", "display_name": "one"}
    named: dict[str, t.Any] = {key: values[key]}
    done = run(estate, **named)
    assert done.facts["object_id"] == seeded["id"]
    assert [change.kind for change in done.changes] == ["Entra service principal", "federated identity credential"]


def test_an_application_by_unique_name_is_created(estate: AzureEstate) -> None:
    done = run(estate, unique_name="unique-new", service_principal=False)
    (application,) = applications(estate, "unique-new")
    assert application["uniqueName"] == "unique-new"
    assert done.facts["service_principal_id"] is None
    assert done.facts["tenant_id"] == AZURE_TENANT  # as the login names it


def test_the_existing_is_repaired_and_never_marked(estate: AzureEstate) -> None:
    seed_shared(estate)
    done = run(estate, cluster="halfdone", display_name=SHARED)
    (change,) = done.changes
    assert change.summary.startswith("Change issuer of the federated identity credential")
    (application,) = applications(estate, SHARED)
    assert application["tags"] == []
    (repaired,) = [one for one in credentials(estate, application) if one["name"].endswith("halfdone")]
    assert repaired["issuer"] == estate.sandbox.cluster("halfdone").issuer_url
    assert repaired["description"] is None


def test_the_trust_under_another_name_is_not_duplicated(estate: AzureEstate) -> None:
    seed_shared(estate)
    done = run(estate, display_name=SHARED, name="another-name")
    assert done.changes == ()
    assert t.cast("Json", done.facts["credential"])["name"] == "aks-prometheus-federation-finished"


def test_an_unknown_issuer_is_planned_in_check_mode(estate: AzureEstate) -> None:
    seed_shared(estate)
    planned = run(estate, check_mode=True, display_name=SHARED, name="fresh-one", issuer=KNOWN_AFTER_APPLY)
    (change,) = planned.changes
    assert t.cast("Json", change.after)["issuer"] == KNOWN_AFTER_APPLY
    assert estate.writes() == []


# One application, or a clear error


@pytest.mark.parametrize("key", ["object_id", "app_id"])
def test_an_id_without_application_is_an_error(estate: AzureEstate, key: str) -> None:
    named: dict[str, t.Any] = {key: MISSING}
    with pytest.raises(errors.NotFound, match=rf"There is no Entra application with the .* {MISSING}"):
        run(estate, check_mode=True, **named)


def test_a_shared_display_name_is_ambiguous(estate: AzureEstate) -> None:
    seeded = [estate.sandbox.directory.seed_application("twin") for _unused in range(2)]
    with pytest.raises(errors.Ambiguous, match="there are 2 of them") as caught:
        run(estate, display_name="twin")
    assert all(one["id"] in caught.value.message for one in seeded)
    assert estate.writes() == []


def test_a_display_name_in_other_letters_is_not_taken_for_it(estate: AzureEstate) -> None:
    estate.sandbox.directory.seed_application(NEW.upper())
    with pytest.raises(errors.Ambiguous, match="only others that differ in upper and lower case"):
        run(estate)


def test_an_application_that_was_renamed_is_found_by_its_unique_name(estate: AzureEstate) -> None:
    seeded = estate.sandbox.directory.seed_application("renamed by hand", unique_name=NEW)
    assert run(estate, check_mode=True).facts["object_id"] == seeded["id"]


# Replication and parallel runs


def test_replication_is_waited_for(estate: AzureEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estate.sandbox.world.settings, "graph_replication_seconds", 0.15)
    clock = FastClock()
    done = run(estate, clock=clock)
    assert len(done.changes) == 3
    assert clock.slept > 0
    assert [one for one in done.warnings if one.startswith("Waited ")]
    again = run(estate)
    assert (again.changes, again.warnings) == ((), ())


def test_replication_that_takes_too_long_is_said(estate: AzureEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    application = estate.sandbox.directory.seed_application("slow")
    estate.sandbox.directory.seed_service_principal(application["appId"])
    monkeypatch.setattr(estate.sandbox.world.settings, "graph_replication_seconds", 3600.0)
    done = run(estate, app_id=application["appId"])
    assert len(done.changes) == 1
    assert any("did not show all changes within 120 seconds" in one for one in done.warnings)


@pytest.mark.parametrize("replication", [0.0, 0.1])
def test_parallel_runs_share_one_application(
    estate: AzureEstate, monkeypatch: pytest.MonkeyPatch, replication: float
) -> None:
    """Six clusters' runs at once on an application that none of them finds: it is made once, each adds its own."""
    monkeypatch.setattr(estate.sandbox.world.settings, "graph_replication_seconds", replication)

    def one(number: int) -> Result:
        issuer = f"https://westeurope.oic.prod-aks.azure.com/{AZURE_TENANT}/cluster{number}/"
        return run(estate, name=f"cluster{number}", issuer=issuer)

    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = list(pool.map(one, range(6)))
    (application,) = applications(estate, NEW)
    assert {one.facts["client_id"] for one in results} == {application["appId"]}
    assert sorted(one["name"] for one in credentials(estate, application)) == [f"cluster{n}" for n in range(6)]
    created = [change.kind for one in results for change in one.changes]
    assert created.count("Entra application") == 1
    assert created.count("Entra service principal") == 1
    assert created.count("federated identity credential") == 6


def test_a_unique_name_that_nobody_shows_ends_with_advice(estate: AzureEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a deleted application still holds it."""
    monkeypatch.setattr(estate.sandbox.world.settings, "graph_replication_seconds", 3600.0)
    with GraphClient(estate.session()) as graph:
        graph.create_application(ApplicationDraft("hidden", NEW, "AzureADMyOrg", ()))
    with pytest.raises(ApplyFailed) as caught:
        run(estate)
    assert isinstance(caught.value.__cause__, errors.Conflict)
    assert "deleted applications" in caught.value.__cause__.fix


class Rival(GraphClient):
    """Lets somebody else add the same trust under another name just before this client does."""

    meddled = False

    def create_credential(self, object_id: str, name: str, trust: Trust, description: str) -> t.Any:
        if not self.meddled:
            self.meddled = True
            super().create_credential(object_id, "by-somebody-else", trust, "")
        return super().create_credential(object_id, name, trust, description)


def test_a_lost_race_is_planned_again(estate: AzureEstate) -> None:
    wish = Wish.from_params(estate.params(DEFINITION.spec, **options(estate)), check_mode=False)
    with Rival(estate.session()) as graph:
        probe = IssuerProbe(estate.transport)
        resource = EntraFederation(wish, graph, Replication(context()), probe.state)
        done: Outcome[Current] = context().converge(resource)
    assert [change.kind for change in done.changes] == ["Entra application", "Entra service principal"]
    assert [one.name for one in done.state.credentials] == ["by-somebody-else"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.CONFLICT),
        Fault(Kind.DROP_AFTER),
        Fault(Kind.THROTTLED, retry_after=1),
        *(Fault(kind, status=status) for kind in (Kind.ERROR, Kind.ERROR_AFTER) for status in (503, 504)),
    ],
    ids=lambda fault: "-".join(str(part) for part in (fault.kind.value, fault.status) if part),
)
@pytest.mark.parametrize(
    "operation", ["UpdateApplication", "CreateServicePrincipal", "CreateFederatedIdentityCredential"]
)
def test_a_write_that_goes_wrong_once_is_found_or_done_again(estate: AzureEstate, operation: str, fault: Fault) -> None:
    estate.sandbox.world.faults.add(dataclasses.replace(fault, service="graph", operation=operation))
    done = run(estate)
    assert [change.kind for change in done.changes] == [
        "Entra application",
        "Entra service principal",
        "federated identity credential",
    ]
    (application,) = applications(estate, NEW)
    assert len(credentials(estate, application)) == 1
    assert run(estate).changes == ()


def test_no_secret_of_the_login_is_in_a_result(estate: AzureEstate) -> None:
    done = run(estate)
    shown = str((done.facts, done.warnings, [(one.report(), one.diff()) for one in done.changes]))
    assert CONTROLLER_CLIENT_SECRET not in shown
    assert "eyJ" not in shown  # how every token begins


# Removal


def absent(estate: AzureEstate, **values: t.Any) -> Result:
    return run(estate, state="absent", **values)


def test_absent_removes_what_was_created_and_then_nothing(estate: AzureEstate) -> None:
    created = run(estate)
    predicted = absent(estate, check_mode=True)
    assert len(applications(estate, NEW)) == 1
    done = absent(estate)
    assert [one.diff() for one in done.changes] == [one.diff() for one in predicted.changes]
    assert [one.kind for one in done.changes] == [
        "federated identity credential",
        "Entra service principal",
        "Entra application",
    ]
    assert applications(estate, NEW) == []
    deleted = estate.sandbox.directory.deleted_item(t.cast("str", created.facts["object_id"]))
    assert deleted["displayName"] == NEW
    assert (done.facts["client_id"], done.facts["credential"]) == (None, None)
    before = len(estate.writes())
    assert absent(estate).changes == ()
    assert len(estate.writes()) == before
    assert len(run(estate).changes) == 3


def test_a_shared_application_goes_with_its_last_credential(
    estate: AzureEstate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when its replicas are slow."""
    for cluster in ("finished", "halfdone"):
        run(estate, cluster=cluster)
    first = absent(estate, cluster="halfdone")
    assert [one.kind for one in first.changes] == ["federated identity credential"]
    assert any("is kept, because the application still has the federated identity" in one for one in first.warnings)
    monkeypatch.setattr(estate.sandbox.world.settings, "graph_replication_seconds", 0.1)
    assert len(absent(estate).changes) == 3
    assert absent(estate).changes == ()
    assert applications(estate, NEW) == []


def test_a_hand_made_credential_is_not_removed_unless_forced(estate: AzureEstate) -> None:
    seed_shared(estate)
    with pytest.raises(errors.Refused, match="was not created by this collection"):
        absent(estate, display_name=SHARED)
    assert estate.writes() == []
    kept = absent(estate, display_name=SHARED, if_shared="keep")
    assert kept.changes == ()
    assert len(t.cast("list[str]", kept.facts["kept"])) == 1
    forced = absent(estate, display_name=SHARED, force=True)
    assert [one.kind for one in forced.changes] == ["federated identity credential"]
    (application,) = applications(estate, SHARED)
    assert [one["name"] for one in credentials(estate, application)] == ["aks-prometheus-federation-halfdone"]


@pytest.mark.parametrize("key", ["object_id", "app_id", "unique_name", "display_name"])
def test_an_application_that_is_not_there_is_absent(estate: AzureEstate, key: str) -> None:
    named: dict[str, t.Any] = {key: MISSING}
    assert absent(estate, **named).changes == ()


def test_absence_is_completed_after_a_failure_in_the_middle(estate: AzureEstate) -> None:
    run(estate)
    estate.sandbox.world.faults.add(Fault(Kind.ERROR, service="graph", operation="DeleteApplication", status=500))
    assert [one.kind for one in absent(estate).changes][-1] == "Entra application"
    assert applications(estate, NEW) == []


def share(estate: AzureEstate) -> None:
    """What the run of another cluster adds to the application meanwhile."""
    (application,) = applications(estate, NEW)
    trust = {"issuer": "https://x.oic.prod-aks.azure.com/t/g/", "subject": SUBJECT, "audiences": [ENTRA_AUDIENCE]}
    estate.sandbox.directory.seed_federated_credential(application["id"], {"name": "of-another-cluster", **trust})


def add_secret(estate: AzureEstate) -> None:
    (application,) = applications(estate, NEW)
    estate.sandbox.directory.add_secret(application["id"])


@pytest.mark.parametrize("use", [share, add_secret])
@pytest.mark.parametrize("operation", ["DeleteFederatedIdentityCredential", "DeleteServicePrincipal"])
def test_an_application_that_others_come_to_use_meanwhile_is_kept(
    estate: AzureEstate, operation: str, use: t.Callable[[AzureEstate], None]
) -> None:
    run(estate)
    meanwhile = Fault(Kind.CALL, service="graph", operation=operation, callback=lambda: use(estate))
    estate.sandbox.world.faults.add(meanwhile)
    done = absent(estate)
    (application,) = applications(estate, NEW)
    principals = [one["appId"] for one in estate.sandbox.directory.service_principals()]
    gone = ["federated identity credential"]
    if operation == "DeleteServicePrincipal":  # it came too late for that one
        gone.append("Entra service principal")
        assert any("It has no service principal" in one for one in done.warnings)
    else:
        assert application["appId"] in principals
    assert [one.kind for one in done.changes] == gone
    assert any("is kept, because the application still has" in one for one in done.warnings)


def test_a_credential_that_a_replica_still_shows_keeps_nothing(
    estate: AzureEstate, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(estate)
    monkeypatch.setattr(estate.sandbox.world.settings, "graph_replication_seconds", 3600.0)
    assert [one.kind for one in absent(estate).changes] == [
        "federated identity credential",
        "Entra service principal",
        "Entra application",
    ]


# One name for the credentials of two clusters


def test_the_credential_of_another_cluster_is_not_taken_by_its_name(estate: AzureEstate) -> None:
    run(estate, name="same", cluster="halfdone")
    writes = len(estate.writes())
    for check_mode in (True, False):
        with pytest.raises(errors.Refused, match=r"credential same of the application .* which is alive"):
            run(estate, name="same", check_mode=check_mode)
    assert len(estate.writes()) == writes
    forced = run(estate, name="same", force=True)
    assert [(one.action.value, one.name) for one in forced.changes] == [("update", "same")]
    before = estate.last_request()
    assert run(estate, name="same").changes == ()
    assert {one.service for one in estate.requests(since=before)} == {"graph", "login"}  # no issuer is asked


def test_the_credential_of_a_cluster_that_is_gone_is_taken_by_its_name(estate: AzureEstate) -> None:
    run(estate, issuer=f"https://westeurope.oic.prod-aks.azure.com/{AZURE_TENANT}/gone/")
    done = run(estate)
    assert ([one.action.value for one in done.changes], done.warnings) == (["update"], ())


def test_a_credential_whose_issuer_does_not_answer_is_taken_with_a_warning(estate: AzureEstate) -> None:
    silent = "https://nobody.example/"  # the sandbox's proxy refuses it
    run(estate, issuer=silent)
    done = run(estate)
    assert [one.action.value for one in done.changes] == ["update"]
    (warning,) = done.warnings
    assert f"it trusted {SUBJECT} of '{silent}'" in warning


# Pruning by the issuers' own word


def test_credentials_of_clusters_that_are_gone_are_pruned(estate: AzureEstate) -> None:
    gone = f"https://westeurope.oic.prod-aks.azure.com/{AZURE_TENANT}/gone/"
    silent = "https://nobody.example/"  # the sandbox's proxy refuses it
    run(estate, name="of-gone", issuer=gone)
    run(estate, name="of-silent", issuer=silent)
    run(estate, name="of-alive", cluster="halfdone")
    with GraphClient(estate.session()) as graph:
        (application,) = applications(estate, NEW)
        by_hand = Trust(gone, "system:serviceaccount:by:hand", (ENTRA_AUDIENCE,))
        graph.create_credential(application["id"], "by-hand", by_hand, "by hand")
    predicted = run(estate, check_mode=True, prune_stale=True)
    done = run(estate, prune_stale=True)
    assert [(one.action.value, one.name) for one in done.changes] == [
        ("delete", "of-gone"),
        ("create", "aks-prometheus-federation-finished"),
    ]
    assert [one.diff() for one in predicted.changes] == [one.diff() for one in done.changes]
    assert any("of-silent is kept" in one for one in done.warnings)
    left = {one["name"] for one in credentials(estate, application)}
    assert left == {"of-silent", "of-alive", "by-hand", "aks-prometheus-federation-finished"}
    assert run(estate, prune_stale=True).changes == ()
    assert run(estate).warnings == ()


# National clouds and endpoints of one's own


@pytest.mark.parametrize("cloud", ["AzureCloud", "AzureUSGovernment", "AzureChinaCloud"])
def test_one_option_chooses_the_cloud(estate: AzureEstate, cloud: str) -> None:
    assert len(run(estate, cloud_environment=cloud).changes) == 3
    assert len(applications(estate, NEW)) == 1


def test_endpoints_of_ones_own_take_the_place_of_the_clouds(estate: AzureEstate) -> None:
    endpoints: dict[str, t.Any] = {
        "authority_host": "https://login.microsoftonline.us/",
        "graph_endpoint": "graph.microsoft.us:443",
    }
    assert len(run(estate, cloud_environment="AzureUSGovernment", **endpoints).changes) == 3
    with pytest.raises(errors.CloudError, match="AADSTS500011"):  # no tokens of one cloud for the endpoint of another
        run(estate, cloud_environment="AzureCloud", graph_endpoint="https://graph.microsoft.us")


# --- several service accounts -----------------------------------------------------------------------------------------


def further(number: int) -> list[dict[str, str]]:
    """So many more service accounts, each with a credential."""
    return [
        {"namespace": f"team-{index}", "service_account": "watcher", "name": f"watcher-of-team-{index}"}
        for index in range(number)
    ]


def test_several_service_accounts_are_planned_as_they_are_made_and_unmade(estate: AzureEstate) -> None:
    more = further(3)
    planned = run(estate, check_mode=True, more_service_accounts=more)
    assert estate.writes() == []
    applied = run(estate, more_service_accounts=more)
    assert [change.report() for change in applied.changes] == [change.report() for change in planned.changes]
    assert [change.kind for change in applied.changes].count("Entra application") == 1
    made = t.cast("list[Json]", applied.facts["credentials"])
    assert [one["subject"] for one in made] == [
        SUBJECT,
        *(f"system:serviceaccount:team-{index}:watcher" for index in range(3)),
    ]
    assert len({one["id"] for one in made}) == 4
    assert applied.facts["credential"] == made[0]
    assert run(estate, more_service_accounts=more).changes == ()
    foretold = run(estate, check_mode=True, more_service_accounts=more, state="absent")
    gone = run(estate, more_service_accounts=more, state="absent")
    assert [change.report() for change in gone.changes] == [change.report() for change in foretold.changes]
    assert applications(estate, NEW) == []


def test_one_more_than_entra_takes_is_refused_before_any_write(estate: AzureEstate) -> None:
    with pytest.raises(errors.Refused, match="20"):
        run(estate, more_service_accounts=further(20))
    assert estate.writes() == []


@pytest.mark.parametrize(
    "more",
    [
        [{"namespace": "monitoring", "service_account": "prometheus-sa", "name": "another"}],
        [{"namespace": "x", "service_account": "y", "name": "aks-prometheus-federation-finished"}],
    ],
    ids=["account", "name"],
)
def test_a_service_account_or_name_that_is_given_twice_is_refused(
    estate: AzureEstate, more: list[dict[str, str]]
) -> None:
    with pytest.raises(errors.InvalidInput, match="more_service_accounts"):
        run(estate, more_service_accounts=more)
