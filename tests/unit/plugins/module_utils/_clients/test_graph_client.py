# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Graph client against the sandbox's Graph: requests, pages, refusals and the network."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import typing as t

import httpx
import pytest
from azure.core.credentials import AccessToken

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.entra import (
    Application,
    ApplicationDraft,
    Credential,
    ServicePrincipal,
    Trust,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import graph as graph_module
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.azure import AzureSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.graph import GraphClient, NotYetVisible
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import Transport
from sandbox import entra_tokens
from sandbox.entra_tokens import Principal
from sandbox.faults import Fault, Kind
from sandbox.testing import running_sandbox
from tests.unit.plugins.azure_estate import AzureEstate

if t.TYPE_CHECKING:
    from collections.abc import Iterator

# The library's generated classes announce the deprecation of classes that nobody here uses.
pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning")

MISSING = "00000000-0000-0000-0000-00000000dead"
TRUST = Trust("https://x.oic.prod-aks.azure.com/t/g/", "system:serviceaccount:a:b", ("api://AzureADTokenExchange",))


@pytest.fixture(scope="module")
def running() -> Iterator[AzureEstate]:
    with running_sandbox() as sandbox:
        yield AzureEstate(sandbox)


@pytest.fixture
def estate(running: AzureEstate) -> AzureEstate:
    running.sandbox.reset()
    return running


@pytest.fixture
def graph(estate: AzureEstate) -> Iterator[GraphClient]:
    with GraphClient(estate.session()) as client:
        yield client


def draft(name: str, *, unique: bool = True) -> ApplicationDraft:
    return ApplicationDraft(name, name if unique else None, "AzureADMyOrg", ("a=b",))


def test_an_application_is_found_by_each_of_its_keys(estate: AzureEstate, graph: GraphClient) -> None:
    seeded = estate.sandbox.directory.seed_application("it's one", unique_name="it's-unique")
    found = graph.application_by_object_id(seeded["id"])
    assert found is not None
    assert (found.app_id, found.display_name, found.unique_name) == (seeded["appId"], "it's one", "it's-unique")
    assert graph.application_by_app_id(seeded["appId"]) == found
    assert graph.application_by_unique_name("it's-unique") == found
    assert graph.applications_by_display_name("it's one") == (found,)


def test_what_is_not_there_is_none(graph: GraphClient) -> None:
    assert graph.application_by_object_id(MISSING) is None
    assert graph.application_by_app_id(MISSING) is None
    assert graph.application_by_unique_name("nobody") is None
    assert graph.applications_by_display_name("nobody") == ()
    assert graph.service_principal(MISSING) is None


def test_all_pages_are_read(estate: AzureEstate, graph: GraphClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estate.sandbox.world.settings, "graph_page_size", 2)
    ids = {estate.sandbox.directory.seed_application("same")["id"] for _unused in range(5)}
    assert {one.object_id for one in graph.applications_by_display_name("same")} == ids
    application = estate.sandbox.directory.seed_application("many")
    for number in range(5):
        graph.create_credential(
            application["id"], f"name{number}", dataclasses.replace(TRUST, subject=f"s{number}"), ""
        )
    assert [one.name for one in graph.credentials(application["id"])] == [f"name{number}" for number in range(5)]


@pytest.mark.parametrize("unique", [True, False])
def test_a_new_application_has_what_was_drafted(estate: AzureEstate, graph: GraphClient, unique: bool) -> None:
    created = graph.create_application(draft("new", unique=unique))
    assert created.unique_name == ("new" if unique else None)
    (stored,) = [one for one in estate.sandbox.directory.applications() if one["id"] == created.object_id]
    assert (stored["signInAudience"], stored["tags"]) == ("AzureADMyOrg", ["a=b"])
    principal = graph.create_service_principal(created.app_id, ("a=b",))
    assert graph.service_principal(created.app_id) == principal
    assert principal.tags == ("a=b",)


def test_a_unique_name_is_created_once_only(estate: AzureEstate, graph: GraphClient) -> None:
    graph.create_application(draft("new"))
    with pytest.raises(
        errors.Conflict, match="another writer created an application with the unique name new"
    ) as caught:
        graph.create_application(draft("new"))
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 5
    assert [one["displayName"] for one in estate.sandbox.directory.applications()].count("new") == 1


def test_a_unique_name_that_replicas_do_not_show_yet_is_a_conflict(
    estate: AzureEstate, graph: GraphClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estate.sandbox.world.settings, "graph_replication_seconds", 60.0)
    graph.create_application(draft("new"))
    with pytest.raises(errors.Conflict) as caught:
        graph.create_application(draft("new"))
    assert "deleted applications" in caught.value.fix


def test_a_credential_is_created_and_changed_in_place(estate: AzureEstate, graph: GraphClient) -> None:
    application = estate.sandbox.directory.seed_application("one")
    created = graph.create_credential(application["id"], "login", TRUST, "made by us")
    other = dataclasses.replace(TRUST, issuer="https://y.oic.prod-aks.azure.com/t/g/")
    graph.update_credential(application["id"], created, other)
    (found,) = graph.credentials(application["id"])
    assert found == dataclasses.replace(created, issuer=other.issuer)
    assert found.description == "made by us"


def test_what_is_deleted_is_gone_and_deleting_it_again_is_no_error(estate: AzureEstate, graph: GraphClient) -> None:
    application = graph.create_application(draft("short-lived"))
    principal = graph.create_service_principal(application.app_id, ())
    credential = graph.create_credential(application.object_id, "login", TRUST, "")
    for _unused in range(2):
        graph.delete_credential(application.object_id, credential)
        graph.delete_service_principal(principal, application.display_name)
    assert graph.credentials(application.object_id) == ()
    assert graph.service_principal(application.app_id) is None
    for _unused in range(2):
        graph.delete_application(application)
    assert graph.application_by_object_id(application.object_id) is None
    assert estate.sandbox.directory.deleted_item(application.object_id)["displayName"] == "short-lived"


def test_secrets_are_counted_and_never_read(estate: AzureEstate, graph: GraphClient) -> None:
    seeded = estate.sandbox.directory.seed_application("with-secret")
    estate.sandbox.directory.add_secret(seeded["id"])
    (found,) = graph.applications_by_display_name("with-secret")
    assert found.secrets == 1
    assert graph.application_by_object_id(seeded["id"]) == found


def test_a_flexible_credential_is_read_without_subject(estate: AzureEstate, graph: GraphClient) -> None:
    application = estate.sandbox.directory.seed_application("one")
    estate.sandbox.directory.seed_flexible_credential(application["id"], "flexible", "https://gitlab.example")
    (found,) = graph.credentials(application["id"])
    assert (found.name, found.subject) == ("flexible", None)


def test_a_throttled_request_is_repeated_when_the_service_says_so(estate: AzureEstate, graph: GraphClient) -> None:
    estate.sandbox.world.faults.add(Fault(Kind.THROTTLED, service="graph", method="POST", retry_after=1))
    before = estate.last_request()
    graph.create_service_principal(estate.sandbox.directory.seed_application("one")["appId"], ())
    assert [one.status for one in estate.requests("graph", since=before)] == [429, 201]


def test_a_service_that_throttles_for_ever_is_a_conflict_with_its_advice(
    estate: AzureEstate, graph: GraphClient
) -> None:
    estate.sandbox.world.faults.add(Fault(Kind.THROTTLED, service="graph", times=None, retry_after=1))
    before = estate.last_request()
    with pytest.raises(errors.Conflict) as caught:
        graph.application_by_object_id(MISSING)
    assert (caught.value.status, caught.value.retry_after) == (429, 1.0)
    assert "throttles" in caught.value.fix
    assert [one.status for one in estate.requests("graph", since=before)] == [429] * 4


@pytest.mark.parametrize("status", [503, 504])
def test_a_read_is_repeated_when_the_service_is_unavailable(
    estate: AzureEstate, graph: GraphClient, status: int
) -> None:
    seeded = estate.sandbox.directory.seed_application("one")
    estate.sandbox.world.faults.add(Fault(Kind.ERROR, service="graph", method="GET", status=status, retry_after=1))
    before = estate.last_request()
    assert graph.application_by_object_id(seeded["id"]) is not None
    assert [one.status for one in estate.requests("graph", since=before)] == [status, 200]


@pytest.mark.parametrize("kind", [Kind.ERROR, Kind.ERROR_AFTER])
@pytest.mark.parametrize("status", [503, 504])
def test_a_write_that_may_have_been_done_is_sent_once_and_in_doubt(
    estate: AzureEstate, graph: GraphClient, status: int, kind: Kind
) -> None:
    seeded = estate.sandbox.directory.seed_application("one")
    principal = ServicePrincipal(estate.sandbox.directory.seed_service_principal(seeded["appId"])["id"], None, ())
    credential = graph.create_credential(seeded["id"], "first", TRUST, "")
    others = dataclasses.replace(TRUST, subject="others")
    writes: dict[str, t.Callable[[], object]] = {
        "POST": lambda: graph.create_credential(seeded["id"], "login", others, ""),
        "PATCH": lambda: graph.create_application(draft("new")),
        "DELETE": lambda: graph.delete_service_principal(principal, "one"),
    }
    for method, write in writes.items():
        estate.sandbox.world.faults.add(Fault(kind, service="graph", method=method, status=status))
        before = estate.last_request()
        with pytest.raises(errors.Interrupted):
            write()
        assert [(one.method, one.status) for one in estate.requests("graph", since=before)] == [(method, status)]
    done = kind is Kind.ERROR_AFTER
    names = [one.name for one in graph.credentials(seeded["id"])]
    assert names == [credential.name, *(["login"] * done)]
    assert (graph.application_by_unique_name("new") is not None) is done
    assert (graph.service_principal(seeded["appId"]) is None) is done


def test_the_service_says_when_to_look_after_a_write_in_doubt(estate: AzureEstate, graph: GraphClient) -> None:
    estate.sandbox.world.faults.add(Fault(Kind.ERROR, service="graph", status=503, retry_after=7))
    with pytest.raises(errors.Interrupted) as caught:
        graph.create_application(draft("new"))
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(
    "fault", [Fault(Kind.DROP_AFTER, service="graph"), Fault(Kind.ERROR, service="graph", status=500)]
)
def test_a_write_without_an_answer_is_in_doubt(estate: AzureEstate, graph: GraphClient, fault: Fault) -> None:
    estate.sandbox.world.faults.add(fault)
    with pytest.raises(errors.Interrupted):
        graph.create_application(draft("in-doubt"))


CREDENTIAL: t.Final = Credential("i", "login", TRUST.issuer, TRUST.subject, TRUST.audiences)
WRITES: t.Final[dict[str, t.Callable[[GraphClient], object]]] = {
    "application": lambda graph: graph.create_application(draft("new")),
    "application-without-unique-name": lambda graph: graph.create_application(draft("new", unique=False)),
    "service-principal": lambda graph: graph.create_service_principal(MISSING, ()),
    "credential": lambda graph: graph.create_credential(MISSING, "login", TRUST, ""),
    "changed-credential": lambda graph: graph.update_credential(MISSING, CREDENTIAL, TRUST),
    "deleted-credential": lambda graph: graph.delete_credential(MISSING, CREDENTIAL),
    "deleted-service-principal": lambda graph: graph.delete_service_principal(ServicePrincipal("i", None, ()), "one"),
    "deleted-application": lambda graph: graph.delete_application(Application("i", "a", "one", None, ())),
}
READS: t.Final[dict[str, t.Callable[[GraphClient], object]]] = {
    "application": lambda graph: graph.application_by_object_id(MISSING),
    "applications": lambda graph: graph.applications_by_display_name("one"),
    "service-principal": lambda graph: graph.service_principal(MISSING),
    "credentials": lambda graph: graph.credentials(MISSING),
}
PAGE: t.Final = "<html><head><title>Sign in</title></head><body>Sign in to the network first.</body></html>"
UNREADABLE: t.Final = [
    pytest.param("application/json", '{"id": "6f1c', id="half"),
    pytest.param("text/html", PAGE, id="page"),
    pytest.param("application/json", PAGE, id="page-as-json"),
]


@pytest.fixture
def answering(estate: AzureEstate, monkeypatch: pytest.MonkeyPatch) -> Iterator[t.Callable[[str, str], GraphClient]]:
    """A client whose requests are all answered by one text."""
    with contextlib.ExitStack() as stack:

        def client(content_type: str, text: str) -> GraphClient:
            answer = httpx.MockTransport(
                lambda _request: httpx.Response(200, headers={"Content-Type": content_type}, text=text)
            )
            monkeypatch.setattr(graph_module, "_http_client", lambda *_unused: httpx.AsyncClient(transport=answer))
            session = session_of(estate, entra_tokens.CONTROLLER, "https://graph.microsoft.com")
            return stack.enter_context(GraphClient(session))

        yield client


@pytest.mark.parametrize(("content_type", "text"), UNREADABLE)
@pytest.mark.parametrize("write", WRITES)
def test_a_write_whose_answer_can_not_be_read_is_in_doubt(
    answering: t.Callable[[str, str], GraphClient], write: str, content_type: str, text: str
) -> None:
    with pytest.raises(errors.Interrupted, match="the answer can't be understood") as caught:
        WRITES[write](answering(content_type, text))
    assert caught.value.fix.endswith(errors.LOOK_AGAIN)


@pytest.mark.parametrize("write", [name for name in WRITES if not name.startswith(("deleted", "changed"))])
@pytest.mark.parametrize("text", ["", "{}"])
def test_a_creation_that_is_answered_without_the_object_is_in_doubt(
    answering: t.Callable[[str, str], GraphClient], write: str, text: str
) -> None:
    if write == "application" and not text:
        pytest.skip("that says that there was one")
    with pytest.raises(errors.Interrupted):
        WRITES[write](answering("application/json", text))


@pytest.mark.parametrize(("content_type", "text"), UNREADABLE)
@pytest.mark.parametrize("read", READS)
def test_a_read_whose_answer_can_not_be_read_has_changed_nothing(
    answering: t.Callable[[str, str], GraphClient], read: str, content_type: str, text: str
) -> None:
    with pytest.raises(errors.CloudError, match="the answer can't be understood") as caught:
        READS[read](answering(content_type, text))
    assert caught.value.__class__ is errors.CloudError


@pytest.mark.parametrize(("name", "subject"), [("login", "other"), ("other", TRUST.subject)])
def test_a_taken_name_or_trust_is_a_conflict_with_the_services_code(
    estate: AzureEstate, graph: GraphClient, name: str, subject: str
) -> None:
    application = estate.sandbox.directory.seed_application("one")
    graph.create_credential(application["id"], "login", TRUST, "")
    with pytest.raises(errors.Conflict) as caught:
        graph.create_credential(application["id"], name, dataclasses.replace(TRUST, subject=subject), "")
    assert caught.value.code in {"Request_MultipleObjectsWithSameKeyValue", "InvalidFederatedIdentityCredentialValue"}
    assert caught.value.request_id


def test_building_on_an_unknown_application_is_not_yet_visible(graph: GraphClient) -> None:
    with pytest.raises(NotYetVisible, match="does not reference a valid application object"):
        graph.create_service_principal(MISSING, ())
    with pytest.raises(NotYetVisible, match="Request_ResourceNotFound"):
        graph.credentials(MISSING)
    with pytest.raises(NotYetVisible):
        graph.create_credential(MISSING, "login", TRUST, "")


def test_a_malformed_value_is_the_services_own_refusal(estate: AzureEstate, graph: GraphClient) -> None:
    application = estate.sandbox.directory.seed_application("one")
    with pytest.raises(
        errors.CloudError, match=r"creating the federated identity credential x: .*is invalid"
    ) as caught:
        graph.create_credential(application["id"], "x", TRUST, "")
    assert caught.value.__class__ is errors.CloudError
    assert caught.value.status == 400


class _Fixed:
    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: t.Any) -> AccessToken:
        return AccessToken(self._token, 4102444800)


def session_of(estate: AzureEstate, principal: Principal, audience: str) -> AzureSession:
    session = estate.session()
    session.credential = _Fixed(entra_tokens.issue(estate.sandbox.world, principal, audience))
    return session


def test_a_stranger_is_told_which_permission_is_missing(estate: AzureEstate) -> None:
    session = session_of(estate, Principal(MISSING, MISSING), "https://graph.microsoft.com")
    with GraphClient(session) as graph, pytest.raises(errors.Forbidden) as caught:
        graph.applications_by_display_name("one")
    assert caught.value.code == "Authorization_RequestDenied"
    assert "Application.ReadWrite.OwnedBy" in caught.value.fix


def test_a_token_for_another_service_is_not_accepted(estate: AzureEstate) -> None:
    session = session_of(estate, entra_tokens.CONTROLLER, "https://management.azure.com")
    with GraphClient(session) as graph, pytest.raises(errors.CloudError) as caught:
        graph.application_by_object_id(MISSING)
    assert (caught.value.code, caught.value.status) == ("InvalidAuthenticationToken", 401)
    assert "cloud_environment" in caught.value.fix


def test_an_unreachable_service_is_named(estate: AzureEstate) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens
        proxy = f"http://127.0.0.1:{closed.getsockname()[1]}"
        session = session_of(estate, entra_tokens.CONTROLLER, "https://graph.microsoft.com")
        session.auth = estate.auth(transport=Transport(proxy, str(estate.sandbox.ca_file)))
        with GraphClient(session) as graph, pytest.raises(errors.Unreachable, match="Microsoft Graph failed") as caught:
            graph.application_by_object_id(MISSING)
    assert "https_proxy" in caught.value.fix


def test_an_untrusted_certificate_is_unreachable(estate: AzureEstate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    session = session_of(estate, entra_tokens.CONTROLLER, "https://graph.microsoft.com")
    session.auth = estate.auth(transport=Transport(estate.sandbox.proxy_url, None))
    with GraphClient(session) as graph, pytest.raises(errors.Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
        graph.application_by_object_id(MISSING)
