# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a configuration people may see."""

from __future__ import annotations

import time
import typing as t

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.url_secrets import is_secret_parameter
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_secrets import (
    Hidden,
    is_secret_name,
    redact_quoted,
    redact_url,
    redactions,
    secret_values,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._text.yaml_text import Edit, apply_edits, compose, flow

SECRET = "hunter2"


def redacted(text: str) -> str:
    root = compose(text, marks=True)
    assert root is not None
    return apply_edits(text, redactions(text, root))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("password: hunter2 # old\n", "password: <redacted> # old\n"),
        ("password: 'hunter2'\r\na: 1\r\n", "password: <redacted>\r\na: 1\r\n"),
        ("a: {client_secret: hunter2, b: 1}\n", "a: {client_secret: <redacted>, b: 1}\n"),
        ("credentials: |\n  hunter2\n  more\nb: 1\n", "credentials: <redacted>\nb: 1\n"),
        ("headers:\n  X-Auth: hunter2\nb: 1\n", "headers:\n  X-Auth: <redacted>\nb: 1\n"),
        ("http_headers: {X: {secrets: [hunter2, hunter2]}}", "http_headers: {X: {secrets: [<redacted>, <redacted>]}}"),
        ("a: &p hunter2\npassword: *p\n", "a: &p <redacted>\npassword: *p\n"),
        ("url: https://me:hunter2@x/y\n", "url: https://<redacted>@x/y\n"),
        ("a: 1\n#  password: hunter2\n", "a: 1\n#  password: <redacted>\n"),
        ("# - basic_auth: {username: me, password: hunter2}\na: 1\n", None),
        ("password_file: /etc/p\nusername: me\nkey_file: /k\n", "password_file: /etc/p\nusername: me\nkey_file: /k\n"),
        ("password:\nb: 1\n", "password:\nb: 1\n"),
        ("proxy_url: http://me:hunter2's@x:3128\n", "proxy_url: http://<redacted>@x:3128\n"),
        ("proxy_url: 'http://me:it''s@hunter2@x'\n", "proxy_url: 'http://<redacted>@x'\n"),
        ('a: {url: "http://x", b: "http://p@ss:hunter2@y"}\n', 'a: {url: "http://x", b: "http://<redacted>@y"}\n'),
        ('a: ["http://x:1","me@y"]\n', 'a: ["http://x:1","me@y"]\n'),
        ('url: "http:\\/\\/me:hunter2@x"\n', "url: <redacted>\n"),
        ('url: "http://me:hun\\\n  ter2@x"\n', "url: <redacted>\n"),
        ('url: "http://me:hunter2\\u0040x"\n', "url: <redacted>\n"),
        ('url: "http://x/\\u0040"\n', 'url: "http://x/\\u0040"\n'),
        ("http://me:hunter2@x: 1\n", "http://<redacted>@x: 1\n"),
        (
            "# http://a:hunter2@x,http://b http://c:hunter2@y\n- 1\n",
            "# http://<redacted>@x,http://b http://<redacted>@y\n- 1\n",
        ),
        ("a: 1 # token: hunter2\n", "a: 1 # token: <redacted>\n"),
        ("a: {b: '#', # http://me:hunter2@x\n  c: d}\n", "a: {b: '#', # http://<redacted>@x\n  c: d}\n"),
        (
            "a: |\n  # auth_key: b\n  # token: hunter2\n  url: http://u:hunter2@x\n",
            "a: |\n  # auth_key: b\n  # token: <redacted>\n  url: http://<redacted>@x\n",
        ),
        ("url: https://me:hunter2#2@x/push\n", "url: https://<redacted>@x/push\n"),
        ("proxy_url: http://me:what?hunter2@x:3128\n", "proxy_url: http://<redacted>@x:3128\n"),
        ("proxy_url: http://me:hunter2/x@y:3128\n", "proxy_url: http://<redacted>@y:3128\n"),
        ("url: https://x/push?mail=a@b\n", "url: https://x/push?mail=a@b\n"),
        ("url: https://x:443/a:b@c\n", "url: https://x:443/a:b@c\n"),
        (
            "url: https://x/write?X-License-Key=hunter2&prometheus_server=a # b\n",
            "url: https://x/write?X-License-Key=<redacted>&prometheus_server=a # b\n",
        ),
        ("- {url: 'https://x:8053?token=hunter2\",2', b: 1}\n", "- {url: 'https://x:8053?token=<redacted>', b: 1}\n"),
        ('- {url: "https://x?u=me&p=hunter2#c", b: 1}\n', '- {url: "https://x?u=me&p=<redacted>", b: 1}\n'),
        ('- {url: "https://x?to\\u006ben=hunter2", b: 1}\n', "- {url: <redacted>, b: 1}\n"),
        ('a: |\n  {url: "https://x?key=hunter2", b: 1}\n', 'a: |\n  {url: "https://x?key=<redacted>", b: 1}\n'),
        ("a: 1 # see https://x?sig=hunter2&b=c\n", "a: 1 # see https://x?sig=<redacted>&b=c\n"),
        (
            "url: https://x/probe?target=https%3A%2F%2Fy%3Ftoken%3Dhunter2\n",
            "url: https://x/probe?target=https%3A%2F%2Fy%3Ftoken%3D<redacted>\n",
        ),
        (
            "params: {auth: [hunter2], sig: hunter2, license_key: [hunter2], module: [a], 'match[]': [up]}\n",
            "params: {auth: [<redacted>], sig: <redacted>, license_key: [<redacted>], module: [a], 'match[]': [up]}\n",
        ),
        ("auth: hunter\nsig: a\n", "auth: hunter\nsig: a\n"),
        ("labels: {__param_auth: hunter2, auth: a}\n", "labels: {__param_auth: <redacted>, auth: a}\n"),
        (
            "- {target_label: __param_token, replacement: hunter2}\n- {target_label: token, replacement: a}\n",
            "- {target_label: __param_token, replacement: <redacted>}\n- {target_label: token, replacement: a}\n",
        ),
        (
            "newrelic: {licenseKey: hunter2, ingest_key: hunter2}\n",
            "newrelic: {licenseKey: <redacted>, ingest_key: <redacted>}\n",
        ),
        (
            "oauth2: {endpoint_params: {a: hunter2}, scopes: [b]}\n",
            "oauth2: {endpoint_params: {a: <redacted>}, scopes: [b]}\n",
        ),
        ("oauth2: {endpointParams: {a: hunter2}}\n", "oauth2: {endpointParams: {a: <redacted>}}\n"),
        (
            "# - password: |\r\n#     hunter2\r\n#\r\n#     hunter2 too\r\n#   user: me\r\na: 1\r\n",
            "# - password: <redacted>\r\n#     <redacted>\r\n#\r\n#     <redacted>\r\n#   user: me\r\na: 1\r\n",
        ),
        (
            "a:\n  # headers:\n  #   X-Auth: hunter2\n  # credentials:\n  # - hunter2\n  # b: 1\n  c: 1\n",
            "a:\n  # headers:\n  #   <redacted>\n  # credentials:\n  # <redacted>\n  # b: 1\n  c: 1\n",
        ),
        ("a: 1 # token: hunter2\n# b\n", "a: 1 # token: <redacted>\n# b\n"),
        ("webhook_token: &t hunter2\na: *t\n", "webhook_token: &t <redacted>\na: *t\n"),
        ("params: {access_token: [hunter2]}\n", "params: {access_token: [<redacted>]}\n"),
        (
            "tokens_secret: {name: x}\nuse_token: true\nold_password: ~\n",
            "tokens_secret: {name: x}\nuse_token: true\nold_password: ~\n",
        ),
        (
            "global: {external_labels: {cost_token: a}}\nstatic_configs: [{labels: {api_key_secret: b}}]\n",
            "global: {external_labels: {cost_token: a}}\nstatic_configs: [{labels: {api_key_secret: b}}]\n",
        ),
    ],
)
def test_secrets_are_blotted_out_and_the_rest_stays(before: str, after: str | None) -> None:
    result = redacted(before)
    assert SECRET not in result
    assert after is None or result == after


@pytest.mark.parametrize(
    "url",
    [
        "https://x/workspaces/a@b",
        "https://x:443/a:b@c",
        "https://[::1]:9090/a@b",
        "https://x me@y",
        "me@x",
        "https://x/write?db=a&precision=ms&tenant=b&region=c&u=me&match[]=up#frag",
        "https://x?token=&b=c",
        "https://x?token",
    ],
)
def test_an_ordinary_url_stays(url: str) -> None:
    assert redact_url(url) == url


#: Each setting of Prometheus that is a secret, under the section that has it: service discovery, remote write, HTTP.
SETTINGS: t.Final = {
    "alertmanagers": ("basic_auth.password", "authorization.credentials", "bearer_token", "tls_config.key"),
    "azure_sd_configs": ("client_secret",),
    "consul_sd_configs": ("token", "password"),
    "ec2_sd_configs": ("access_key", "secret_key"),
    "http_sd_configs": ("oauth2.client_secret", "oauth2.client_certificate_key", "http_headers.X-Key.secrets"),
    "marathon_sd_configs": ("auth_token",),
    "openstack_sd_configs": ("password", "application_credential_secret"),
    "ovhcloud_sd_configs": ("application_secret", "consumer_key"),
    "remote_write": ("sigv4.secret_key", "azuread.oauth.client_secret", "headers.X-Key", "proxy_connect_header.X-Key"),
    "scaleway_sd_configs": ("secret_key",),
    "stackit_sd_configs": ("private_key", "service_account_key"),
    "uyuni_sd_configs": ("password",),
}


@pytest.mark.parametrize(("section", "path"), [(name, path) for name, paths in SETTINGS.items() for path in paths])
def test_every_secret_setting_of_prometheus_is_known(section: str, path: str) -> None:
    *outer, last = path.split(".")
    lines = [f"{section}:", *("  " * depth + f"  {name}:" for depth, name in enumerate(outer))]
    text = "\n".join([*lines, "  " * len(outer) + f"  {last}: hunter2", "b: 1\n"])
    assert SECRET not in redacted(text)
    assert redacted(text).endswith(f"{last}: <redacted>\nb: 1\n")


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("adminPassword", True),
        ("slack-api-key", True),
        ("application_secret", True),
        ("SERVICE_ACCOUNT_KEY", True),
        ("password_file", False),
        ("secretName", False),
        ("client_secret_ref", False),
        ("licenseKey", True),
        ("ingest-key", True),
        ("insertKeyRef", False),
        ("key_file", False),
        ("private_key_path", False),
        ("application_key", False),
        ("source_labels", False),
        ("target_label", False),
        ("credentials_file", False),
    ],
)
def test_a_name_that_ends_as_secrets_do(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


#: What a proxy's user and password may consist of, for Go and beyond.
USERINFO_TEXTS: t.Final = st.text(
    st.characters(codec="utf-8", exclude_categories=("Z", "C"), exclude_characters="/")
    | st.sampled_from("?#@:'\"%&=,;[]{}!$*+()`|>\\"),
    min_size=1,
)


@given(USERINFO_TEXTS, USERINFO_TEXTS, st.sampled_from(["", ":3128", "/push", "?a=b", "#c", "/a@b"]))
@example("user", "it's", ":3128")
@example("user", "p@ssw0rd", ":3128")
@example("user", "token:x", "")
@example("user", "a#b?token=c", "?a=b")
def test_no_part_of_a_urls_password_is_shown(user: str, password: str, rest: str) -> None:
    url, shown = f"http://{user}:{password}@host{rest}", f"http://<redacted>@host{rest}"
    assert redact_url(f"see {url} and http://host/a@b") == f"see {shown} and http://host/a@b"
    single = url.replace("'", "''")
    assert redacted(f"a: '{single}' # b\n") == f"a: '{shown}' # b\n"
    assert redacted(f"a: |\n  b: {url}\n") == f"a: |\n  b: {shown}\n"
    assert redacted(f"a: [{flow(url)}, b]\n") in (f'a: ["{shown}", b]\n', "a: [<redacted>, b]\n")
    # What looks like a secret setting in a comment takes the rest of the line with it.
    assert redacted(f"# {url}\na: 1\n") in (f"# {shown}\na: 1\n", "# http://<redacted>\na: 1\n")


#: Names of query parameters that are secret, as services spell them, and those that are none.
SECRET_PARAMETERS: t.Final = (
    *("Api-Key", "X-License-Key", "access_token", "api%5Fkey", "apikey", "auth", "code", "hec_token", "ingest-key"),
    *("insertKey", "key", "license", "p", "passwd", "password", "sig", "signature", "token", "token2", "client_secret"),
    *("X-Amz-Credential", "X-Amz-Security-Token", "X-Amz-Signature", "auth[token]", "pwd", "authorization"),
)
OTHER_PARAMETERS: t.Final = ("db", "match[]", "module", "precision", "prometheus_server", "region", "tenant", "key_id")


@pytest.mark.parametrize("name", SECRET_PARAMETERS)
def test_a_parameter_that_is_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret_parameter(name)


@pytest.mark.parametrize("name", OTHER_PARAMETERS)
def test_a_parameter_that_is_no_secret_stays_readable(name: str) -> None:
    assert not is_secret_parameter(name)


@given(
    st.sampled_from(SECRET_PARAMETERS),
    st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C"), exclude_characters='&"\\')),
    st.sampled_from(OTHER_PARAMETERS),
    st.sampled_from(["https://host/push", "https://host:8053", "host/push"]),
)
@example("token", "://a:b@c", "db", "https://host")
@example("token", "'',#?;=", "db", "https://host/")
def test_the_value_of_a_secret_parameter_is_never_shown(name: str, rest: str, other: str, address: str) -> None:
    # What comes first tells the secret from all else, as an "@" without a path before it ends a password.
    url = f"{address}/?{other}=a&{name}={SECRET}{rest}&{other}=b"
    shown = f"{address}/?{other}=a&{name}=<redacted>&{other}=b"
    assert redact_url(f'see "{url}": {url} ') == f'see "{shown}": {shown} '
    single = url.replace("'", "''")
    assert redacted(f"a: '{single}' # b\n") == f"a: '{shown}' # b\n"
    assert redacted(f"a: |\n  b: {url}\n") == f"a: |\n  b: {shown}\n"
    assert redacted(f"a: [{flow(url)}, b]\n") in (f'a: ["{shown}", b]\n', "a: [<redacted>, b]\n")
    assert SECRET not in redacted(f"# {url}\na: 1 # {url}\n")


@given(st.sampled_from(SECRET_PARAMETERS), st.sampled_from(OTHER_PARAMETERS))
def test_parameters_of_scrape_configs_are_judged_as_those_of_urls(name: str, other: str) -> None:
    text = f"params:\n  '{other}': [a]\n  '{name}':\n  - {SECRET}\n"
    assert redacted(text) == text.replace(SECRET, "<redacted>")


@pytest.mark.parametrize(
    "piece",
    [
        "http://a@",
        "http://",
        "@",
        "# ",
        "#\n",
        "# password ",
        "#password:" + " " * 40,
        "a: b@c\n",
        "'#' # x\n",
        "- token: x\n",
        "http://a:b/",
        "?token=a",
        "&key=",
        "%3F",
        '#"',
        "# token:\n",
        "# token:\n#\n",
    ],
)
def test_long_texts_take_time_by_their_length(piece: str) -> None:
    def seconds(length: int) -> float:
        count = length // len(piece)
        block, comment = (piece * count).replace("\n", "\n  "), piece.rstrip() * count
        text = f"a: |\n  {block}\n# {comment}\n"
        root = compose(text, marks=True)
        assert root is not None
        begun = time.process_time()
        redactions(text, root)
        return time.process_time() - begun

    assert seconds(40_000) < max(24 * seconds(5_000), 0.3)


TEXT = "a: 1\npassword: hunter2\nb: 2 # password: hunter2\nc: {token: 'hunter2', url: http://me:hunter2@x}\nd: 3\n"


def at(part: str, new: str, *, before: int = 0) -> Edit:
    """An edit that replaces a part of the text."""
    start = TEXT.index(part) + before
    return Edit(start, start + len(part) - before, new)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param([at("a: 1\n", "a: 1\nx: y\nz: w\n")], id="before"),
        pytest.param([at("a: 1\n", "")], id="less before"),
        pytest.param([at("d: 3", "d: 345\ne: 4")], id="behind"),
        pytest.param([at("password: hunter2\n", "")], id="a secret goes"),
        pytest.param([at("hunter2\nb", "b", before=8)], id="nothing of it"),
        pytest.param([at("password: hun", "password: ")], id="a part of a secret goes"),
        pytest.param([Edit(TEXT.index("nter2"), TEXT.index("nter2"), "xx")], id="inside of a secret"),
        pytest.param([at("a: 1\n", ""), at("b: 2", "b: 22"), at("d: 3\n", "")], id="several"),
        pytest.param([at("a: 1\n", ""), Edit(2, TEXT.index("b: 2"))], id="overlapping deletions"),
        pytest.param([Edit(TEXT.index("c:"), TEXT.index("c:"), "x: y\n")], id="insertion"),
    ],
)
def test_secrets_are_followed_through_a_change(change: list[Edit]) -> None:
    root = compose(TEXT, marks=True)
    assert root is not None
    hidden = Hidden(TEXT, root)
    assert hidden.shown(TEXT) == redacted(TEXT)
    hidden.follow(TEXT, change)
    after = apply_edits(TEXT, change)
    assert hidden.shown(after) == redacted(after)


def test_what_a_change_puts_back_in_a_secrets_place_is_hidden_too() -> None:
    text = "a: # password: hunter2\n- b\n"
    root = compose(text, marks=True)
    assert root is not None
    hidden = Hidden(text, root)
    change = [Edit(2, len(text), " [] # password: hunter2\n")]
    hidden.follow(text, change)
    assert hidden.shown(apply_edits(text, change)) == "a: [] # password: <redacted>\n"


def test_what_a_program_says_is_shown_without_secrets() -> None:
    secrets = secret_values(TEXT + "e: {secret: ab}\n")
    assert secrets >= {"hunter2", "ab"}
    words = "bad hunter2 in ab of grab, http://me:hunter2@x, `hunt...` and 'ab'"
    assert redact_quoted(words, secrets) == (
        "bad <redacted> in <redacted> of grab, http://<redacted>@x, <redacted> and '<redacted>'"
    )
    assert redact_quoted('parse "https://me:hun": invalid port ":hun" after host', ()) == (
        'parse "https://<redacted>": invalid port "<redacted>" after host'
    )
    assert secret_values("a: [") == secret_values("") == frozenset()
