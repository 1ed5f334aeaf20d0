# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a configuration people may see."""

from __future__ import annotations

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils.text.yaml_secrets import (
    Hidden,
    redact_quoted,
    redact_url,
    redactions,
    secret_values,
)
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.text.yaml_text import Edit, apply_edits, compose

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
    ],
)
def test_secrets_are_blotted_out_and_the_rest_stays(before: str, after: str | None) -> None:
    result = redacted(before)
    assert SECRET not in result
    assert after is None or result == after


def test_an_ordinary_url_stays() -> None:
    assert redact_url("https://x/workspaces/a@b") == "https://x/workspaces/a@b"


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


def test_what_a_program_says_is_shown_without_secrets() -> None:
    secrets = secret_values(TEXT + "e: {secret: ab}\n")
    assert secrets >= {"hunter2", "ab"}
    words = "bad hunter2 in ab of grab, http://me:hunter2@x, `hunt...` and 'ab'"
    assert redact_quoted(words, secrets) == (
        "bad <redacted> in <redacted> of grab, http://<redacted>@x, <redacted> and '<redacted>'"
    )
    assert secret_values("a: [") == secret_values("") == frozenset()
