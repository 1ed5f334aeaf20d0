# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The usual guide's own commands: azure-cli, aws-cli, kubectl and openssl, in one shell.

Its commands are corrected only where they can't work: the provider's ARN has the issuer's path and slash, the trust
policy one slash, the credential one scheme; the application is asked for by its ID, the pod gets a token for AWS in
place of ``role_arn``, and pods are found by the label that they have. What runs inside the pod (``exec``) and awscurl
are left out, which favours the guide.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import typing as t
from pathlib import Path

from benchmarks import measure
from benchmarks.contest import Wish
from demo.runs import clean_environment
from sandbox import estate, manifests, world

if t.TYPE_CHECKING:
    from benchmarks.arena import Place
    from benchmarks.measure import Finished

_SECONDS = 300.0

_FEDERATE = r"""
# Step 1
az aks update --name "$CLUSTER" --resource-group "$GROUP" --enable-oidc-issuer --enable-workload-identity -o none
ISSUER=$(az aks show --name "$CLUSTER" --resource-group "$GROUP" --query oidcIssuerProfile.issuerUrl -o tsv)
kubectl get pods -n kube-system | grep azure-wi-webhook
kubectl get mutatingwebhookconfigurations | grep azure-wi-webhook

# Step 2
ISSUER_HOST=$(echo "$ISSUER" | sed 's|https://||' | sed 's|/.*||')
ISSUER_PATH=${ISSUER#https://}
PROVIDER="arn:aws:iam::$ACCOUNT:oidc-provider/$ISSUER_PATH"
THUMBPRINT=$(echo | openssl s_client -proxy "$PROXY" -showcerts -servername "$ISSUER_HOST" -connect "$ISSUER_HOST:443" \
  2>/dev/null | awk '/BEGIN CERT/ {text = ""} {text = text $0 "\n"} END {printf "%s", text}' \
  | openssl x509 -fingerprint -noout -sha1 | sed 's/://g' | sed 's/.*=//')
test -n "$THUMBPRINT"
aws iam create-open-id-connect-provider --url "$ISSUER" --client-id-list sts.amazonaws.com \
  --thumbprint-list "$THUMBPRINT"
cat > trust.json <<EOF
{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Federated": "$PROVIDER"},
  "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": {
    "$ISSUER_PATH:aud": "sts.amazonaws.com", "$ISSUER_PATH:sub": "$SUBJECT"}}}]}
EOF
aws iam create-role --role-name "$ROLE" --assume-role-policy-document file://trust.json
aws iam put-role-policy --role-name "$ROLE" --policy-name AMP-RemoteWrite --policy-document file://permission.json
aws iam list-open-id-connect-providers
aws iam get-open-id-connect-provider --open-id-connect-provider-arn "$PROVIDER"
aws iam get-open-id-connect-provider --open-id-connect-provider-arn "$PROVIDER" --query ThumbprintList

# Step 3
CLIENT_ID=$(az ad app create --display-name "$APPLICATION" --query appId -o tsv)
OBJECT_ID=$(az ad app show --id "$CLIENT_ID" --query id -o tsv)
cat > credential.json <<EOF
{"name": "$CREDENTIAL", "issuer": "$ISSUER", "subject": "$SUBJECT", "audiences": ["api://AzureADTokenExchange"]}
EOF
az ad app federated-credential create --id "$OBJECT_ID" --parameters credential.json -o none

# Step 4
CLIENT_ID=$(az ad app show --id "$CLIENT_ID" --query appId -o tsv)
kubectl apply --validate=false -f - <<EOF
apiVersion: v1
kind: ServiceAccount
metadata:
  name: $SERVICE_ACCOUNT
  namespace: $NAMESPACE
  labels:
    azure.workload.identity/use: "true"
  annotations:
    azure.workload.identity/client-id: $CLIENT_ID
EOF
kubectl get serviceaccount "$SERVICE_ACCOUNT" -n "$NAMESPACE" -o yaml
kubectl get serviceaccount "$SERVICE_ACCOUNT" -n "$NAMESPACE" \
  -o jsonpath='{.metadata.annotations.azure\.workload\.identity/client-id}'
kubectl get serviceaccount "$SERVICE_ACCOUNT" -n "$NAMESPACE" \
  -o jsonpath='{.metadata.labels.azure\.workload\.identity/use}'

# Step 5
kubectl get configmap "$CONFIG_MAP" -n "$NAMESPACE" -o jsonpath="{.data.${CONFIG_KEY/./\\.}}" > prometheus.yml
cat prometheus.yml remote_write.yml > new.yml
kubectl create configmap "$CONFIG_MAP" -n "$NAMESPACE" --from-file="$CONFIG_KEY=new.yml" --dry-run=client \
  -o json > map.json
kubectl patch configmap "$CONFIG_MAP" -n "$NAMESPACE" --type merge --patch-file map.json
kubectl patch deployment "$WORKLOAD" -n "$NAMESPACE" --type strategic --patch-file pod.json
kubectl rollout status "deployment/$WORKLOAD" -n "$NAMESPACE" --timeout 60s
POD=$(kubectl get pods -n "$NAMESPACE" -l app.kubernetes.io/name=prometheus -o jsonpath='{.items[0].metadata.name}')
kubectl logs "$POD" -n "$NAMESPACE" -c "$CONTAINER" | grep -i 'remote_write\|sigv4\|auth\|error' || :

# Testing the configuration
TOKEN=$(kubectl create --raw "/api/v1/namespaces/$NAMESPACE/serviceaccounts/$SERVICE_ACCOUNT/token" -f token.json \
  | sed -n 's/.*"token": *"\([^"]*\)".*/\1/p')
aws sts assume-role-with-web-identity --role-arn "$ROLE_ARN" --role-session-name aks-to-amp-test \
  --web-identity-token "$TOKEN" --duration-seconds 900 --query Credentials.Expiration
"""

# What a person would read to know that all of it is still so: each object once, and the token's exchange.
_CHECK = r"""
ISSUER=$(az aks show --name "$CLUSTER" --resource-group "$GROUP" --query oidcIssuerProfile.issuerUrl -o tsv)
PROVIDER="arn:aws:iam::$ACCOUNT:oidc-provider/${ISSUER#https://}"
aws amp list-workspaces --alias "$ALIAS"
aws iam get-open-id-connect-provider --open-id-connect-provider-arn "$PROVIDER"
aws iam get-role --role-name "$ROLE"
aws iam get-role-policy --role-name "$ROLE" --policy-name AMP-RemoteWrite
CLIENT_ID=$(az ad app list --display-name "$APPLICATION" --query '[0].appId' -o tsv)
az ad sp show --id "$CLIENT_ID" -o json
az ad app federated-credential list --id "$CLIENT_ID" -o json
kubectl get serviceaccount "$SERVICE_ACCOUNT" -n "$NAMESPACE" -o yaml
kubectl get configmap "$CONFIG_MAP" -n "$NAMESPACE" -o yaml
kubectl get deployment "$WORKLOAD" -n "$NAMESPACE" -o yaml
TOKEN=$(kubectl create --raw "/api/v1/namespaces/$NAMESPACE/serviceaccounts/$SERVICE_ACCOUNT/token" -f token.json \
  | sed -n 's/.*"token": *"\([^"]*\)".*/\1/p')
aws sts assume-role-with-web-identity --role-arn "$ROLE_ARN" --role-session-name aks-to-amp-test \
  --web-identity-token "$TOKEN" --duration-seconds 900 --query Credentials.Expiration
"""

_LOGIN = r"""
az cloud show -o none
az login --service-principal -u "$LOGIN_ID" -p "$LOGIN_SECRET" --tenant "$TENANT" -o none
az account set --subscription "$SUBSCRIPTION"
"""

#: For ``kubectl create --raw``: ``kubectl create token`` asks in protobuf, which the sandbox does not speak.
_TOKEN_REQUEST: t.Final = {
    "apiVersion": "authentication.k8s.io/v1",
    "kind": "TokenRequest",
    "spec": {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 600},
}


@dataclasses.dataclass(frozen=True)
class Guide:
    """The commands, with a home folder of their own in which the login and the tools' caches stay."""

    azure_cli: Path  # each is the Python of an environment
    aws_cli: Path
    kubectl: Path
    place: Place
    home: Path
    name: str = "guide"
    title: str = "the guide's commands (azure-cli, aws-cli, kubectl)"
    needs_provider: bool = False

    def prepare(self) -> None:
        self._shell(_LOGIN, "finished").require("The login of the azure-cli")

    def federate(self, cluster: str) -> Finished:
        return self._shell(_FEDERATE, cluster).require(f"The guide's commands for {cluster}")

    def check(self, cluster: str) -> Finished:
        return self._shell(_CHECK, cluster).require(f"The reads by hand of {cluster}")

    def _shell(self, commands: str, cluster: str) -> Finished:
        folder = self.home / cluster
        folder.mkdir(exist_ok=True)
        wish = Wish(cluster, self.place)
        (folder / "permission.json").write_text(wish.permission, encoding="utf-8")
        (folder / "remote_write.yml").write_text(wish.remote_write, encoding="utf-8")
        (folder / "token.json").write_text(json.dumps(_TOKEN_REQUEST), encoding="utf-8")
        (folder / "pod.json").write_text(json.dumps(wish.pod_patch), encoding="utf-8")
        return measure.run(
            ["bash", "-e", "-c", self._tools(cluster) + commands],
            environment=self._environment(wish),
            folder=folder,
            seconds=_SECONDS,
        )

    def _tools(self, cluster: str) -> str:
        """The three programs under the names that the guide uses."""
        programs = {
            "az": (self.azure_cli, "-sm", "azure.cli"),
            "aws": (self.aws_cli, self.aws_cli.with_name("aws")),
            "kubectl": (self.kubectl, "--context", cluster),
        }
        return "".join(f'{name}() {{ {shlex.join(map(str, command))} "$@"; }}\n' for name, command in programs.items())

    def _environment(self, wish: Wish) -> dict[str, str]:
        ca_file = str(self.place.ca_file)
        return {
            **clean_environment(),
            "HOME": str(self.home),
            "HTTPS_PROXY": self.place.proxy_url,
            "NO_PROXY": "127.0.0.1",
            "REQUESTS_CA_BUNDLE": ca_file,
            "AWS_CA_BUNDLE": ca_file,
            "AWS_ACCESS_KEY_ID": world.CONTROLLER_AWS_ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": world.CONTROLLER_AWS_SECRET_KEY,
            "AWS_DEFAULT_REGION": estate.AWS_REGION,
            "AWS_PAGER": "",
            "AZURE_CONFIG_DIR": str(self.home / "azure"),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "KUBECONFIG": str(self.place.kubeconfig),
            "LOGIN_ID": world.CONTROLLER_CLIENT_ID,
            "LOGIN_SECRET": world.CONTROLLER_CLIENT_SECRET,
            "TENANT": world.AZURE_TENANT,
            "SUBSCRIPTION": world.AZURE_SUBSCRIPTION,
            "ACCOUNT": world.AWS_ACCOUNT,
            "PROXY": self.place.proxy_url.removeprefix("http://"),
            "CLUSTER": wish.cluster,
            "GROUP": estate.RESOURCE_GROUP,
            "ALIAS": estate.WORKSPACE_ALIAS,
            "ROLE": wish.role,
            "ROLE_ARN": wish.role_arn,
            "SUBJECT": wish.subject,
            "APPLICATION": wish.application,
            "CREDENTIAL": wish.credential,
            "NAMESPACE": manifests.NAMESPACE,
            "SERVICE_ACCOUNT": estate.SERVICE_ACCOUNT,
            "CONFIG_MAP": manifests.CONFIG_MAP,
            "CONFIG_KEY": manifests.CONFIG_KEY,
            "WORKLOAD": manifests.WORKLOAD,
            "CONTAINER": manifests.CONTAINER,
        }
