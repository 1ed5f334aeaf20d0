# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is loaded before workers are forked: data and code, no socket and no credential, and enough to need no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

#: Loads everything, then makes clients, and prints what was opened and which sockets were made until and after then.
_SCRIPT: t.Final = """
import json, sys

seen = {"files": [], "sockets": []}

def audit(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        seen["files"].append(arguments[0])
    elif event.startswith("socket."):
        seen["sockets"].append(event)

from ansible_collections.crosscloud.aks_amp.plugins.module_utils._clients import arm, aws, azure, graph, tls_chain
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import AwsAuth, AzureAuth, Transport

sys.addaudithook(audit)
arm.load_libraries()
aws.load_models()
graph.load_libraries()
tls_chain.load_roots()
before = {name: list(entries) for name, entries in seen.items()}
seen["files"].clear()
modules = set(sys.modules)
session = aws.AwsSession(AwsAuth(Transport(), "eu-west-1", access_key="AKIAEXAMPLE", secret_key="unit-test"))
for service in ("iam", "sts", "amp"):
    session.client(service)
tls_chain.ChainReader(Transport(), ())
login = azure.AzureSession(AzureAuth(Transport(), tenant="t", client_id="c", secret="unit-test"))
arm.connect(login, "s")
print(json.dumps({"before": before, "after": seen["files"], "imported": sorted(set(sys.modules) - modules)}))
"""


def test_nothing_is_read_or_imported_again_after_it_and_no_socket_made(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text("[default]\naws_access_key_id = x\n", encoding="ascii")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "AZURE_"))}
    environment = {**kept, "HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", "-c", _SCRIPT]
    done = subprocess.run(  # noqa: S603  # this interpreter
        command, check=True, capture_output=True, text=True, env=environment
    )
    told = json.loads(done.stdout)
    assert told["before"]["sockets"] == []
    assert not [file for file in told["before"]["files"] if file.startswith(str(tmp_path))]
    assert [file for file in told["before"]["files"] if "service-2.json" in file]
    assert not [file for file in told["after"] if file.endswith((".json", ".json.gz", "cacert.pem", ".py", ".pyc"))]
    assert told["imported"] == []
