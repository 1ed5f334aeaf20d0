# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The job that tries the chain from inside a cluster: its program, its manifest, and what its log says. Pure.

The program needs a POSIX shell, a few of its usual commands, and curl from 7.75 on, which signs requests
(https://curl.se/docs/manpage.html#--aws-sigv4). It prints what the services answered and nothing that opens a door:
the token is sent from its file, and the session's keys stay in the shell's variables and go to curl by a pipe.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
import xml.sax.saxutils

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._ownership import MARK
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_logs import clean

Json = dict[str, t.Any]

CONTAINER: t.Final = "exchange"
NAME_PREFIX: t.Final = "aks-amp-inside-"
#: The session's name in CloudTrail.
SESSION_NAME: t.Final = "aks-amp-federation-check"

_TOKEN_FOLDER: t.Final = "/var/run/secrets/aws"  # noqa: S105 - a path
_TOKEN_FILE: t.Final = "token"  # noqa: S105 - a file's name
_WORK: t.Final = "/work"
#: A user and group without a name in usual images; the token's file is readable for the group.
_USER: t.Final = 65532
#: How long a job that nobody deletes is kept, in seconds.
_KEPT_SECONDS: t.Final = 300
_TOKEN_SECONDS: t.Final = 600

#: The domains of AWS' partitions (botocore's endpoints.json); all other partitions are in the first one.
_DOMAINS: t.Final = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-eusc": "amazonaws.eu",
    "aws-iso": "c2s.ic.gov",
    "aws-iso-b": "sc2s.sgov.gov",
}

SCRIPT: t.Final = r"""
set -u
newline='
'
token='' access_key='' secret_key='' session=''

# The text in one line, without secrets.
shown() {
  text=$(printf '%s' "$1" | tr '\r\n\t' '   ')
  for secret in "$token" "$secret_key" "$session" "$access_key"; do
    [ -n "$secret" ] || continue
    while :; do
      case $text in
        *"$secret"*) text="${text%%"$secret"*}<secret>${text#*"$secret"}" ;;
        *) break ;;
      esac
    done
  done
  printf '%s' "$text" | cut -c 1-1000
}

# The content of an element of an XML text.
element() {
  case $1 in
    *"<$2>"*) rest=${1#*"<$2>"}; printf '%s' "${rest%%"</$2>"*}" ;;
  esac
}

# The keys of a session in an answer, and these for curl; the shell writes them itself, so no command line has them.
take_keys() {
  access_key=$(element "$1" AccessKeyId)
  secret_key=$(element "$1" SecretAccessKey)
  session=$(element "$1" SessionToken)
}
keys() {
  printf 'user = "%s:%s"\nheader = "x-amz-security-token: %s"\n' "$access_key" "$secret_key" "$session"
}

ask() {
  curl --silent --show-error --connect-timeout 10 --max-time 25 --write-out '\n%{http_code}' "$@" 2>"$WORK/error"
}

# What came of a request: the exit code of curl, the status, and its error or the service's.
report() {
  printf '%s exit %s\n' "$1" "$2"
  printf '%s status %s\n' "$1" "$3"
  if [ "$2" -ne 0 ]; then
    printf '%s error %s\n' "$1" "$(shown "$(cat "$WORK/error")")"
  fi
}

if ! command -v curl >/dev/null 2>&1; then
  printf 'image without curl\n'
  exit 0
fi
if ! [ -r "$TOKEN_FILE" ]; then
  printf 'token missing\n'
  exit 0
fi
token=$(cat "$TOKEN_FILE")

answer=$(ask --data-urlencode 'Action=AssumeRoleWithWebIdentity' --data-urlencode 'Version=2011-06-15' \
  --data-urlencode "RoleArn=$ROLE_ARN" --data-urlencode "RoleSessionName=$SESSION_NAME" \
  --data-urlencode 'DurationSeconds=900' --data-urlencode "WebIdentityToken@$TOKEN_FILE" "$STS_URL")
code=$?
status=${answer##*"$newline"}
body=${answer%"$newline"*}
report sts "$code" "$status"
if [ "$code" -ne 0 ] || [ "$status" != 200 ]; then
  printf 'sts code %s\n' "$(shown "$(element "$body" Code)")"
  printf 'sts message %s\n' "$(shown "$(element "$body" Message)")"
  printf 'done\n'
  exit 0
fi
take_keys "$body"

if [ -n "$CHAINED_ROLE" ]; then
  set -- --data-urlencode 'Action=AssumeRole' --data-urlencode 'Version=2011-06-15' \
    --data-urlencode "RoleArn=$CHAINED_ROLE" --data-urlencode "RoleSessionName=$SESSION_NAME" \
    --data-urlencode 'DurationSeconds=900'
  [ -z "$EXTERNAL_ID" ] || set -- "$@" --data-urlencode "ExternalId=$EXTERNAL_ID"
  answer=$(keys | ask --config - --aws-sigv4 "aws:amz:$REGION:sts" "$@" "$STS_URL")
  code=$?
  status=${answer##*"$newline"}
  body=${answer%"$newline"*}
  report chain "$code" "$status"
  if [ "$code" -ne 0 ] || [ "$status" != 200 ]; then
    printf 'chain code %s\n' "$(shown "$(element "$body" Code)")"
    printf 'chain message %s\n' "$(shown "$(element "$body" Message)")"
    printf 'done\n'
    exit 0
  fi
  take_keys "$body"
fi

if [ -n "$WRITE_URL" ]; then
  # The body is the shell's own notation of bytes, so that nothing else is needed to make it.
  printf "$BODY" >"$WORK/body"
  answer=$(keys | ask --config - --aws-sigv4 "aws:amz:$REGION:aps" --header 'Content-Type: application/x-protobuf' \
    --header 'Content-Encoding: snappy' --header 'X-Prometheus-Remote-Write-Version: 0.1.0' \
    --data-binary "@$WORK/body" "$WRITE_URL")
  code=$?
  status=${answer##*"$newline"}
  report write "$code" "$status"
  case $status in
    2??) ;;
    *) printf 'write message %s\n' "$(shown "${answer%"$newline"*}")" ;;
  esac
fi
printf 'done\n'
"""


@dataclasses.dataclass(frozen=True)
class Attempt:
    """What is tried. ``write_url`` is empty where only the exchange is; ``body`` is the write's. Times in seconds.

    ``chained_role_arn`` is a role that writes, assumed with the session; empty without one.
    """

    service_account: str
    audience: str
    role_arn: str
    region: str
    sts_url: str
    write_url: str
    body: bytes
    image: str
    deadline: int
    chained_role_arn: str = ""
    external_id: str = ""
    https_proxy: str = ""

    def manifest(self) -> Json:
        """The job, without name and namespace, fit for the restricted pod security standard
        (https://kubernetes.io/docs/concepts/security/pod-security-standards/)."""
        labels = {**MARK, "app.kubernetes.io/name": "aks-amp-federation-check"}
        # A proxy beside it would keep the pod from ending.
        apart = {"sidecar.istio.io/inject": "false", "linkerd.io/inject": "disabled"}
        metadata = {"labels": {**labels, "sidecar.istio.io/inject": "false"}, "annotations": apart}
        return {
            "metadata": {"labels": labels},
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": self.deadline,
                "ttlSecondsAfterFinished": _KEPT_SECONDS,
                "template": {"metadata": metadata, "spec": self._pod()},
            },
        }

    def _pod(self) -> Json:
        return {
            "serviceAccountName": self.service_account,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "fsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [self._container()],
            "volumes": [
                {
                    "name": "token",
                    "projected": {
                        "sources": [
                            {
                                "serviceAccountToken": {
                                    "audience": self.audience,
                                    "expirationSeconds": _TOKEN_SECONDS,
                                    "path": _TOKEN_FILE,
                                }
                            }
                        ]
                    },
                },
                {"name": "work", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
            ],
        }

    def _container(self) -> Json:
        variables = {
            "ROLE_ARN": self.role_arn,
            "REGION": self.region,
            "SESSION_NAME": SESSION_NAME,
            "STS_URL": self.sts_url,
            "TOKEN_FILE": f"{_TOKEN_FOLDER}/{_TOKEN_FILE}",
            "WORK": _WORK,
            "WRITE_URL": self.write_url,
            "CHAINED_ROLE": self.chained_role_arn,
            "EXTERNAL_ID": self.external_id,
            "BODY": "".join(f"\\{byte:03o}" for byte in self.body),
            **({"HTTPS_PROXY": self.https_proxy} if self.https_proxy else {}),
        }
        return {
            "name": CONTAINER,
            "image": self.image,
            "command": ["sh", "-c", SCRIPT],
            "env": [{"name": name, "value": value} for name, value in variables.items()],
            "resources": {
                "requests": {"cpu": "10m", "memory": "32Mi"},
                "limits": {"cpu": "500m", "memory": "64Mi"},
            },
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [
                {"name": "token", "mountPath": _TOKEN_FOLDER, "readOnly": True},
                {"name": "work", "mountPath": _WORK},
            ],
        }


def sts_url(partition: str, region: str) -> str:
    """The regional endpoint (https://docs.aws.amazon.com/general/latest/gr/sts.html)."""
    return f"https://sts.{region}.{_DOMAINS.get(partition, _DOMAINS['aws'])}/"


@dataclasses.dataclass(frozen=True)
class Answered:
    """What came of one request. ``exit_code`` and ``error`` are curl's, the rest is the service's, empty without."""

    exit_code: int
    status: int
    code: str = ""
    message: str = ""
    error: str = ""

    @property
    def accepted(self) -> bool:
        return self.exit_code == 0 and 200 <= self.status < 300


@dataclasses.dataclass(frozen=True)
class Tried:
    """What a job's log says. What was not asked for is None; ``finished`` is false for a log that breaks off."""

    has_curl: bool = True
    has_token: bool = True
    exchange: Answered | None = None
    chaining: Answered | None = None
    write: Answered | None = None
    finished: bool = False


_LINE = re.compile(r"(?P<call>sts|chain|write) (?P<what>exit|status|code|message|error) ?(?P<value>.*)")
_ENTITIES: t.Final = {"&apos;": "'", "&quot;": '"'}
_JSON_MESSAGE = re.compile(r'"(?:[Mm]essage|error)"\s*:\s*"((?:[^"\\]|\\.)*)"')


def read_log(log: str) -> Tried:
    """Read the program's log; lines that are not the program's are passed over."""
    lines = log.splitlines()
    found: dict[str, dict[str, str]] = {"sts": {}, "chain": {}, "write": {}}
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is not None:
            found[match["call"]][match["what"]] = match["value"].strip()
    return Tried(
        has_curl="image without curl" not in lines,
        has_token="token missing" not in lines,
        exchange=_answered(found["sts"]),
        chaining=_answered(found["chain"]),
        write=_answered(found["write"]),
        finished="done" in lines or "image without curl" in lines or "token missing" in lines,
    )


def _answered(values: t.Mapping[str, str]) -> Answered | None:
    if not values.get("exit", "").isdecimal():
        return None
    message = xml.sax.saxutils.unescape(values.get("message", ""), _ENTITIES)
    as_json = _JSON_MESSAGE.search(message)
    return Answered(
        _number(values["exit"]),
        _number(values.get("status", "")),
        clean(values.get("code", "")),
        clean(as_json[1].replace('\\"', '"') if as_json else message),
        clean(values.get("error", "")),
    )


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
