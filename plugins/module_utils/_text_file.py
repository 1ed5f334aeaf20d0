# Copyright (c) 2026, crosscloud.aks_amp contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One text file, read as it is and replaced as a whole: a reader sees the old or the new text, never a half."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
import tempfile
import time
from pathlib import Path

from ansible_collections.crosscloud.aks_amp.plugins.module_utils import _errors as errors

#: Of a new file, unless a mode is asked for.
DEFAULT_MODE = 0o644


@dataclasses.dataclass(frozen=True)
class FileText:
    """What is there. ``path`` is the file itself, behind symbolic links; ``content`` is None where there is none."""

    path: Path
    content: bytes | None
    mode: int | None

    @property
    def text(self) -> str | None:
        """Raises Refused for what is no UTF-8 text; byte order mark and line ends stay."""
        if self.content is None:
            return None
        try:
            return self.content.decode()
        except UnicodeDecodeError as error:
            raise errors.Refused(
                f"{self.path} is not UTF-8 text: byte {error.start + 1} can't be read.",
                fix="Convert it to UTF-8 first; nothing was changed.",
            ) from None


def read_file(dest: str) -> FileText:
    """The file that a path leads to. Raises NotFound for a missing folder or the target of a link, Refused for what is
    no file, NotReady for what can't be read."""
    given = Path(dest)
    path = Path(os.path.realpath(dest))
    if not path.parent.is_dir():
        raise errors.NotFound(f"There is no folder {path.parent}.", fix="Create it first, or correct 'dest'.")
    try:
        status = path.stat()
    except FileNotFoundError:
        if given.is_symlink():
            raise errors.NotFound(
                f"{given} is a symbolic link to {path}, which is not there.",
                fix="Remove the link or create its target.",
            ) from None
        return FileText(path, None, None)
    except OSError as error:
        raise _cant("read", path, error) from None
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise errors.Refused(f"{path} is {kind}.", fix="Name a file by 'dest'.")
    try:
        return FileText(path, path.read_bytes(), stat.S_IMODE(status.st_mode))
    except OSError as error:
        raise _cant("read", path, error) from None


def write_file(known: FileText, content: bytes, mode: int) -> FileText:
    """Replace the file, provided that it is still as it was read; else raises Conflict."""
    _require_unchanged(known)
    path = known.path
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _cant("written", path, error) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            _keep_owner(file.fileno(), path)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        _require_unchanged(known)
        Path(name).replace(path)
    except OSError as error:
        raise _cant("written", path, error) from None
    finally:
        Path(name).unlink(missing_ok=True)
    _sync_folder(path.parent)
    return FileText(path, content, mode)


def remove_file(known: FileText) -> FileText:
    """Remove the file, provided that it is still as it was read; else raises Conflict."""
    _require_unchanged(known)
    try:
        known.path.unlink()
    except OSError as error:
        raise _cant("removed", known.path, error) from None
    _sync_folder(known.path.parent)
    return FileText(known.path, None, None)


def back_up(known: FileText) -> str:
    """Copy the file beside itself, with the same mode, and return the copy's path."""
    if known.content is None or known.mode is None:
        raise ValueError("There is no file to copy.")
    name = f"{known.path}.{time.strftime('%Y-%m-%d@%H:%M:%S')}~"
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(known.content)
            os.fchmod(file.fileno(), known.mode)
    except FileExistsError:  # the same second, the same file
        return name
    except OSError as error:
        raise _cant("copied", known.path, error) from None
    return name


def _require_unchanged(known: FileText) -> None:
    try:
        content = known.path.read_bytes()
    except FileNotFoundError:
        content = None
    except OSError as error:
        raise _cant("read", known.path, error) from None
    if content != known.content:
        raise errors.Conflict(
            service="The file system",
            action=f"writing {known.path}",
            detail="it was changed by somebody else meanwhile",
        )


def _keep_owner(descriptor: int, path: Path) -> None:
    """The owner of the file that is replaced, where the caller may give it away."""
    with contextlib.suppress(OSError):
        status = path.stat()
        os.fchown(descriptor, status.st_uid, status.st_gid)


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every file system syncs folders
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _cant(done: str, path: Path, error: OSError) -> errors.NotReady:
    return errors.NotReady(
        f"{path} can't be {done}: {error.strerror or error}.",
        fix="Correct the rights on the file and its folder, or 'dest'.",
    )
