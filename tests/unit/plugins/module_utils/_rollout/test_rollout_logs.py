# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What logs and events say: the cause, without secrets and control characters."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_logs import (
    MAX_EVENTS,
    MAX_LINE_CHARACTERS,
    MAX_LINES,
    cause_in,
    cause_of,
    clean,
    telling_events,
    telling_lines,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._rollout.rollout_subject import chain_of

Json = dict[str, t.Any]

ROLE = "arn:aws:iam::123456789012:role/R"
CHAIN = chain_of(
    namespace="monitoring", account="prom", role_arn=ROLE, audience="sts.amazonaws.com", region="eu-west-1"
)
START = 'ts=2026-01-01T10:00:00Z caller=main.go:1 level=info msg="Starting" version="2.53.3 credentials"\n'
LAST = 'ts=2026-01-01T10:00:02Z level=error err="one or more errors occurred while applying the new configuration"\n'


def error(*parts: str) -> str:
    """A line that reports an error, as Prometheus 3 writes it."""
    return f'time=2026-01-01T10:00:01.000Z level=ERROR source=main.go:1 msg="Failed" err="{"".join(parts)}"\n'


NO_KEYS = "could not get SigV4 credentials: "
REFRESH = "failed to refresh cached credentials, "  # how the second SDK begins all of them
STS = "operation error STS: AssumeRoleWithWebIdentity, "

#: The words of Prometheus 2 and 3 and of both SDKs, what they mean, and what to do.
LOGS: t.Final = (
    (
        error(
            f"{NO_KEYS}WebIdentityErr: failed to retrieve credentials\\ncaused by: AccessDenied: Not authorized to ",
            "perform sts:AssumeRoleWithWebIdentity\\n\\tstatus code: 403, request id: 5c3f",
        ),
        "could not get SigV4 credentials: WebIdentityErr: failed to retrieve credentials caused by: AccessDenied",
        "trust policy",
        "iam_web_identity",
    ),
    (
        error(
            f"{NO_KEYS}{STS}https response error StatusCode: 400, RequestID: 1, InvalidIdentityToken: Incorrect token ",
            "audience",
        ),
        "Incorrect token audience",
        "sts.amazonaws.com is not a client ID",
        "client IDs",
    ),
    (
        error(f"{NO_KEYS}NoCredentialProviders: no valid providers in chain. Deprecated."),
        "NoCredentialProviders",
        "found no web identity",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ),
    (
        error(f"{NO_KEYS}{REFRESH}no EC2 IMDS role found, operation error ec2imds: Get"),
        "no EC2 IMDS role found",
        "metadata service",
        "AWS_ROLE_ARN",
    ),
    (
        error(
            f"{NO_KEYS}WebIdentityErr: failed fetching WebIdentity token: \\ncaused by: WebIdentityErr: unable to ",
            "read file at /var/run/secrets/aws/token\\ncaused by: open /var/run/secrets/aws/token: permission denied",
        ),
        "permission denied",
        "token file",
        "defaultMode",
    ),
    (
        error(
            f"{NO_KEYS}{REFRESH}failed to retrieve jwt from provide source, unable to read file at ",
            "/var/run/secrets/aws/token: open /var/run/secrets/aws/token: no such file or directory",
        ),
        "no such file",
        "token file",
        "mount of the token",
    ),
    (
        error(f"{NO_KEYS}{REFRESH}operation error ec2imds: GetMetadata, canceled, context deadline exceeded"),
        "ec2imds",
        "metadata service",
        "AWS_ROLE_ARN",
    ),
    (
        error(
            f"{NO_KEYS}{REFRESH}failed to retrieve credentials, {STS}exceeded maximum number of attempts, 3, https ",
            'response error StatusCode: 0, RequestID: , request send failed, Post \\"https://sts.eu-west-1.amazonaws.com/',
            '\\": dial tcp 10.0.0.1:443: i/o timeout',
        ),
        "i/o timeout",
        "does not reach AWS",
        "443",
    ),
    (
        error(
            f'{NO_KEYS}{REFRESH}failed to retrieve credentials, {STS}Post \\"https://sts.eu-west-1.amazonaws.com/\\": ',
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        ),
        "x509",
        "does not trust the certificate",
        "SSL_CERT_FILE",
    ),
    (
        error(
            f"{NO_KEYS}{REFRESH}failed to retrieve credentials, {STS}https response error StatusCode: 403, RequestID: ",
            "1, api error AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity",
        ),
        "AccessDenied",
        "trust policy",
        "iam_web_identity",
    ),
    # A source of credentials that nothing is known of is shown as it is.
    (error(f"{NO_KEYS}{REFRESH}process provider error: exit status 1"), "exit status 1", "", ""),
    (
        error(
            "parsing YAML file /etc/p.yml: yaml: unmarshal errors:\\n  line 30: field external_id not found in type ",
            "sigv4.plain",
        ),
        "field external_id not found",
        "does not know the setting external_id",
        "prometheus_version",
    ),
    (
        error("opening storage failed: lock DB directory: resource temporarily unavailable"),
        "lock DB directory",
        "old pod still holds",
        "Recreate",
    ),
    (
        error("server returned HTTP status 403 Forbidden: User: x is not authorized to perform: aps:RemoteWrite"),
        "403 Forbidden",
        "lacks aps:RemoteWrite",
        "aps:RemoteWrite",
    ),
    (
        error(
            f'{NO_KEYS}{STS}request send failed, Post \\"https://sts.eu-west-1.amazonaws.com/\\": dial tcp: lookup ',
            "sts.eu-west-1.amazonaws.com: no such host",
        ),
        "no such host",
        "does not reach AWS",
        "443",
    ),
    (
        '{"level":"ERROR","msg":"Failed","err":"region not configured in sigv4 or in default credentials chain"}\n',
        "region not configured",
        "names no region",
        "Run the module again",
    ),
    ("prometheus: error: unknown long flag '--nonsense'\n", "unknown long flag", "", ""),
)


@pytest.mark.parametrize(("line", "text", "explanation", "fix"), LOGS)
def test_the_cause_is_found_and_explained(line: str, text: str, explanation: str, fix: str) -> None:
    cause = cause_of(f"{START}{line}{LAST}", CHAIN)
    assert cause is not None
    assert text in cause.text
    assert explanation in cause.explanation
    assert fix in cause.fix
    assert "\\n" not in cause.text
    assert "<" not in explanation


def test_a_calm_log_names_no_cause() -> None:
    assert cause_of(START * 3, CHAIN) is None
    assert cause_of("", CHAIN) is None


def test_the_last_of_equal_errors_counts() -> None:
    lines = [f'level=error err="could not get SigV4 credentials: attempt {number}"\n' for number in range(3)]
    cause = cause_of("".join(lines), CHAIN)
    assert cause is not None
    assert cause.text.endswith("attempt 2")


def test_an_answer_is_explained_like_a_log() -> None:
    cause = cause_in("failed to reload config: ExpiredTokenException: Token expired\n", CHAIN)
    assert cause.text == "failed to reload config: ExpiredTokenException: Token expired"
    assert "lifetime" in cause.explanation


def test_lines_are_chosen_by_what_they_tell_and_repeated_ones_once() -> None:
    noise = "".join(f'ts=2026-01-01T10:00:{n:02d}Z level=info msg="sts is fine {n}"\n' for n in range(30))
    same = "".join(f'ts=2026-01-01T10:01:{n:02d}Z level=warn msg="remote_write slow"\n' for n in range(30))
    lines = telling_lines(f"{noise}{same}{LOGS[0][0]}{LAST}")
    assert len(lines) == 3
    assert "remote_write slow" in lines[0]
    assert "SigV4" in lines[1]
    assert telling_lines("one\ntwo\nthree\nfour\n") == ("two", "three", "four")


_TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"
SECRETS: t.Final = (
    (f"token {_TOKEN} here", _TOKEN),
    (f"cut {_TOKEN[:30]}", _TOKEN[:30]),
    ("key AKIAIOSFODNN7EXAMPLE and", "AKIAIOSFODNN7EXAMPLE"),
    ("Authorization: Bearer abc.def-ghi", "abc.def-ghi"),
    ("Authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
    ("https://user:hunter2@host/path", "hunter2"),
    ("proxy http://user:it's@hunter2@proxy:3128, https://x", "hunter2"),
    ('"err":"parse \\"http://user:a\\"hunter2@proxy\\""', "hunter2"),
    ("X-Amz-Security-Token=FwoGZXIvYXdzEBYaDH&x", "FwoGZXIvYXdzEBYaDH"),
    ("password: hunter2, more", "hunter2"),
    ('"secret_access_key":"wJalrXUtnFEMI"', "wJalrXUtnFEMI"),
    ("client_secret = s3cr3t", "s3cr3t"),
    ("WebIdentityToken=abcdef123&Version", "abcdef123"),
    ("https://me:hunter2#2@host/path", "hunter2"),
    ('err="parse \\"https://me:hunter2\\": invalid port \\":hunter2\\" after host"', "hunter2"),
    ('parse "http://me:hunter2?now@proxy:3128": invalid port ":hunter2" after host', "hunter2"),
    ("level=error url=https://x:8053?token=hunter2 msg=a", "hunter2"),
    ('err="Post \\"https://x:8053?X-License-Key=hunter2\\": EOF"', "hunter2"),
    ('{"url":"https://x?db=a\\u0026sig=hunter2\\u0026b=c"}', "hunter2"),
)


@pytest.mark.parametrize(("line", "secret"), SECRETS)
def test_secrets_are_blotted_out(line: str, secret: str) -> None:
    assert secret not in clean(line)
    assert "<redacted>" in clean(line)


def test_what_stands_beside_a_secret_in_a_url_stays() -> None:
    line = '{"url":"https://x?db=a&token=hunter2","code":404,"err":"Post \\"https://x?sig=hunter2\\": EOF"}'
    assert clean(line) == line.replace("hunter2", "<redacted>")


@pytest.mark.parametrize("line", ["no credentials provider", "the password file is missing", "region eu-west-1", ROLE])
def test_what_is_no_secret_stays(line: str) -> None:
    assert clean(line) == line


@given(st.text(max_size=2000))
def test_no_text_gets_through_with_control_characters_or_without_bound(text: str) -> None:
    shown = clean(text)
    assert len(shown) <= MAX_LINE_CHARACTERS
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)


@given(st.lists(st.text(max_size=300), max_size=60))
def test_any_log_is_read_without_harm(lines: list[str]) -> None:
    log = "\n".join(lines)
    shown = telling_lines(log)
    assert len(shown) <= MAX_LINES
    cause = cause_of(log, CHAIN)
    assert cause is None or len(cause.text) <= MAX_LINE_CHARACTERS


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=80))
def test_an_error_field_is_read_in_both_forms(error: str) -> None:
    wanted = " ".join(f"could not get SigV4 credentials: {error}".split())
    quoted = json.dumps(f"could not get SigV4 credentials: {error}", ensure_ascii=False)
    logfmt = cause_of(f"level=error err={quoted}", CHAIN)
    other = cause_of(json.dumps({"level": "ERROR", "err": f"could not get SigV4 credentials: {error}"}), CHAIN)
    assert logfmt is not None
    assert other is not None
    assert logfmt == other
    assert other.text == clean(wanted).rstrip(".")


# --- events -----------------------------------------------------------------------------------------------------------


def event(reason: str, message: str, when: str, *, kind: str = "Warning", count: int = 1, **more: t.Any) -> Json:
    return {"reason": reason, "message": message, "type": kind, "lastTimestamp": when, "count": count, **more}


def test_warnings_are_shown_newest_first_and_once() -> None:
    events = [
        event("FailedMount", "no.", "2026-01-01T10:00:00Z", count=3),
        event("Pulled", "fine", "2026-01-01T10:09:00Z", kind="Normal"),
        event("BackOff", "again", "2026-01-01T10:05:00Z"),
        event("FailedMount", "no.", "2026-01-01T10:01:00Z", count=2),
    ]
    assert telling_events(events) == ("BackOff: again", "FailedMount: no (5 times)")


def test_events_of_the_newer_form_count_too() -> None:
    newer = {"type": "Warning", "reason": "R", "message": "m", "eventTime": "2026-01-02T00:00:00.000000Z"}
    series = {**newer, "reason": "S", "series": {"count": 7, "lastObservedTime": "2026-01-03T00:00:00.000000Z"}}
    assert telling_events([newer, series]) == ("S: m (7 times)", "R: m")


def test_only_some_are_shown_and_their_secrets_are_not() -> None:
    events = [event(f"R{number}", f"password={number}hunter", f"2026-01-01T10:00:0{number}Z") for number in range(9)]
    shown = telling_events(events)
    assert len(shown) == MAX_EVENTS
    assert "hunter" not in str(shown)
