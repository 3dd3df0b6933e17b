"""``iotcenter backup`` and ``restore``: all of a data directory in one file, and back."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iotcenter.cli.api import Api
from iotcenter.cli.asking import passphrase
from iotcenter.cli.errors import CommandError, NoServer
from iotcenter.cli.output import Answer, moment, say

Progress = Callable[[str, int, int], None]


def backup(api: Api, given: Namespace) -> Answer:
    """Put all that the server keeps into one file, while it runs. The file is there only when it is known that it can
    be restored."""
    # Imported here: it brings in the storage, which most other commands do without.
    import msgspec

    from iotcenter.backup.errors import BackupError
    from iotcenter.backup.making import make_backup

    secret = passphrase(given, twice=True) if _encrypts(given) else None
    try:
        with _progress(given.json) as progress:
            made = make_backup(api.directory, given.file.absolute(), secret, _configuration(api, given), progress)
    except BackupError as error:
        raise CommandError(str(error)) from None
    sealed = "encrypted" if made.encrypted else "not encrypted"
    text = f"{made.path}: {_size(made.bytes)}, {sealed}, {_what(made.devices, made.received)}; it was tried out"
    return Answer(msgspec.to_builtins(made), say(text))


def restore(api: Api, given: Namespace) -> Answer:
    """Restore a backup into the data directory, on this machine or a new one. No server may run on it."""
    import msgspec

    from iotcenter.backup.errors import BackupError
    from iotcenter.backup.format import Missing
    from iotcenter.backup.restoring import restore_backup
    from iotcenter.storage.errors import StorageError

    def attempt(secret: str | None) -> Any:
        with _progress(given.json) as progress:
            return restore_backup(given.file, api.directory, secret, given.replace, progress)

    try:
        try:
            restored = attempt(passphrase(given, twice=False) if _encrypts(given) else None)
        except Missing:
            restored = attempt(passphrase(given, twice=False))
    except (BackupError, StorageError) as error:
        raise CommandError(str(error)) from None
    lines = [
        f"{restored.directory} is as it was at {moment(restored.created)}: {_what(restored.devices, restored.received)}"
    ]
    if restored.aside:
        lines.append(f"What was there before is in {restored.aside}")
    lines.append("Sign in again. Who was barred or removed since then, bar or remove again.")
    return Answer(msgspec.to_builtins(restored), lambda: print(*lines, sep="\n"))


def _encrypts(given: Namespace) -> bool:
    return bool(given.passphrase_file or given.passphrase_stdin or getattr(given, "encrypt", False))


def _configuration(api: Api, given: Namespace) -> Path | None:
    """The configuration of the server: the file that was named, or that which it says it runs with."""
    if given.config is not None:
        return Path(given.config)
    try:
        named = api.get("status")["configuration"]
    except NoServer:
        return None
    return Path(named) if named else None


@contextmanager
def _progress(quiet: bool) -> Iterator[Progress]:
    """A bar on the terminal, where there is one."""
    if quiet or not sys.stderr.isatty():
        yield lambda step, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def show(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bar.add_task(step)
            bar.update(tasks[step], completed=done, total=total)

        yield show


def _what(devices: int, received: int) -> str:
    return f"{devices} device{'' if devices == 1 else 's'}, {received:,} readings received"


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
