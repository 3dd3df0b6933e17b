"""The key by which SSH clients know this server."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.conch.ssh.keys import BadKeyError, EncryptedKeyError, Key

from iotcenter.identity.errors import IdentityError
from iotcenter.identity.private_files import read_private, write_private

FILE = "ssh_host_ed25519_key"


def host_key(directory: Path) -> Key:
    """The key in the data directory, made where there is none. Raises ``IdentityError``."""
    path = directory / FILE
    content = read_private(path)
    if content is None:
        content = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        write_private(path, content)
    try:
        key: Key = Key.fromString(content)
    except (BadKeyError, EncryptedKeyError, ValueError):
        raise IdentityError(f"{path} is no SSH private key: restore it, or remove it to get another one") from None
    if key.isPublic() or key.sshType() != b"ssh-ed25519":
        raise IdentityError(f"{path} is no private key of the type ssh-ed25519: remove it to get another one")
    return key


def public_line(key: Key) -> str:
    """Its public half as it stands in ``known_hosts``."""
    line: bytes = key.public().toString("OPENSSH")
    return line.decode("ascii")
