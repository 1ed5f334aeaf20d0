# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What parsers are given: valid inputs with something wrong in them, and nonsense."""

from __future__ import annotations

import base64
import datetime as dt
import gzip
import json
import typing as t

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import strategies as st

from tests.fuzz.spoiling import GONE, Spoil

LEAVES = st.none() | st.booleans() | st.integers(-3, 2**70) | st.floats() | st.text(max_size=12)
JSON: st.SearchStrategy[t.Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
_PIECES = st.text(max_size=4) | st.sampled_from(
    [
        "/",
        "//",
        ":",
        "*",
        "[",
        "]",
        "@",
        "?",
        "#",
        "%2F",
        "\x00",
        "\n",
        "\ud800",
        "é",
        "٣",
        "{",
        "}",
        "'",
        '"',
        "&a",
        "*a",
    ]
)


@st.composite
def edited(draw: st.DrawFn, *valid: str) -> str:
    """A valid text after some edits: pieces taken out, put in, doubled or moved."""
    text = draw(st.sampled_from(valid))
    for _unused in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        piece = draw(_PIECES | st.sampled_from([text[start:end] * 2, text[end:]]))
        text = (text[:start] + piece + text[end:])[:20_000]
    return text


def texts(*valid: str) -> st.SearchStrategy[str]:
    return edited(*valid) | edited(*valid) | st.text()


@st.composite
def edited_bytes(draw: st.DrawFn, *valid: bytes) -> bytes:
    content = bytearray(draw(st.sampled_from(valid)))
    for _unused in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(content)))
        content[start : start + draw(st.integers(0, 8))] = draw(st.binary(max_size=8))
    return bytes(content)


@st.composite
def spoiled(draw: st.DrawFn, *documents: t.Any) -> t.Any:
    """A valid document of JSON with other values in some places."""
    document = draw(st.sampled_from(documents))
    for _unused in range(draw(st.integers(0, 3))):
        spoil = Spoil(draw(st.integers(0, 400)), draw(st.just(GONE) | JSON))
        document = json.loads(spoil.of(json.dumps(document).encode()))
    return document


def documents(*valid: t.Any) -> st.SearchStrategy[t.Any]:
    return spoiled(*valid) | spoiled(*valid) | JSON


# --- valid inputs -----------------------------------------------------------------------------------------------------

_TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
_GROUP = "/subscriptions/0b1f6471-1bf0-4dda-aec3-cb9272f09590/resourceGroups/rg/providers"
ISSUER = f"https://westeurope.oic.prod-aks.azure.com/{_TENANT}/9d1f0c64-77a3-4c4f-8f0b-5b6e3f2a8c02/"
CLUSTER = f"{_GROUP}/Microsoft.ContainerService/managedClusters/c"
IDENTITY = f"{_GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/i"
ROLE = "arn:aws:iam::123456789012:role/path/AKS-Prometheus-AMP-Role"
WORKSPACE = "arn:aws:aps:eu-central-1:123456789012:workspace/ws-1234"
URL = "https://aps-workspaces.eu-central-1.amazonaws.com/workspaces/ws-1234/api/v1/remote_write"

_KEY = ISSUER.removeprefix("https://")
TRUST: t.Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "a",
            "Effect": "Allow",
            "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{_KEY}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {f"{_KEY}:aud": "sts.amazonaws.com"},
                "ForAnyValue:StringLike": {f"{_KEY}:sub": ["system:serviceaccount:monitoring:prometheus-*"]},
            },
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "NotAction": ["sts:*"],
            "Condition": {"Bool": {"aws:SecureTransport": False}},
        },
    ],
}
PERMISSION: t.Final = {
    "Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": ["aps:RemoteWrite", "aps:Get*"], "Resource": WORKSPACE},
}
CLAIMS: t.Final = {"iss": ISSUER, "sub": "system:serviceaccount:a:b", "aud": ["sts.amazonaws.com"], "exp": 4102444800}
CONFIG: t.Final = f"""\
# owner: platform
global: &g
  scrape_interval: 30s   # agreed
  external_labels: {{cluster: "fresh", team: é}}
scrape_configs:
- job_name: prometheus
  static_configs: [{{targets: ['localhost:9090']}}]
remote_write:
  - url: https://u:secret@metrics.example.net/push
    basic_auth: {{username: fleet, password: "geheim"}}
  - url: {URL}
    sigv4:
      region: eu-west-1
      role_arn: {ROLE}
    queue_config:
      capacity: 10
"""
CONFIG_TWICE: t.Final = f"""\
remote_write:
  - &a {{url: '{URL}/', remote_timeout: 10s}}
  - url: {URL}
    sigv4: {{region: us-east-1}}
  - {{<<: *a, name: third, queue_config: {{capacity: 10}}}}
"""
VALUES: t.Final = """\
# values
prometheus:
  prometheusSpec:
    remoteWrite: []
    # more
    volumes:
    - name: a
  serviceAccount: {create: true, name: x}
"""
VALUES_TWICE: t.Final = f"""\
prometheus:
  prometheusSpec:
    remoteWrite:
    - url: {URL}/
      remoteTimeout: 10s
    - {{url: {URL}, sigv4: {{region: us-east-1}}}}
    - {{url: {URL}, name: third, queueConfig: {{capacity: 10}}}}
"""
KUBECONFIG: t.Final = f"""\
apiVersion: v1
kind: Config
current-context: c
clusters:
- name: c
  cluster: {{server: 'https://a.example:443', certificate-authority-data: {base64.b64encode(b"x").decode()}}}
contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
users:
- name: u
  user:
    exec: {{command: kubelogin, args: [get-token, --server-id, 6dae42f8-4368-4678-94ff-3960e28e3630]}}
"""
METADATA: t.Final = {
    "name": "prometheus",
    "namespace": "monitoring",
    "uid": "1",
    "resourceVersion": "2",
    "labels": {"azure.workload.identity/use": "true"},
    "annotations": {"argocd.argoproj.io/tracking-id": "app:apps/Deployment:m/p"},
    "managedFields": [{"manager": "kubectl", "operation": "Update", "time": "t", "fieldsV1": {"f:data": {"f:a": {}}}}],
    "ownerReferences": [{"kind": "ReplicaSet", "name": "p-1", "uid": "2", "controller": True}],
}
POD_SPEC: t.Final = {
    "serviceAccountName": "prometheus-sa",
    "containers": [
        {
            "name": "prometheus",
            "image": "quay.io/prometheus/prometheus:v3.5.0",
            "args": ["--config.file=/etc/prometheus/prometheus.yml", "--web.enable-lifecycle"],
            "env": [{"name": "AWS_REGION", "value": "eu-west-1"}, {"name": "X", "valueFrom": {"fieldRef": {"a": 1}}}],
            "envFrom": [{"secretRef": {"name": "s"}}],
            "volumeMounts": [{"name": "aws-iam-token", "mountPath": "/var/run/secrets/aws", "readOnly": True}],
            "ports": [{"name": "web", "containerPort": 9090}],
        }
    ],
    "volumes": [
        {"name": "config", "configMap": {"name": "prometheus-config", "items": [{"key": "a", "path": "b"}]}},
        {
            "name": "aws-iam-token",
            "projected": {"sources": [{"serviceAccountToken": {"audience": "a", "path": "token"}}], "defaultMode": 420},
        },
    ],
}
WORKLOAD: t.Final = {
    "metadata": {**METADATA, "generation": 3},
    "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {}, "spec": POD_SPEC}},
    "status": {
        "observedGeneration": 3,
        "replicas": 1,
        "updatedReplicas": 1,
        "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}],
    },
}
RESOURCE: t.Final = {
    "metadata": METADATA,
    "spec": {
        "version": "v3.5.0",
        "shards": 2,
        "remoteWrite": [{"url": "https://a.example/push", "sigv4": {"region": "a"}, "queueConfig": {"capacity": 3}}],
        "externalLabels": {"a": "b"},
        "containers": POD_SPEC["containers"],
        "volumes": POD_SPEC["volumes"],
        "podMetadata": {"labels": {"a": "b"}},
    },
}
RESOURCE_TWICE: t.Final = {
    **RESOURCE,
    "spec": {
        "remoteWrite": [
            {"url": f"{URL}/", "remoteTimeout": "10s"},
            {"url": URL, "sigv4": {"region": "us-east-1"}},
            {"url": URL, "name": "third", "queueConfig": {"capacity": 10}},
        ]
    },
}
CONFIG_MAP_BODY: t.Final = {"metadata": METADATA, "data": {"prometheus.yml": CONFIG}}
SECRET_BODY: t.Final = {
    "metadata": METADATA,
    "data": {"prometheus.yml": base64.b64encode(gzip.compress(CONFIG.encode(), mtime=0)).decode()},
}
DEFINITION: t.Final = {
    "metadata": {**METADATA, "annotations": {"operator.prometheus.io/version": "0.85.0"}},
    "spec": {
        "versions": [
            {
                "name": "v1",
                "schema": {
                    "openAPIV3Schema": {
                        "properties": {
                            "spec": {"properties": {"a": {"items": {"properties": {"b": {"type": "string"}}}}}}
                        }
                    }
                },
            }
        ]
    },
}
LOG: t.Final = (
    'ts=2026-11-28T12:00:00Z level=error component=remote msg="non-recoverable error" err="server returned'
    ' HTTP status 403 Forbidden: {\\"message\\":\\"User: arn:aws:sts::1:assumed-role/r/s is not authorized\\"}"\n'
    'level=info msg="Completed loading of configuration file"\nlevel=error err="WebIdentityErr: failed to retrieve"\n'
)


PROOF: t.Final = "\n".join(
    ("sts exit 0", "sts status 403", "sts code AccessDenied", "sts message &quot;no&quot;", "chain exit 28", "done")
)


def certificate(name: str = "leaf.example") -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(start).not_valid_after(start + dt.timedelta(days=9))
    return builder.sign(key, hashes.SHA256())


_CERTIFICATE = certificate()
DER: t.Final = _CERTIFICATE.public_bytes(serialization.Encoding.DER)
PEM: t.Final = _CERTIFICATE.public_bytes(serialization.Encoding.PEM)


def token(claims: object, header: object) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, claims)]
    return ".".join([*parts, "c2ln"])
