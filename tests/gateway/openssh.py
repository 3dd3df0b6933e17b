"""OpenSSH as tests run it: a server on loopback with a configuration of its own, and a person with a client."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.processes import Program, free_port

SSHD = "/usr/sbin/sshd"

PROGRAMS = ("ssh", "ssh-keygen", "scp", "rsync", SSHD)


def missing() -> str:
    """Which of the programs is not installed; empty where all are."""
    found = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"not installed: {', '.join(found)} (Debian packages openssh-client, openssh-server, rsync)" if found else ""


def make_key(path: Path, kind: str = "ed25519") -> Path:
    """A key without a passphrase."""
    words = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", path.name, "-f", str(path)]
    subprocess.run(words, check=True, capture_output=True)
    return path


class Sshd:
    """An SSH server for the user who runs the tests, who comes in by ``key``."""

    def __init__(self, reactor: Any, folder: Path, within: Sequence[str] = (), address: str = "127.0.0.1") -> None:
        folder.mkdir(mode=0o700, parents=True)
        self.folder = folder
        self.port = free_port()
        self.user = getpass.getuser()
        self.key = make_key(folder / "id_ed25519")
        make_key(folder / "ssh_host_ed25519_key")
        self._reactor = reactor
        self._within = within
        self._program: Program | None = None
        shutil.copy(folder / "id_ed25519.pub", folder / "authorized_keys")
        (folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress {address}\nHostKey {folder}/ssh_host_ed25519_key\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nPidFile none\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nMaxStartups 100:30:200\nMaxSessions 100\nLogLevel ERROR\n"
            "Subsystem sftp internal-sftp\n"
        )

    @property
    def host_key(self) -> str:
        """Its public host key, without a comment."""
        return " ".join((self.folder / "ssh_host_ed25519_key.pub").read_text().split()[:2])

    def start(self) -> None:
        """Start it."""
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd locks up what has not signed in
        words = [*self._within, SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        self._program = Program(self._reactor, words)

    async def stop(self) -> None:
        """End it."""
        if self._program is not None:
            await self._program.end()


class Home:
    """What a person has in ``~/.ssh``: a key, a configuration, and the servers that they know."""

    def __init__(self, reactor: Any, folder: Path, kind: str = "ed25519") -> None:
        folder.mkdir(mode=0o700, parents=True)
        self.folder = folder
        self.key = make_key(folder / f"id_{kind}", kind)
        self.config = folder / "config"
        self.known_hosts = folder / "known_hosts"
        self._reactor = reactor

    @property
    def public_key(self) -> str:
        """The line that goes to the server."""
        return self.key.with_suffix(".pub").read_text()

    def ssh(self, *words: str, within: Sequence[str] = ()) -> Program:
        """Start ``ssh`` with these words."""
        return self.run("ssh", *words, within=within)

    def run(self, program: str, *words: str, within: Sequence[str] = ()) -> Program:
        """Start a program that takes ``-F``, such as ``scp``."""
        return Program(self._reactor, [*within, program, "-F", str(self.config), *words])
