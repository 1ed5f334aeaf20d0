# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module of the tests' own, which does what modules must not do: how it ends is looked at in both ways."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import time
import typing as t
import warnings
from pathlib import Path

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._options import ArgumentSpec, Params
from ansible_collections.crosscloud.aks_amp.plugins.module_utils._runner import Context, ModuleDefinition, Result

NOISE: t.Final = "noise-of-an-sdk"


def _tell(params: Params, context: Context) -> dict[str, object]:
    given = params.optional_mapping("given") or {}
    umask = os.umask(0o077)
    os.umask(umask)
    return {
        "cwd": str(Path.cwd()),
        "umask": umask,
        "relative": Path("beside_the_playbook.txt").read_text(encoding="utf-8"),
        "variable": os.environ.get("AKS_AMP_TRIAL"),
        "secret_length": len(params.optional_text("secret") or ""),
        "secret_itself": params.optional_text("secret"),
        "types": {name: type(value).__name__ for name, value in given.items()},
        "given": given,
        "check_mode": context.check_mode,
        "another": params.optional_text("name"),
    }


def _print(_params: Params, _context: Context) -> dict[str, object]:
    print(NOISE)  # noqa: T201  # as an SDK might
    print(NOISE, file=sys.stderr)  # noqa: T201  # the same
    os.write(2, f"{NOISE}\n".encode())
    subprocess.run(["/bin/sh", "-c", f"echo {NOISE} >&2"], check=True)  # noqa: S603  # a constant
    warnings.warn(NOISE, DeprecationWarning, stacklevel=1)
    logging.getLogger("sdk").error(NOISE)
    logging.getLogger("sdk").info(NOISE)
    return {}


def _listen(_params: Params, _context: Context) -> dict[str, object]:
    """What a kubeconfig's loader says of a credential plugin that fails is to be had from its log alone."""
    heard: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]  # short
    logging.getLogger().addHandler(handler)
    logging.getLogger("sdk").error("%s", "plugin failed")
    return {"heard": heard}


def _refuse(params: Params, _context: Context) -> dict[str, object]:
    raise errors.InvalidInput(f"The secret {params.optional_text('secret')} is none.", fix="Give another.")


def _bug(params: Params, _context: Context) -> dict[str, object]:
    raise ZeroDivisionError(params.optional_text("secret"))


def _exit(_params: Params, _context: Context) -> dict[str, object]:
    sys.exit(3)


def _cancel(_params: Params, _context: Context) -> dict[str, object]:
    raise asyncio.CancelledError


def _recurse(params: Params, context: Context) -> dict[str, object]:
    return _recurse(params, context)


def _hoard(_params: Params, _context: Context) -> dict[str, object]:
    return {"size": len([0] * (1 << 60))}


def _sleep(_params: Params, _context: Context) -> dict[str, object]:
    time.sleep(60)
    return {}


def _thread(_params: Params, _context: Context) -> dict[str, object]:
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return {}


WAYS: t.Final = {
    "tell": _tell,
    "print": _print,
    "listen": _listen,
    "refuse": _refuse,
    "bug": _bug,
    "exit": _exit,
    "cancel": _cancel,
    "recurse": _recurse,
    "hoard": _hoard,
    "sleep": _sleep,
    "thread": _thread,
}


def run(params: Params, context: Context) -> Result:
    told = WAYS[params.text("what")](params, context)
    where = "worker" if "ansible.executor.task_executor" in sys.modules else "process"
    return Result({**told, "where": where}, warnings=("Mind the trial.",))


DEFINITION: t.Final = ModuleDefinition(
    ArgumentSpec(
        {
            "what": {"type": "str", "required": True, "choices": sorted(WAYS)},
            "name": {"type": "str", "aliases": ["title"]},
            "given": {"type": "dict"},
            "secret": {"type": "str", "no_log": True},
            "old": {
                "type": "str",
                "removed_in_version": "9.0.0",
                "removed_from_collection": "crosscloud.trial",
            },
        }
    ),
    run,
)
