# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes client through Azure, against the sandbox: every access, every kind of cluster, every refusal."""

from __future__ import annotations

import base64
import copy
import dataclasses
import datetime as dt
import http.server
import ssl
import tempfile
import threading
import typing as t

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._azure.aks_ids import ClusterRef
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.aks_access import (
    AKS_SERVER_APPLICATION,
    Credential,
    connection_pool,
    parse_kubeconfig,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients.kube import Access, KubeClient
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._kube.kube_objects import (
    CONFIG_MAP,
    NAMESPACE,
    SECRET,
    SERVICE_ACCOUNT,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AksAccess, AksCredential, KubeAuth
from sandbox.entra_tokens import CONTROLLER_OBJECT_ID
from sandbox.testing import running_sandbox
from sandbox.world import AZURE_SUBSCRIPTION
from tests.unit.plugins.azure_estate import RESOURCE_GROUP, AzureEstate

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.server import Sandbox
    from sandbox.world import Json

CONFIG = CONFIG_MAP.at("prometheus-config", "monitoring")
EVERY = list(AksCredential)


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def estate(running: Sandbox, monkeypatch: pytest.MonkeyPatch) -> AzureEstate:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    running.reset()
    running.world.settings.aks_run_command_seconds = 0.0
    return AzureEstate(running)


def access(estate: AzureEstate, kind: AksCredential, **changes: t.Any) -> AksAccess:
    ref = ClusterRef(AZURE_SUBSCRIPTION, RESOURCE_GROUP, "fresh")
    return dataclasses.replace(AksAccess(estate.auth(), ref, kind, poll_interval=0.01), **changes)


def client(estate: AzureEstate, kind: AksCredential, **changes: t.Any) -> KubeClient:
    """A client that has found its way already."""
    kube = KubeClient(KubeAuth(aks=access(estate, kind, **changes)))
    assert kube.server
    return kube


def properties(estate: AzureEstate) -> Json:
    return t.cast("Json", estate.cluster_body("fresh")["properties"])


@pytest.mark.parametrize("kind", EVERY)
def test_every_access_reads_writes_and_deletes_alike(estate: AzureEstate, kind: AksCredential) -> None:
    kube = client(estate, kind)
    reference = CONFIG_MAP.at("a.b", "monitoring")
    assert kube.get(reference) is None
    created = kube.create(reference, {"data": {"a": "é\n'\"$(x)"}})
    version = created["metadata"]["resourceVersion"]
    patched = kube.merge_patch(reference, {"data": {"b": "2"}}, resource_version=version)
    assert patched["data"] == {"a": "é\n'\"$(x)", "b": "2"}
    found = kube.get(reference)
    assert found is not None
    assert found["data"] == patched["data"]
    assert "a.b" in [item["metadata"]["name"] for item in kube.list_in(CONFIG_MAP, "monitoring")]
    with pytest.raises(errors.Conflict):
        kube.delete(reference, uid=found["metadata"]["uid"], resource_version=version)
    kube.delete(reference, uid=found["metadata"]["uid"], resource_version=found["metadata"]["resourceVersion"])
    assert kube.get(reference) is None
    assert kube.may(Access("create", "configmaps", "", "monitoring"))


@pytest.mark.parametrize("kind", EVERY)
def test_every_access_reports_the_same_refusals(estate: AzureEstate, kind: AksCredential) -> None:
    kube = client(estate, kind)
    found = kube.get(CONFIG)
    assert found is not None
    with pytest.raises(errors.Conflict) as stale:
        kube.merge_patch(CONFIG, {"data": {}}, resource_version="1")
    assert stale.value.code == "Conflict"
    with pytest.raises(errors.Conflict) as there:
        kube.create(CONFIG, {})
    assert there.value.code == "AlreadyExists"
    with pytest.raises(errors.Conflict, match="NotFound"):
        kube.merge_patch(CONFIG_MAP.at("gone", "monitoring"), {"data": {}}, resource_version="1")
    with pytest.raises(errors.NotFound, match="nowhere"):
        kube.create(SERVICE_ACCOUNT.at("a", "nowhere"), {})
    with pytest.raises(errors.CloudError, match="Invalid") as invalid:
        kube.create(NAMESPACE.at("Not-A-Name"), {})
    assert invalid.value.status == 422
    with pytest.raises(errors.Forbidden) as forbidden:
        as_somebody_without_rights(estate, kind).get(CONFIG)
    assert "'get' on 'configmaps' in namespace 'monitoring'" in forbidden.value.fix


def as_somebody_without_rights(estate: AzureEstate, kind: AksCredential) -> KubeClient:
    """The administrator's static credential always has all rights, so it is the rights that go."""
    rules = estate.sandbox.api_server("fresh")._access._rules
    rules[CONTROLLER_OBJECT_ID] = rules["clusterAdmin"] = []
    return client(estate, kind)


def test_the_login_of_a_cluster_with_entra_is_a_token_for_the_aks_server_application(estate: AzureEstate) -> None:
    kube = client(estate, AksCredential.USER)
    assert [one.operation for one in estate.requests("arm")] == ["ManagedClusters_ListClusterUserCredentials"]
    kube.get(CONFIG)
    kube.get(CONFIG)
    assert [one.operation for one in estate.requests("login")].count("GetToken") == 2  # ARM's, and one for the cluster
    assert [one.status for one in estate.requests("kubernetes/fresh")] == [200, 200]


@pytest.mark.parametrize("kind", EVERY)
def test_making_a_client_asks_nobody(estate: AzureEstate, kind: AksCredential) -> None:
    KubeClient(KubeAuth(aks=access(estate, kind)))
    assert estate.requests() == []


def test_a_cluster_without_entra_is_reached_by_what_the_kubeconfig_holds(estate: AzureEstate) -> None:
    del properties(estate)["aadProfile"]
    assert client(estate, AksCredential.USER).get(CONFIG) is not None
    assert [one.operation for one in estate.requests("login")].count("GetToken") == 1


def test_entra_that_is_not_managed_by_aks_takes_no_such_token(estate: AzureEstate) -> None:
    kube = client(estate, AksCredential.USER)
    properties(estate)["aadProfile"]["managed"] = False
    with pytest.raises(errors.CloudError, match="Unauthorized") as caught:
        kube.get(CONFIG)
    assert caught.value.fix == "Log in to the tenant that the cluster trusts (aks.tenant), as somebody whom it knows."


def test_disabled_local_accounts_leave_the_users_credential(estate: AzureEstate) -> None:
    properties(estate)["disableLocalAccounts"] = True
    with pytest.raises(errors.Refused) as refused:
        client(estate, AksCredential.ADMIN)
    assert refused.value.sentence() == (
        "AKS cluster fresh in resource group rg-fleet has local accounts disabled, so there is no administrator's "
        "credential. Set aks.access to user, which logs in by Microsoft Entra."
    )
    assert client(estate, AksCredential.USER).get(CONFIG) is not None
    assert client(estate, AksCredential.RUN_COMMAND).get(CONFIG) is not None


def test_the_public_name_of_a_private_cluster(estate: AzureEstate) -> None:
    profile = {"enablePrivateCluster": True, "enablePrivateClusterPublicFQDN": True}
    properties(estate).update(apiServerAccessProfile=profile, privateFQDN="fresh.nowhere.invalid")
    assert client(estate, AksCredential.USER, public_fqdn=True).get(CONFIG) is not None
    kube = client(estate, AksCredential.USER)
    assert kube.server == "https://fresh.nowhere.invalid:443"
    with pytest.raises(errors.Unreachable) as caught:
        kube.get(CONFIG)
    assert "set aks.public_fqdn if it has a public name, or aks.access to run_command" in caught.value.fix
    assert client(estate, AksCredential.RUN_COMMAND).get(CONFIG) is not None
    profile["enablePrivateClusterPublicFQDN"] = False
    with pytest.raises(errors.CloudError, match="has no public FQDN"):
        client(estate, AksCredential.USER, public_fqdn=True)


@pytest.mark.parametrize("kind", EVERY)
def test_a_cluster_that_is_not_there(estate: AzureEstate, kind: AksCredential) -> None:
    with pytest.raises(errors.NotFound, match="AKS cluster none in resource group rg-fleet"):
        client(estate, kind, ref=ClusterRef(AZURE_SUBSCRIPTION, RESOURCE_GROUP, "none"))


@pytest.mark.parametrize("kind", EVERY)
def test_a_refused_login(estate: AzureEstate, kind: AksCredential) -> None:
    with pytest.raises(errors.CloudError, match="AADSTS7000215") as caught:
        client(estate, kind, azure=estate.auth(secret="wrong-secret"))
    assert "wrong-secret" not in caught.value.sentence()


@pytest.mark.parametrize(
    ("kind", "right", "role"),
    [
        (AksCredential.USER, "listClusterUserCredential/action", "Cluster User Role"),
        (AksCredential.ADMIN, "listClusterAdminCredential/action", "Cluster Admin Role"),
        (AksCredential.RUN_COMMAND, "managedClusters/read", ""),
    ],
)
def test_a_missing_right_is_named(
    estate: AzureEstate, kind: AksCredential, right: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.entra_tokens.Principal.is_controller", False)
    with pytest.raises(errors.Forbidden) as forbidden:
        client(estate, kind)
    assert right in forbidden.value.fix
    assert role in forbidden.value.fix


# --- nothing stays behind ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EVERY)
def test_nothing_is_left_on_disk(
    estate: AzureEstate, kind: AksCredential, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kube = client(estate, kind)
    kube.get(CONFIG)
    assert list(tmp_path.iterdir()) == []
    assert estate.sandbox.cluster("fresh").admin_token not in repr(vars(kube))


@dataclasses.dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: str
    key: str


def issue(issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None, name: str) -> tuple[Pair, t.Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0] if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )
    pair = Pair(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
    )
    return pair, (subject, key)


class Greeter(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


def test_a_client_certificate_serves_where_there_is_no_token_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The authority lacks what Python's default context demands of one since 3.13, as those of clusters may."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    authority, signer = issue(None, "authority")
    server, _unused = issue(signer, "localhost")
    user, _unused = issue(signer, "clusterUser")
    files = tmp_path / "server"
    files.mkdir()
    (files / "ca.pem").write_text(authority.certificate, encoding="ascii")
    (files / "pair.pem").write_text(server.certificate + server.key, encoding="ascii")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "pair.pem")
    context.load_verify_locations(files / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    left = tmp_path / "left"
    left.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(left))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Greeter) as listener:
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            url = f"https://localhost:{listener.server_address[1]}"
            credential = Credential(url, authority.certificate, certificate=user.certificate, key=user.key)
            assert connection_pool(credential, KubeAuth()).request("GET", url, retries=False).status == 200
        finally:
            listener.shutdown()
            thread.join()
    assert list(left.iterdir()) == []
    broken = Credential(url, authority.certificate, certificate=user.certificate, key=server.key)
    with pytest.raises(errors.CloudError, match="reading the certificates") as caught:
        connection_pool(broken, KubeAuth())
    assert "PRIVATE" not in caught.value.sentence()
    assert list(left.iterdir()) == []


def test_the_credentials_show_in_no_representation() -> None:
    shown = repr(Credential("https://x", "", token="hidden-token", certificate="hidden-cert", key="hidden-key"))
    assert "hidden" not in shown


# --- kubeconfigs ------------------------------------------------------------------------------------------------------

KUBECONFIG: Json = {
    "current-context": "c",
    "contexts": [{"name": "b", "context": {}}, {"name": "c", "context": {"cluster": "k", "user": "u"}}],
    "clusters": [
        {
            "name": "k",
            "cluster": {"server": "https://x/", "certificate-authority-data": base64.b64encode(b"CA").decode()},
        }
    ],
    "users": [{"name": "u", "user": {"token": "hidden-token"}}],
}


def kubeconfig(user: t.Any) -> bytes:
    config = copy.deepcopy(KUBECONFIG)
    config["users"][0]["user"] = user
    return yaml.safe_dump(config).encode()


def test_the_current_context_counts() -> None:
    assert parse_kubeconfig(kubeconfig({"token": "t"}), "reading") == Credential("https://x", "CA", token="t")


@pytest.mark.parametrize(
    ("user", "server"),
    [
        ({"exec": {"command": "kubelogin", "args": ["get-token", "--server-id", "own-id", "--x"]}}, "own-id"),
        ({"exec": {"command": "/usr/bin/kubelogin", "args": None}}, AKS_SERVER_APPLICATION),
        ({"auth-provider": {"name": "azure", "config": {"apiserver-id": "own-id"}}}, "own-id"),
        ({"auth-provider": {"name": "azure"}}, AKS_SERVER_APPLICATION),
    ],
)
def test_a_login_by_entra_names_its_application(user: t.Any, server: str) -> None:
    assert parse_kubeconfig(kubeconfig(user), "reading").entra_server == server


@pytest.mark.parametrize(
    "user",
    [None, {}, {"exec": {"command": "other-plugin"}}, {"auth-provider": {"name": "gcp"}}, {"username": "u"}],
)
def test_a_kubeconfig_without_a_way_in_is_refused(user: t.Any) -> None:
    with pytest.raises(errors.CloudError, match="neither a credential nor a login by Microsoft Entra"):
        parse_kubeconfig(kubeconfig(user), "reading")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"hidden-token: [",
        b"- hidden-token",
        kubeconfig({"client-certificate-data": "hidden-token"}),
        kubeconfig("hidden-token"),
        kubeconfig({"exec": {"args": ["hidden-token"]}}),
        yaml.safe_dump({**KUBECONFIG, "current-context": "missing"}).encode(),
        yaml.safe_dump({**KUBECONFIG, "clusters": []}).encode(),
    ],
)
def test_a_malformed_kubeconfig_is_not_quoted(text: bytes) -> None:
    with pytest.raises(errors.CloudError, match="malformed") as caught:
        parse_kubeconfig(text, "getting the user's credential")
    assert "hidden-token" not in caught.value.sentence()


# --- run commands -----------------------------------------------------------------------------------------------------


def test_a_run_command_is_waited_for(estate: AzureEstate) -> None:
    estate.sandbox.world.settings.aks_run_command_seconds = 0.1
    kube = client(estate, AksCredential.RUN_COMMAND)
    assert kube.get(CONFIG) is not None
    statuses = [one.status for one in estate.requests("arm") if one.operation == "ManagedClusters_GetCommandResult"]
    assert statuses[0] == 202
    assert statuses[-1] == 200


def test_a_run_command_that_takes_too_long_goes_on_and_the_next_run_finds_what_it_did(estate: AzureEstate) -> None:
    estate.sandbox.world.settings.aks_run_command_seconds = 3600.0
    reference = CONFIG_MAP.at("late", "monitoring")
    late = client(estate, AksCredential.RUN_COMMAND, wait_timeout=0.001)
    with pytest.raises(errors.NotReady) as caught:
        late.create(reference, {})
    assert caught.value.accepted
    assert caught.value.sentence() == (
        "The run command for creating ConfigMap monitoring/late on AKS cluster fresh in resource group rg-fleet is not "
        "finished after 0.001 minutes. It goes on in Azure. Run again later, which finds what it did, or raise "
        "aks.wait_timeout."
    )
    with pytest.raises(errors.NotReady) as read:
        late.get(reference)
    assert not read.value.accepted
    estate.sandbox.world.settings.aks_run_command_seconds = 0.0
    assert client(estate, AksCredential.RUN_COMMAND).get(reference) is not None


@pytest.mark.parametrize(
    ("request_secret", "what"),
    [
        (lambda kube: kube.create_token("monitoring", "default", "sts.amazonaws.com", 600), "requesting a token"),
        (lambda kube: kube.get(SECRET.at("a", "monitoring")), "reading Secret"),
        (lambda kube: kube.list_in(SECRET, "monitoring"), "listing secrets"),
        (lambda kube: kube.create(SECRET.at("a", "monitoring"), {}), "creating Secret"),
    ],
)
def test_no_secret_is_asked_for_by_a_run_command(
    estate: AzureEstate, request_secret: t.Callable[[KubeClient], object], what: str
) -> None:
    kube = client(estate, AksCredential.RUN_COMMAND)
    before = estate.last_request()
    with pytest.raises(errors.Forbidden, match=f"{what}.*neither a token nor a secret must be stored there"):
        request_secret(kube)
    assert estate.requests(since=before) == []


def test_run_commands_that_are_disabled(estate: AzureEstate) -> None:
    properties(estate)["apiServerAccessProfile"] = {"disableRunCommand": True}
    with pytest.raises(errors.Refused) as refused:
        client(estate, AksCredential.RUN_COMMAND)
    assert refused.value.sentence() == (
        "AKS cluster fresh in resource group rg-fleet has run commands disabled "
        "(apiServerAccessProfile.disableRunCommand). Enable them, or run from a machine with a route to the cluster "
        "and set aks.access to user."
    )


def test_a_stopped_cluster_runs_no_commands(estate: AzureEstate) -> None:
    properties(estate)["powerState"] = {"code": "Stopped"}
    with pytest.raises(errors.NotReady, match="power state Stopped"):
        client(estate, AksCredential.RUN_COMMAND)


def test_a_cluster_without_entra_runs_commands_without_a_token(estate: AzureEstate) -> None:
    del properties(estate)["aadProfile"]
    assert client(estate, AksCredential.RUN_COMMAND).get(CONFIG) is not None
    assert [one.operation for one in estate.requests("login")].count("GetToken") == 1


def test_an_answer_that_azure_cut_off_is_not_taken_for_another(estate: AzureEstate) -> None:
    api_server = estate.sandbox.api_server("fresh")
    for number in range(2):
        body = {
            "kind": "ConfigMap",
            "apiVersion": "v1",
            "metadata": {"name": f"big-{number}", "namespace": "monitoring"},
        }
        api_server.seed({**body, "data": {"a": "x" * 400_000}})
    kube = client(estate, AksCredential.RUN_COMMAND)
    assert kube.get(CONFIG_MAP.at("big-0", "monitoring")) is not None
    with pytest.raises(errors.CloudError, match="longer than the 512 kB that Azure keeps"):
        kube.list_in(CONFIG_MAP, "monitoring")
