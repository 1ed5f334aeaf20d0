# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The provider of an issuer: decisions without I/O, then the module against the sandbox."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import typing as t

import pytest
from botocore.stub import Stubber

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aws import AwsSession
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.iam import IamProviders, Provider
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._federation import (
    KNOWN_AFTER_APPLY,
    AwsAccount,
    FederationError,
    Issuer,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._iam.thumbprints import Certificate, Pinning, SentChain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AwsAuth, State, Transport
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._ownership import MARK
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._plan import Action, Plan
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._resources import iam_oidc_provider as resource
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context
from sandbox.testing import running_sandbox
from tests.unit.plugins.module_utils._resources.aws_modules import Runner

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Result

ACCOUNT = AwsAccount("aws", "123456789012")
URL = "https://westeurope.oic.prod-aks.azure.com/t/g/"
ARN = f"arn:aws:iam::123456789012:oidc-provider/{URL.removeprefix('https://')}"
LEAF, TOP, OLD = "12" * 20, "34" * 20, "56" * 20
WISH = resource.Wish(Issuer.parse(URL))
PROVIDER = Provider(ARN, URL, ("sts.amazonaws.com",), (TOP,), {})
CURRENT = resource.Current(ACCOUNT, PROVIDER, chains=(SentChain("h", (LEAF, TOP)),))
ABSENT = dataclasses.replace(CURRENT, provider=None)


def with_provider(**changes: t.Any) -> resource.Current:
    return dataclasses.replace(CURRENT, provider=dataclasses.replace(PROVIDER, **changes))


def operations(plan: Plan[resource.Operation, resource.Current]) -> list[resource.Operation]:
    return [change.operation for change in plan.changes]


def test_a_converged_provider_needs_nothing() -> None:
    plan = resource.plan(CURRENT, WISH)
    assert plan == Plan((), CURRENT)


def test_creation_is_one_marked_change_with_a_computed_arn() -> None:
    wish = dataclasses.replace(WISH, tags={"team": "x"})
    plan = resource.plan(ABSENT, wish)
    (change,) = plan.changes
    assert change.operation == resource.Create(URL, ("sts.amazonaws.com",), (TOP,), {"team": "x", **MARK})
    assert (change.action, change.before) == (Action.CREATE, None)
    facts = resource.facts(plan.predicted, wish)
    assert {name: value for name, value in facts.items() if name != "certificates"} == change.after
    assert facts["arn"] == ARN


def test_an_unknown_issuer_is_predicted_as_a_creation() -> None:
    wish = dataclasses.replace(WISH, issuer=Issuer.parse(KNOWN_AFTER_APPLY))
    predicted = resource.facts(resource.plan(resource.Current(ACCOUNT, None), wish).predicted, wish)
    assert predicted["url"] == KNOWN_AFTER_APPLY
    assert predicted["arn"] == f"arn:aws:iam::123456789012:oidc-provider/{KNOWN_AFTER_APPLY}"
    assert predicted["thumbprints"] == [KNOWN_AFTER_APPLY]


def test_the_guide_s_mistakes_are_two_changes_client_id_first() -> None:
    plan = resource.plan(with_provider(client_ids=("api://AzureADTokenExchange",), thumbprints=(LEAF,)), WISH)
    assert operations(plan) == [resource.AddClientId("sts.amazonaws.com"), resource.SetThumbprints((TOP,))]
    assert plan.changes[1].summary == (
        f"Change the thumbprints: pin {TOP}; drop {LEAF}, the host's own certificate, which changes with every renewal."
    )
    assert plan.changes[0].after == plan.changes[1].before  # each diff shows its own change only


def test_client_ids_are_removed_only_when_asked_and_last() -> None:
    current = with_provider(client_ids=("a", "b"), thumbprints=(LEAF,))
    assert resource.RemoveClientId("a") not in operations(resource.plan(current, WISH))
    plan = resource.plan(current, dataclasses.replace(WISH, purge_client_ids=True))
    assert operations(plan) == [
        resource.AddClientId("sts.amazonaws.com"),
        resource.SetThumbprints((TOP,)),
        resource.RemoveClientId("a"),
        resource.RemoveClientId("b"),
    ]
    assert plan.predicted.provider
    assert plan.predicted.provider.client_ids == ("sts.amazonaws.com",)


def test_more_client_ids_than_iam_takes_are_refused() -> None:
    current = with_provider(client_ids=tuple(map(str, range(100))))
    with pytest.raises(errors.Refused, match="would have 101 client IDs"):
        resource.plan(current, WISH)


def test_unmanaged_thumbprints_are_never_touched() -> None:
    wish = dataclasses.replace(WISH, pinning=Pinning.parse(["unmanaged"]))
    assert operations(resource.plan(with_provider(thumbprints=(LEAF, "0" * 40)), wish)) == []
    (change,) = resource.plan(ABSENT, wish).changes
    assert isinstance(change.operation, resource.Create)
    assert change.operation.thumbprints is None


def test_a_given_list_is_exact() -> None:
    wish = dataclasses.replace(WISH, pinning=Pinning.parse([OLD]))
    assert operations(resource.plan(CURRENT, wish)) == [resource.SetThumbprints((OLD,))]
    assert operations(resource.plan(with_provider(thumbprints=(OLD.upper(),)), wish)) == []


def test_an_untrusted_chain_leaves_the_list_alone_with_a_warning() -> None:
    current = dataclasses.replace(with_provider(thumbprints=(LEAF,)), chains=(SentChain("h", distrust="why"),))
    plan = resource.plan(current, WISH)
    assert operations(plan) == []
    assert "not publicly trusted (why)" in plan.warnings[0]
    (change,) = resource.plan(dataclasses.replace(current, provider=None), WISH).changes
    assert isinstance(change.operation, resource.Create)
    assert change.operation.thumbprints is None


def test_the_mark_is_no_drift_and_is_never_added_or_purged() -> None:
    wish = dataclasses.replace(WISH, purge_tags=True)
    assert operations(resource.plan(with_provider(tags={}), wish)) == []
    assert operations(resource.plan(with_provider(tags=MARK), wish)) == []


def test_tags() -> None:
    wish = dataclasses.replace(WISH, tags={"team": "x"}, purge_tags=True)
    plan = resource.plan(with_provider(tags={"team": "y", "old": "z", **MARK}), wish)
    assert operations(plan) == [resource.SetTags({"team": "x"}), resource.RemoveTags(("old",))]
    assert plan.predicted.provider
    assert plan.predicted.provider.tags == {"team": "x", **MARK}


def test_a_tag_whose_key_differs_in_case_only_is_another_one() -> None:
    wish = dataclasses.replace(WISH, tags={"costcenter": "2"}, purge_tags=True)
    plan = resource.plan(with_provider(tags={"Costcenter": "1", **MARK}), wish)
    assert operations(plan) == [resource.SetTags({"costcenter": "2"}), resource.RemoveTags(("Costcenter",))]
    kept = resource.plan(with_provider(tags={"Costcenter": "1"}), dataclasses.replace(wish, purge_tags=False))
    assert kept.predicted.provider
    assert kept.predicted.provider.tags == {"Costcenter": "1", "costcenter": "2"}


def test_a_similar_provider_is_warned_of() -> None:
    current = dataclasses.replace(ABSENT, similar=(ARN.rstrip("/"),))
    assert f"IAM OIDC provider {ARN.rstrip('/')}, which differs" in resource.plan(current, WISH).warnings[0]


def test_more_tags_than_iam_takes_are_refused() -> None:
    current = with_provider(tags={f"key-{number}": "x" for number in range(50)})
    for key in ("team", "Key-0"):
        with pytest.raises(errors.Refused, match="would have 51 tags, and IAM takes 50"):
            resource.plan(current, dataclasses.replace(WISH, tags={key: "x"}))


def test_a_change_of_authority_overlaps_and_the_report_tells_which_certificate_is_which() -> None:
    sent = tuple(Certificate(value, f"CN={value}", "CN=authority", "2030-01-01T00:00:00Z") for value in (LEAF, TOP))
    chain = SentChain("h", (LEAF, TOP), certificates=sent)
    plan = resource.plan(dataclasses.replace(with_provider(thumbprints=(OLD,)), chains=(chain,)), WISH)
    assert operations(plan) == [resource.SetThumbprints((TOP, OLD))]
    certificates = t.cast("list[dict[str, t.Any]]", resource.facts(plan.predicted, WISH)["certificates"])
    assert [(entry["thumbprint"], entry["role"], entry["pinned"]) for entry in certificates] == [
        (LEAF, "leaf", False),
        (TOP, "intermediate", True),
        (OLD, "unknown", True),
    ]
    assert certificates[1]["not_after"] == "2030-01-01T00:00:00Z"


def test_an_inspecting_proxy_is_named_by_its_authority_and_never_pinned() -> None:
    sent = (Certificate(LEAF, "CN=host", "CN=Corporate Inspection CA", "2030-01-01T00:00:00Z"),)
    current = dataclasses.replace(ABSENT, chains=(SentChain("h", distrust="self-signed", certificates=sent),))
    plan = resource.plan(current, WISH)
    assert "(self-signed; issued by CN=Corporate Inspection CA)" in plan.warnings[0]
    (change,) = plan.changes
    assert isinstance(change.operation, resource.Create)
    assert change.operation.thumbprints is None
    (entry,) = t.cast("list[dict[str, t.Any]]", resource.facts(plan.predicted, WISH)["certificates"])
    assert (entry["pinned"], entry["trusted"]) == (False, False)


def test_what_iam_will_choose_is_not_foretold() -> None:
    sent = (Certificate(LEAF, "CN=host", "CN=top", "2030-01-01T00:00:00Z"),)
    current = dataclasses.replace(ABSENT, chains=(SentChain("h", (LEAF,), certificates=sent),))
    plan = resource.plan(current, dataclasses.replace(WISH, pinning=Pinning()))
    (entry,) = t.cast("list[dict[str, t.Any]]", resource.facts(plan.predicted, WISH)["certificates"])
    assert (entry["pinned"], entry["trusted"]) == (None, True)
    unknown = dataclasses.replace(WISH, issuer=Issuer(KNOWN_AFTER_APPLY))
    assert resource.facts(resource.plan(ABSENT, unknown).predicted, unknown)["certificates"] is None


GONE = dataclasses.replace(WISH, state=State.ABSENT)
OURS = with_provider(tags=MARK)


def test_the_collection_s_own_provider_goes_in_one_change() -> None:
    plan = resource.plan(OURS, GONE)
    (change,) = plan.changes
    assert (change.operation, change.action, change.after) == (resource.Delete(), Action.DELETE, None)
    assert change.diff()["before"] == change.before
    assert resource.facts(plan.predicted, GONE) == {"arn": ARN, "url": URL}


def test_an_absent_provider_needs_nothing() -> None:
    assert resource.plan(ABSENT, GONE) == Plan((), ABSENT)


@pytest.mark.parametrize(
    ("current", "text"),
    [
        (CURRENT, "was not created by this collection: it has no tag aks-amp.crosscloud.io/managed-by"),
        (dataclasses.replace(OURS, trusting_roles=("b", "a")), "still trusted by roles .* without it: a, b"),
        (
            dataclasses.replace(OURS, trusting_roles=tuple(f"r{number:02d}" for number in range(13))),
            r"r09 and 3 more\.",
        ),
    ],
)
def test_what_others_own_or_use_is_refused_kept_or_forced(current: resource.Current, text: str) -> None:
    with pytest.raises(errors.Refused, match=text) as caught:
        resource.plan(current, GONE)
    assert "if_shared 'keep' leaves it without failing, force deletes it." in caught.value.sentence()
    kept = resource.plan(current, dataclasses.replace(GONE, keep_shared=True))
    assert (kept.changes, kept.predicted) == ((), current)
    assert kept.warnings[0].endswith("It is kept.")
    assert operations(resource.plan(current, dataclasses.replace(GONE, force=True))) == [resource.Delete()]


def test_a_misspelled_twin_is_named_and_stays() -> None:
    current = dataclasses.replace(OURS, similar=(ARN.rstrip("/"),))
    plan = resource.plan(current, GONE)
    assert operations(plan) == [resource.Delete()]
    assert f"IAM OIDC provider {ARN.rstrip('/')}, which differs" in plan.warnings[0]


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov"])
def test_a_partition_that_refuses_tags_on_creation_gets_them_afterwards(partition: str) -> None:
    session = AwsSession(AwsAuth(Transport(), "eu-west-1", None, "AKIAEXAMPLEEXAMPLE00", "unit-test-secret"))
    provider = resource.ProviderResource(WISH, session, None)
    current = dataclasses.replace(ABSENT, account=AwsAccount(partition, "123456789012"))
    arn = current.account.provider_arn(WISH.issuer)
    (change,) = resource.plan(current, WISH).changes
    plain = {"Url": URL, "ClientIDList": ["sts.amazonaws.com"], "ThumbprintList": [TOP]}
    tags = [{"Key": key, "Value": value} for key, value in MARK.items()]
    create, tag = "create_open_id_connect_provider", "tag_open_id_connect_provider"
    with Stubber(provider._providers._iam) as stub:  # the service's answers, where no service of that partition is
        stub.add_client_error(create, "InvalidInput", "Tags unsupported", expected_params={**plain, "Tags": tags})
        if partition == "aws":
            with pytest.raises(errors.CloudError, match="Tags unsupported"):
                provider.apply(change, current)
            return
        stub.add_response(create, {"OpenIDConnectProviderArn": arn}, plain)
        stub.add_response(tag, {}, {"OpenIDConnectProviderArn": arn, "Tags": tags})
        after = provider.apply(change, current)
        stub.assert_no_pending_responses()
    assert after.provider == Provider(arn, URL, ("sts.amazonaws.com",), (TOP,), MARK)


# Against the sandbox


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with running_sandbox() as sandbox:
        yield Runner(sandbox)


@pytest.fixture(autouse=True)
def _reset(request: pytest.FixtureRequest) -> None:
    if "runner" in request.fixturenames:
        request.getfixturevalue("runner").sandbox.reset()


class Cluster:
    """The module for one cluster of the sandbox."""

    def __init__(self, runner: Runner, name: str) -> None:
        self.runner = runner
        self.cluster = runner.sandbox.cluster(name)
        self.issuer = self.cluster.issuer_url

    def run(self, *, check_mode: bool = False, **options: t.Any) -> Result:
        return self.runner.run(
            resource.DEFINITION,
            check_mode=check_mode,
            **{"issuer": self.issuer, "trust_anchors": [str(self.runner.sandbox.ca_file)], **options},
        )

    def stored(self) -> dict[str, t.Any]:
        arn = f"arn:aws:iam::123456789012:oidc-provider/{self.issuer.removeprefix('https://')}"
        answer = self.runner.client("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
        return {key: answer.get(key) for key in ("Url", "ClientIDList", "ThumbprintList", "Tags")}

    def contract(self, **options: t.Any) -> Result:
        """Check, apply, check again, apply again; returns the applied result."""
        start = self.runner.last_request
        checked = self.run(check_mode=True, **options)
        assert self.runner.writes_since(start) == []
        applied = self.run(**options)
        assert [change.report() for change in applied.changes] == [change.report() for change in checked.changes]
        assert [change.diff() for change in applied.changes] == [change.diff() for change in checked.changes]
        start = self.runner.last_request
        for check_mode in (True, False):
            again = self.run(check_mode=check_mode, **options)
            assert again.changes == ()
            assert again.facts == applied.facts
        assert self.runner.writes_since(start) == []
        return applied


@pytest.fixture
def fresh(runner: Runner) -> Cluster:
    cluster = Cluster(runner, "fresh")
    with runner.sandbox.world.lock:
        properties = cluster.cluster.body["properties"]
        properties["oidcIssuerProfile"] = {"enabled": True, "issuerURL": cluster.issuer}
    return cluster


@pytest.fixture
def halfdone(runner: Runner) -> Cluster:
    return Cluster(runner, "halfdone")


def test_create(fresh: Cluster) -> None:
    result = fresh.contract(tags={"team": "metrics"})
    top = fresh.runner.sandbox.authority.intermediate_thumbprint
    assert result.facts["thumbprints"] == [top]
    assert fresh.stored()["Url"] == fresh.issuer.removeprefix("https://")
    assert fresh.stored()["ClientIDList"] == ["sts.amazonaws.com"]
    assert fresh.stored()["ThumbprintList"] == [top]
    assert {tag["Key"]: tag["Value"] for tag in fresh.stored()["Tags"]} == {"team": "metrics", **MARK}


def test_create_without_thumbprints_lets_iam_find_them(fresh: Cluster) -> None:
    checked = fresh.run(check_mode=True, thumbprints=["unmanaged"])
    assert checked.facts["thumbprints"] == [KNOWN_AFTER_APPLY]
    applied = fresh.contract(thumbprints=["unmanaged"])
    assert applied.facts["thumbprints"] == [fresh.runner.sandbox.authority.intermediate_thumbprint]


def test_the_guide_s_provider_is_repaired_and_not_marked(halfdone: Cluster) -> None:
    result = halfdone.contract()
    assert [type(change.operation) for change in result.changes] == [resource.AddClientId, resource.SetThumbprints]
    stored = halfdone.stored()
    assert stored["ClientIDList"] == ["api://AzureADTokenExchange", "sts.amazonaws.com"]
    assert stored["ThumbprintList"] == [halfdone.runner.sandbox.authority.intermediate_thumbprint]
    assert not stored["Tags"]


def test_each_client_id_is_a_write_of_its_own(halfdone: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was added without an answer is told, whatever is to be added after it."""
    add = IamProviders.add_client_id
    lost: list[str] = []

    def unanswered(self: IamProviders, arn: str, client_id: str) -> None:
        add(self, arn, client_id)
        if not lost:
            lost.append(client_id)
            raise errors.Interrupted(service="AWS IAM", action=f"adding client ID {client_id}", status=504)

    monkeypatch.setattr(IamProviders, "add_client_id", unanswered)
    done = halfdone.run(client_ids=["one", "another"], thumbprints=["unmanaged"])
    assert [change.operation for change in done.changes] == [
        resource.AddClientId("one"),
        resource.AddClientId("another"),
    ]


def test_purging_and_tags(halfdone: Cluster) -> None:
    result = halfdone.contract(purge_client_ids=True, tags={"team": "metrics"})
    assert result.facts["client_ids"] == ["sts.amazonaws.com"]
    assert result.facts["tags"] == {"team": "metrics"}
    assert halfdone.contract(purge_client_ids=True, purge_tags=True).facts["tags"] == {}
    assert not halfdone.stored()["Tags"]


def test_tags_that_differ_in_case_only_are_two_which_purging_tells_apart(halfdone: Cluster) -> None:
    both = {"Costcenter": "1", "costcenter": "2"}
    assert halfdone.contract(tags=both).facts["tags"] == both
    assert halfdone.contract(tags={"costcenter": "3"}).facts["tags"] == {"Costcenter": "1", "costcenter": "3"}
    assert halfdone.contract(tags={"costcenter": "3"}, purge_tags=True).facts["tags"] == {"costcenter": "3"}
    assert halfdone.stored()["Tags"] == [{"Key": "costcenter", "Value": "3"}]


def test_what_a_careful_engineer_made_stays_as_it_is(runner: Runner) -> None:
    start = runner.last_request
    assert Cluster(runner, "finished").run().changes == ()
    assert runner.operations_since(start) == [
        "GetCallerIdentity",
        "GetOpenIDConnectProvider",
        "OpenIdConfiguration",
    ]


def test_a_chain_that_nobody_vouches_for_pins_nothing(halfdone: Cluster) -> None:
    # As behind an inspecting proxy: its root is in the CA file, and that makes no chain a public one.
    result = halfdone.run(trust_anchors=[])
    assert [type(change.operation) for change in result.changes] == [resource.AddClientId]
    assert "not publicly trusted" in result.warnings[0]
    assert halfdone.stored()["ThumbprintList"] == [halfdone.runner.sandbox.issuer_certificate.leaf_thumbprint]


def test_an_issuer_without_its_slash_is_refused_before_any_write(halfdone: Cluster) -> None:
    start = halfdone.runner.last_request
    with pytest.raises(errors.Refused, match=r"names '.*/', not '.*[^/]'"):
        halfdone.run(issuer=halfdone.issuer.rstrip("/"))
    assert halfdone.runner.writes_since(start) == []


def test_a_provider_that_differs_by_its_slash_is_warned_of(halfdone: Cluster) -> None:
    options: dict[str, t.Any] = {"thumbprints": ["a" * 39 + "b"], "issuer": halfdone.issuer.rstrip("/")}
    result = halfdone.run(check_mode=True, **options)
    assert [change.action for change in result.changes] == [Action.CREATE]
    assert "differs from" in result.warnings[0]
    halfdone.runner.sandbox.aws.set_controller_policies(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Action": "iam:ListOpenIDConnectProviders", "Resource": "*"},
            ],
        }
    )
    (warning,) = halfdone.run(check_mode=True, **options).warnings
    assert "by a slash or by case only can't be told" in warning
    assert "iam:ListOpenIDConnectProviders" in warning


def trust(arn: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Federated": arn}, "Action": "sts:AssumeRoleWithWebIdentity"}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def test_removal(fresh: Cluster) -> None:
    arn = fresh.run(tags={"team": "metrics"}).facts["arn"]
    result = fresh.contract(state="absent")
    assert result.facts == {"arn": arn, "url": fresh.issuer}
    listed = fresh.runner.client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
    assert arn not in [entry["Arn"] for entry in listed]


def test_removal_asks_the_roles_page_by_page_and_not_the_issuer(fresh: Cluster) -> None:
    arn = str(fresh.run().facts["arn"])
    iam = fresh.runner.client("iam")
    for number in range(3):
        iam.create_role(RoleName=f"user-{number}", AssumeRolePolicyDocument=trust(arn))
    start = fresh.runner.last_request
    with pytest.raises(errors.Refused, match="user-0, user-1, user-2"):
        fresh.run(state="absent")
    kept = fresh.run(state="absent", if_shared="keep", ignore_roles=["user-0"])
    assert "without it: user-1, user-2. It is kept." in kept.warnings[0]
    assert kept.facts["tags"] == MARK
    assert fresh.runner.writes_since(start) == []
    assert "OpenIdConfiguration" not in fresh.runner.operations_since(start)
    checked = fresh.run(check_mode=True, state="absent", ignore_roles=["user-0", "user-1", "user-2"])
    assert [change.action for change in checked.changes] == [Action.DELETE]
    assert len(fresh.run(state="absent", force=True).changes) == 1


def test_the_roles_come_in_pages_of_any_size() -> None:
    session = AwsSession(AwsAuth(Transport(), "eu-west-1", None, "AKIAEXAMPLEEXAMPLE00", "unit-test-secret"))
    providers = IamProviders(session)
    role = {"Path": "/", "RoleId": "AROAEXAMPLEEXAMPLE00", "Arn": "arn:aws:iam::123456789012:role/r"}
    date = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def named(name: str, document: str) -> dict[str, t.Any]:
        return {**role, "RoleName": name, "CreateDate": date, "AssumeRolePolicyDocument": document}

    first = [named("other", trust("arn:aws:iam::123456789012:oidc-provider/other")), named("one", trust(ARN))]
    denied = trust(ARN).replace('"Allow"', '"Deny"')
    with Stubber(providers._iam) as stub:
        stub.add_response("list_roles", {"Roles": first, "IsTruncated": True, "Marker": "next"}, {"MaxItems": 1000})
        last = {"Roles": [named("two", trust(ARN)), named("three", denied)], "IsTruncated": False}
        stub.add_response("list_roles", last, {"MaxItems": 1000, "Marker": "next"})
        assert providers.trusting_roles(ARN) == ("one", "two")


def test_a_provider_of_others_is_kept_at_teardown_without_a_look_at_the_roles(halfdone: Cluster) -> None:
    start = halfdone.runner.last_request
    kept = halfdone.run(state="absent", if_shared="keep")
    assert kept.changes == ()
    assert "was not created by this collection" in kept.warnings[0]
    assert "ListRoles" not in halfdone.runner.operations_since(start)
    with pytest.raises(errors.Refused, match="was not created by this collection"):
        halfdone.run(state="absent")


def test_a_missing_right_to_list_roles_is_no_permission_to_delete(fresh: Cluster) -> None:
    fresh.run()
    fresh.runner.sandbox.aws.set_controller_policies(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "*", "Resource": "*"},
                {"Effect": "Deny", "Action": "iam:ListRoles", "Resource": "*"},
            ],
        }
    )
    with pytest.raises(errors.Forbidden) as caught:
        fresh.run(state="absent")
    assert "force deletes it unasked" in caught.value.fix
    assert fresh.stored()["ClientIDList"] == ["sts.amazonaws.com"]


def test_a_removal_that_another_was_faster_with_is_no_failure(fresh: Cluster) -> None:
    arn = fresh.run().facts["arn"]
    iam = fresh.runner.client("iam")

    class Racing(resource.ProviderResource):
        """Between reading and writing, another deletes the provider."""

        def apply(self, change: t.Any, current: resource.Current) -> resource.Current:
            iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=arn)
            return super().apply(change, current)

    transport = Transport(fresh.runner.sandbox.proxy_url, str(fresh.runner.sandbox.ca_file))
    connection = fresh.runner.connection
    session = AwsSession(AwsAuth(transport, "eu-west-1", None, connection["access_key"], connection["secret_key"]))
    wish = resource.Wish(Issuer.parse(fresh.issuer), state=State.ABSENT)
    outcome = Context(check_mode=False, sleep=fresh.runner.clock.sleep).converge(Racing(wish, session, None))
    assert outcome.state.provider is None


def test_an_unknown_issuer_is_for_check_mode_only(runner: Runner) -> None:
    start = runner.last_request
    result = runner.run(resource.DEFINITION, check_mode=True, issuer=KNOWN_AFTER_APPLY)
    assert [change.action for change in result.changes] == [Action.CREATE]
    assert runner.operations_since(start) == ["GetCallerIdentity"]
    with pytest.raises(errors.InvalidInput, match="accepted in check mode only"):
        runner.run(resource.DEFINITION, issuer=KNOWN_AFTER_APPLY)


def test_a_missing_right_is_named(halfdone: Cluster) -> None:
    halfdone.runner.sandbox.aws.set_controller_policies()
    with pytest.raises(errors.Forbidden) as caught:
        halfdone.run()
    assert caught.value.fix == "Allow iam:GetOpenIDConnectProvider to the caller."


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"issuer": "http://x.example/"}, "not an https URL"),
        ({"issuer": "https://x.example:8443/"}, "port"),
        ({"client_ids": []}, "client_ids names 0"),
        ({"client_ids": ["a b"]}, "malformed"),
        ({"thumbprints": []}, "thumbprints is empty"),
        ({"thumbprints": ["0" * 40]}, "placeholder"),
        ({"tags": {"aws:x": "1"}}, "not one that IAM takes"),
        ({"trust_anchors": ["/nowhere.pem"]}, "can't be read as PEM"),
    ],
)
def test_bad_input_is_refused_before_any_request(halfdone: Cluster, options: dict[str, t.Any], text: str) -> None:
    start = halfdone.runner.last_request
    with pytest.raises((errors.InvalidInput, FederationError), match=text):
        halfdone.run(**options)
    assert halfdone.runner.operations_since(start) == []


def test_another_writer_s_creation_is_planned_anew(fresh: Cluster) -> None:
    iam = fresh.runner.client("iam")
    made_by_another: list[str] = []

    class Racing(resource.ProviderResource):
        """Between reading and writing, another creates the provider with another client ID."""

        def apply(self, change: t.Any, current: resource.Current) -> resource.Current:
            if not made_by_another:
                answer = iam.create_open_id_connect_provider(Url=fresh.issuer, ClientIDList=["other"])
                made_by_another.append(answer["OpenIDConnectProviderArn"])
            return super().apply(change, current)

    transport = Transport(fresh.runner.sandbox.proxy_url, str(fresh.runner.sandbox.ca_file))
    connection = fresh.runner.connection
    session = AwsSession(AwsAuth(transport, "eu-west-1", None, connection["access_key"], connection["secret_key"]))
    wish = resource.Wish(Issuer.parse(fresh.issuer), pinning=Pinning.parse(["unmanaged"]))
    outcome = Context(check_mode=False, sleep=fresh.runner.clock.sleep).converge(Racing(wish, session, None))
    assert [change.operation for change in outcome.changes] == [resource.AddClientId("sts.amazonaws.com")]
    assert fresh.stored()["ClientIDList"] == ["other", "sts.amazonaws.com"]
