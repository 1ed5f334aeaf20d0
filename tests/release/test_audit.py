# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit of dependencies: pip-audit itself, asking a service on loopback that speaks OSV."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
import typing as t

import pytest

from tests.release.audit import FOUND, NOT_AUDITED, Audit, audit, judged

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KNOWN = {
    "id": "PYSEC-2026-1",
    "summary": "Something is wrong.",
    "affected": [
        {
            "package": {"name": "leaky", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}],
        }
    ],
}


@contextlib.contextmanager
def service(status: int = 200) -> Iterator[str]:
    """Knows one vulnerability, of the package ``leaky``; gives the address to ask."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = {"vulns": [KNOWN]} if asked["package"]["name"] == "leaky" else {}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_unused: object) -> None:
            """Silent: pytest shows what counts."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/query"
        finally:
            server.shutdown()
            thread.join()


def ask(folder: Path, url: str, *pins: str) -> Audit:
    file = folder / "requirements.txt"
    file.write_text("\n".join(pins) + "\n", encoding="utf-8")
    return audit((file,), "--vulnerability-service", "osv", "--osv-url", url, "--no-deps", "--disable-pip")


def test_packages_without_a_known_vulnerability_pass(tmp_path: Path) -> None:
    with service() as url:
        outcome = ask(tmp_path, url, "sound==1.0", "solid==2.1")
    assert sorted(outcome.clean) == ["solid 2.1", "sound 1.0"]
    assert (outcome.exit_code, outcome.lines()) == (0, ["2 packages have no known vulnerability."])


def test_a_known_vulnerability_is_named_with_the_version_that_repairs_it(tmp_path: Path) -> None:
    with service() as url:
        outcome = ask(tmp_path, url, "sound==1.0", "leaky==1.0")
    assert outcome.exit_code == FOUND
    assert outcome.lines() == [
        "VULNERABLE  leaky 1.0: PYSEC-2026-1, repaired in 2.0",
        "1 packages have no known vulnerability.",
    ]


def test_a_service_that_fails_is_no_verdict(tmp_path: Path) -> None:
    with service(status=503) as url:
        outcome = ask(tmp_path, url, "sound==1.0")
    assert outcome.exit_code == NOT_AUDITED
    assert outcome.lines()[0].startswith("NOT AUDITED: ")


def test_a_service_that_is_not_there_is_no_verdict(tmp_path: Path) -> None:
    with service() as url:
        """Its port is free again when the block ends."""
    outcome = ask(tmp_path, url, "sound==1.0")
    assert outcome.exit_code == NOT_AUDITED
    assert outcome.lines()[0].startswith("NOT AUDITED: ")


@pytest.mark.parametrize("also_clean", [(), ({"name": "sound", "version": "1.0", "vulns": []},)])
def test_a_package_that_the_service_does_not_know_is_no_verdict(also_clean: tuple[dict[str, t.Any], ...]) -> None:
    # What pip-audit writes where the index has no page for the version; it ends with 0 then.
    outcome = judged({"dependencies": [*also_clean, {"name": "hidden", "skip_reason": "not found"}]})
    assert outcome.exit_code == NOT_AUDITED
    assert outcome.lines() == [
        "NOT AUDITED: nothing was learnt of 1 packages, among them: hidden (not found).",
    ]


def test_no_package_at_all_is_no_verdict() -> None:
    assert judged({"dependencies": []}).exit_code == NOT_AUDITED
