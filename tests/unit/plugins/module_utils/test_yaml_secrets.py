# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a configuration people may see."""

from __future__ import annotations

import pytest

from ansible_collections.crosscloud.aks_amp.plugins.module_utils.yaml_secrets import redact_url, redactions
from ansible_collections.crosscloud.aks_amp.plugins.module_utils.yaml_text import apply_edits, compose

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
