"""What goes wrong with backups, in words for people."""

from __future__ import annotations


class BackupError(Exception):
    """A backup cannot be made or restored; the text says why."""


class WrongPassphrase(BackupError):
    """The passphrase is wrong."""

    def __str__(self) -> str:
        return super().__str__() or "the passphrase is wrong"
