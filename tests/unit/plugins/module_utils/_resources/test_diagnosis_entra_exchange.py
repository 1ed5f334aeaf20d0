# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The diagnosis' exchange of a service account's token at the login service: each code of a refusal is explained, and
following the fix makes the exchange work."""

from __future__ import annotations

import dataclasses
import typing as t
import uuid

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._diagnosis.links import (
    Link,
    LinkName,
    Status,
    ok,
    unknown,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import ENTRA_AUDIENCE
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals import explain_entra
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._refusals.explain import Passing
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources.diagnosis_entra import EntraSeen
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._severity import Severity
from sandbox.faults import Fault, Kind
from sandbox.testing import running_sandbox
from sandbox.world import AZURE_TENANT
from tests.unit.plugins.azure_estate import AzureEstate
from tests.unit.plugins.module_utils._resources.aws_modules import Clock
from tests.unit.plugins.module_utils._resources.entra_diagnosis import SUBJECT, EntraWard

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# The library's generated classes announce the deprecation of classes that nobody here uses.
pytestmark = pytest.mark.filterwarnings("ignore:This class is deprecated:DeprecationWarning")

PARTIES = explain_entra.Parties("iss", "sub", "aud", "client", "tenant")


@pytest.fixture(scope="module")
def running() -> Iterator[AzureEstate]:
    with running_sandbox() as sandbox:
        yield AzureEstate(sandbox)


@pytest.fixture
def ward(running: AzureEstate, monkeypatch: pytest.MonkeyPatch) -> EntraWard:
    running.sandbox.reset()
    for name, value in (("entra_refusal_code", 0), ("entra_single_mismatch_code", False)):
        monkeypatch.setattr(running.sandbox.world.settings, name, value)  # so that it is put back after the test
    return EntraWard(running)


@dataclasses.dataclass
class Case:
    """An exchange that is refused: the token and the login that differ, and what makes it work (None: nothing does)."""

    token: str | None = None
    auth: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    client_id: str = ""
    tenant_id: str = ""
    repair: Callable[[], object] | None = None


def policy(code: int) -> Callable[[EntraWard], Case]:
    """A refusal that comes from outside of what the sandbox holds."""

    def refuse(ward: EntraWard) -> Case:
        settings = ward.estate.sandbox.world.settings
        settings.entra_refusal_code = code

        def repair() -> None:
            settings.entra_refusal_code = 0

        return Case(repair=repair)

    return refuse


def one_code_for_all(ward: EntraWard) -> Case:
    ward.estate.sandbox.world.settings.entra_single_mismatch_code = True
    ward.change_credential(subject="system:serviceaccount:monitoring:prometheus")
    return Case(repair=ward.run_step)


def issuer(ward: EntraWard) -> Case:
    ward.change_credential(issuer=ward.issuer.rstrip("/"))
    return Case(repair=ward.run_step)


def subject(ward: EntraWard) -> Case:
    ward.change_credential(subject="system:serviceaccount:default:prometheus-sa")
    return Case(repair=ward.run_step)


def subject_case(ward: EntraWard) -> Case:
    ward.change_credential(subject=SUBJECT.upper())
    return Case(repair=ward.run_step)


def audience(ward: EntraWard) -> Case:
    ward.change_credential(audiences=["sts.amazonaws.com"])
    return Case(repair=ward.run_step)


def principal(ward: EntraWard) -> Case:
    ward.delete_principal()
    return Case(repair=ward.run_step)


def disabled(ward: EntraWard) -> Case:
    ward.change_principal(accountEnabled=False)
    return Case(repair=lambda: ward.change_principal(accountEnabled=True))


def expired(ward: EntraWard) -> Case:
    return Case(token=ward.token(iat=1, exp=2))


def unknown_application(_ward: EntraWard) -> Case:
    return Case(client_id=str(uuid.uuid4()))


def unknown_tenant(_ward: EntraWard) -> Case:
    return Case(tenant_id=str(uuid.uuid4()))


def wrong_cloud(_ward: EntraWard) -> Case:
    return Case(auth={"cloud_environment": "AzureUSGovernment", "authority_host": "https://login.microsoftonline.com"})


def issuer_off(ward: EntraWard) -> Case:
    profile = ward.cluster.body["properties"]["oidcIssuerProfile"]
    token = ward.token()
    profile["enabled"] = False

    def repair() -> None:
        profile["enabled"] = True

    return Case(token=token, repair=repair)


def rotated(ward: EntraWard) -> Case:
    token = ward.token()
    for _unused in range(2):
        ward.cluster.rotate_signing_key()
    return Case(token=token)


def forged(ward: EntraWard) -> Case:
    header, claims, _unused = ward.token().split(".")
    return Case(token=f"{header}.{claims}.{ward.token(sub='other').split('.')[2]}")


def malformed(ward: EntraWard) -> Case:
    return Case(token=ward.token(nbf="tomorrow"))


def in_trouble(kind: Kind) -> Callable[[EntraWard], Case]:
    def break_it(ward: EntraWard) -> Case:
        ward.estate.sandbox.faults.add(Fault(kind, service="login", operation="GetToken", times=None))
        return Case(repair=ward.estate.sandbox.faults.clear)

    return break_it


CASES: tuple[tuple[int, str, Callable[[EntraWard], Case]], ...] = (
    (70021, "no_matching_credential", one_code_for_all),
    (700211, "issuer_not_trusted", issuer),
    (700213, "subject_not_trusted", subject),
    (700212, "audience_not_trusted", audience),
    (7002137, "subject_form", policy(7002137)),
    (7002138, "subject_case", subject_case),
    (700024, "token_not_in_time", expired),
    (7000229, "principal_missing", principal),
    (700016, "application_unknown", unknown_application),
    (7000112, "application_disabled", disabled),
    (90002, "tenant_unknown", unknown_tenant),
    (500011, "resource_unknown", wrong_cloud),
    (90061, "issuer_not_reached", issuer_off),
    (50166, "issuer_not_reached", policy(50166)),
    (501661, "issuer_not_reached", policy(501661)),
    (900612, "issuer_keys_unusable", policy(900612)),
    (7000272, "key_not_published", rotated),
    (50013, "signature_refused", forged),
    (50027, "token_malformed", malformed),
    (53003, "blocked_by_policy", policy(53003)),
    (90033, "service_in_trouble", in_trouble(Kind.ERROR)),
    (90055, "service_in_trouble", in_trouble(Kind.THROTTLED)),
)


def seen(ward: EntraWard, *, link: Link | None = None, client_id: str = "", tenant_id: str = "") -> EntraSeen:
    """The identity as one that was seen to be in order."""
    in_order = ok(LinkName.ENTRA, "In order.")
    return EntraSeen(link or in_order, client_id or ward.application["appId"], tenant_id or AZURE_TENANT)


def test_every_code_has_a_case() -> None:
    codes = [code for rule in explain_entra.RULES for code in rule.codes]
    assert sorted(codes) == sorted(code for code, _kind, _break in CASES)
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(("code", "kind", "break_it"), CASES)
def test_a_refusal_is_explained_and_the_fix_repairs_it(
    ward: EntraWard, monkeypatch: pytest.MonkeyPatch, code: int, kind: str, break_it: Callable[[EntraWard], Case]
) -> None:
    monkeypatch.setattr("azure.core.pipeline.transport.RequestsTransport.sleep", lambda _self, _seconds: None)
    before = seen(ward)
    case = break_it(ward)
    identity = dataclasses.replace(
        before, client_id=case.client_id or before.client_id, tenant_id=case.tenant_id or before.tenant_id
    )
    link = ward.exchange(identity, case.token, **case.auth)
    (finding,) = link.findings
    assert (link.status, finding.kind) == (Status.BROKEN, f"entra_exchange_{kind}")
    assert finding.severity is Severity.HIGH
    assert f"AADSTS{code}: " in link.summary
    assert finding.source
    assert finding.source.rstrip(".") in link.summary
    assert "Trace ID" not in link.summary
    assert finding.cause
    assert finding.fix
    assert not set("{}") & set(finding.cause + finding.fix)
    if case.repair is not None:
        case.repair()
        assert ward.exchange(identity, case.token).status is Status.OK
    else:
        assert ward.exchange().status is Status.OK


@pytest.mark.parametrize("code", [1234567, 50058])
def test_a_code_that_is_not_known_is_shown_raw(ward: EntraWard, code: int) -> None:
    policy(code)(ward)
    (finding,) = ward.exchange(seen(ward)).findings
    assert finding.kind == "entra_exchange_unexplained"
    assert finding.source == "The request was refused"
    assert "https://login.microsoftonline.com/error" in finding.fix
    assert ward.application["appId"] in finding.fix


def test_an_answer_without_codes_is_not_explained_by_its_text() -> None:
    assert explain_entra.exchange((), PARTIES).kind == "unexplained"


def test_of_several_codes_the_first_that_is_known_counts() -> None:
    assert explain_entra.exchange((1, 700213, 700211), PARTIES).kind == "subject_not_trusted"


def test_causes_name_the_parties() -> None:
    parties = explain_entra.Parties("https://i/", "system:x", ENTRA_AUDIENCE, "an-app", "a-tenant")
    told = explain_entra.exchange((70021,), parties)
    for value in ("https://i/", "system:x", ENTRA_AUDIENCE, "an-app"):
        assert value in told.cause
    assert "a-tenant" in explain_entra.exchange((700016,), parties).cause


# Patience


class MendingClock(Clock):
    """Time in which somebody repairs something with the third sleep."""

    def __init__(self, repair: Callable[[], object]) -> None:
        super().__init__()
        self.sleeps = 0
        self._repair = repair

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.sleeps += 1
        if self.sleeps == 3:
            self._repair()


def wrong_then_right(ward: EntraWard) -> MendingClock:
    """The credential becomes what the directory shows already only after a while."""
    ward.change_credential(subject="system:serviceaccount:default:prometheus-sa")
    clock = MendingClock(lambda: ward.change_credential(subject=SUBJECT))
    ward.clock = clock
    return clock


def test_what_is_seen_to_be_right_is_waited_for(ward: EntraWard) -> None:
    clock = wrong_then_right(ward)
    assert ward.exchange(seen(ward), patience=60).status is Status.OK
    assert clock.sleeps == 3


def test_patience_has_an_end(ward: EntraWard) -> None:
    clock = wrong_then_right(ward)
    assert ward.exchange(seen(ward), patience=3).status is Status.BROKEN
    assert (clock.sleeps, clock.now) == (2, 3.0)


def test_without_patience_there_is_one_request(ward: EntraWard) -> None:
    clock = wrong_then_right(ward)
    before = ward.estate.last_request()
    assert ward.exchange(seen(ward)).status is Status.BROKEN
    assert clock.sleeps == 0
    assert [one.operation for one in ward.estate.requests(since=before)] == ["GetToken"]


@pytest.mark.parametrize("status", [Status.BROKEN, Status.UNKNOWN])
def test_what_is_not_seen_to_be_right_is_not_waited_for(ward: EntraWard, status: Status) -> None:
    clock = wrong_then_right(ward)
    looked = seen(ward, link=dataclasses.replace(unknown(LinkName.ENTRA, "Not read."), status=status))
    assert ward.exchange(looked, patience=60).status is Status.BROKEN
    assert clock.sleeps == 0


def test_what_does_not_pass_is_not_waited_for(ward: EntraWard) -> None:
    ward.change_principal(accountEnabled=False)
    ward.clock = clock = MendingClock(lambda: None)
    assert ward.exchange(seen(ward), patience=60).status is Status.BROKEN
    assert clock.sleeps == 0


def test_an_issuer_that_is_not_reached_is_waited_for_all_the_same(ward: EntraWard) -> None:
    case = issuer_off(ward)
    assert case.repair is not None
    ward.clock = clock = MendingClock(case.repair)
    looked = seen(ward, link=unknown(LinkName.ENTRA, "Not read."))
    assert ward.exchange(looked, case.token, patience=60).status is Status.OK
    assert clock.sleeps == 3


def test_only_what_may_pass_is_marked_as_passing() -> None:
    passing = {rule.kind for rule in explain_entra.RULES if rule.passing is not Passing.NEVER}
    assert "application_disabled" not in passing
    assert {"issuer_not_trusted", "subject_not_trusted", "audience_not_trusted"} <= passing


# What is in the way


def test_the_exchange_writes_nothing_and_shows_no_token(ward: EntraWard) -> None:
    looked = ward.look()
    before = ward.estate.last_request()
    link = ward.exchange(looked)
    assert (link.status, link.name) == (Status.OK, LinkName.ENTRA_EXCHANGE)
    assert link.found == f"client ID {ward.application['appId']}, tenant {AZURE_TENANT}"
    assert [(one.service, one.write) for one in ward.estate.requests(since=before)] == [("login", False)]


def test_the_controllers_own_login_does_not_matter(ward: EntraWard) -> None:
    link = ward.exchange(seen(ward), secret=None, client_id=None, tenant=None, auth_source="env")
    assert link.status is Status.OK


@pytest.mark.parametrize(
    ("looked", "reason"),
    [
        (EntraSeen(ok(LinkName.ENTRA, "."), "", AZURE_TENANT), "client ID is not known"),
        (EntraSeen(ok(LinkName.ENTRA, "."), "an-app", ""), "tenant is not known"),
        (
            EntraSeen(dataclasses.replace(unknown(LinkName.ENTRA, "."), missing=True), "an-app", AZURE_TENANT),
            "may be created first",
        ),
    ],
)
def test_without_knowing_whom_nothing_is_tried(ward: EntraWard, looked: EntraSeen, reason: str) -> None:
    before = ward.estate.last_request()
    link = ward.exchange(looked)
    assert (link.status, link.tried) == (Status.UNKNOWN, False)
    assert reason in link.summary
    assert ward.estate.requests(since=before) == []


def test_a_token_that_is_none(ward: EntraWard) -> None:
    (finding,) = ward.exchange(seen(ward), "no-token").findings
    assert finding.kind == "entra_exchange_token_malformed"


def test_a_login_service_that_does_not_answer(ward: EntraWard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("azure.core.pipeline.transport.RequestsTransport.sleep", lambda _self, _seconds: None)
    ward.estate.sandbox.faults.add(Fault(Kind.DROP_BEFORE, service="login", times=None))
    (finding,) = ward.exchange(seen(ward)).findings
    assert finding.kind == "entra_exchange_unreachable"
    assert "https_proxy" in finding.fix


def test_a_page_of_a_gateway_is_no_answer(ward: EntraWard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("azure.core.pipeline.transport.RequestsTransport.sleep", lambda _self, _seconds: None)
    ward.estate.sandbox.faults.add(Fault(Kind.ERROR, service="login", status=502, times=None))
    link = ward.exchange(seen(ward))
    assert link.status is Status.BROKEN
    assert link.findings[0].kind in ("entra_exchange_not_readable", "entra_exchange_unexplained")


@pytest.mark.parametrize("tenant", ["no tenant", "contoso/../x"])
def test_a_tenant_that_can_not_be(ward: EntraWard, tenant: str) -> None:
    assert ward.exchange(seen(ward, tenant_id=tenant)).status is Status.BROKEN
