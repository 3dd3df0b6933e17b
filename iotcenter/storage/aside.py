"""Where reports go that merging fails on: kept in files of their own, so that the rest goes on and nothing is lost."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

from twisted.logger import Logger

from iotcenter.model import DeviceId
from iotcenter.storage.blocks import pack_record
from iotcenter.storage.errors import disk_errors_in_words

MOST_KEPT = 1000
"""Files that are kept: a fault that is in the server itself would fill the disk with them."""


class SetAside:
    """A directory of records as the inbox had them, made when it is first needed."""

    _log = Logger()

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def keep(self, device: DeviceId, received: float, frames: bytes, why: str) -> None:
        """Bring a record to disk, and say so. Doing it again changes nothing. Raises ``StorageError``."""
        record = pack_record(device, received, frames)
        with disk_errors_in_words():
            self._directory.mkdir(mode=0o700, exist_ok=True)
            path = self._directory / f"{device}-{crc32(record):08x}.record"
            kept = sum(1 for _ in self._directory.iterdir()) < MOST_KEPT
            if kept:
                path.write_bytes(record)
        self._log.error(
            "A report of device {device} cannot be merged, and was {what}: {why}",
            device=device,
            what=f"set aside in {path}" if kept else f"given up, since {MOST_KEPT} were set aside already",
            why=why,
        )
