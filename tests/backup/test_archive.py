"""The archive."""

from __future__ import annotations

import tarfile
from io import BytesIO

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.backup.archive import BLOCK, ArchiveReader, ArchiveWriter, check_name
from iotcenter.backup.errors import BackupError

FILES = {"iotcenter.db": b"d" * 5000, "authority/root.key": b"secret", "files/kitchen/1.jpg": b"", "a": b"x" * 512}


def packed(files: dict[str, bytes] = FILES) -> bytes:
    """An archive."""
    sink = BytesIO()
    archive = ArchiveWriter(sink)
    for name, content in files.items():
        archive.add(name, len(content), BytesIO(content))
    archive.finish()
    return sink.getvalue()


def unpacked(data: bytes) -> dict[str, bytes]:
    """What is in one."""
    archive = ArchiveReader(BytesIO(data))
    return {member.name: b"".join(archive.content()) for member in archive.members()}


class Foreign(tarfile.TarInfo):
    """A member that somebody else made."""

    def __init__(self, name: str, **changes: object) -> None:
        super().__init__(name)
        for what, value in changes.items():
            setattr(self, what, value)


def foreign(*members: tarfile.TarInfo, format: int = tarfile.GNU_FORMAT) -> bytes:
    """An archive that somebody else made."""
    sink = BytesIO()
    with tarfile.open(fileobj=sink, mode="w", format=format) as archive:
        for member in members:
            archive.addfile(member, BytesIO(bytes(member.size)) if member.isreg() else None)
    return sink.getvalue()


class ArchiveTests(SynchronousTestCase):
    """Files in a tar stream."""

    def test_round_trip(self) -> None:
        """What goes in comes out, also where what is in a file is passed over."""
        self.assertEqual(unpacked(packed()), FILES)
        self.assertEqual([member.name for member in ArchiveReader(BytesIO(packed())).members()], list(FILES))

    def test_stock_tar(self) -> None:
        """Any tar opens it."""
        with tarfile.open(fileobj=BytesIO(packed())) as archive:
            found = {}
            for member in archive:
                content = archive.extractfile(member)
                assert content is not None
                found[member.name] = content.read()
        self.assertEqual(found, FILES)

    def test_large(self) -> None:
        """A file beyond 8 GiB has its size."""
        sink = BytesIO()
        archive = ArchiveWriter(sink)
        self.patch(archive, "_zeros", lambda count: None)
        archive.add("iotcenter.db", 20 * 2**30, BytesIO())
        [member] = [next(ArchiveReader(BytesIO(sink.getvalue())).members())]
        self.assertEqual(member.size, 20 * 2**30)

    def test_shrunk(self) -> None:
        """A file that became shorter while it was read does not spoil the others."""
        sink = BytesIO()
        archive = ArchiveWriter(sink)
        archive.add("log", 1000, BytesIO(b"short"))
        archive.add("next", 4, BytesIO(b"next"))
        archive.finish()
        self.assertEqual(unpacked(sink.getvalue()), {"log": b"short" + bytes(995), "next": b"next"})

    def test_names(self) -> None:
        """No name leads out of the directory, and none is hidden or unreadable."""
        for name in (
            "../x",
            "/etc/passwd",
            "a/../../b",
            "a//b",
            "",
            ".",
            "a/.",
            ".ssh",
            "a\nb",
            "a\\b",
            "a\x00b",
            "x/" * 20 + "x",
        ):
            with self.assertRaises(BackupError):
                check_name(name)
        for name in FILES:
            check_name(name)
        with self.assertRaises(BackupError):
            packed({"n" * 200: b""})

    def test_foreign(self) -> None:
        """What is no regular file with a harmless name is refused: links, devices, folders, long names, paths."""
        for member in (
            Foreign("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            Foreign("hard", type=tarfile.LNKTYPE, linkname="iotcenter.db"),
            Foreign("device", type=tarfile.CHRTYPE),
            Foreign("folder", type=tarfile.DIRTYPE),
            Foreign("../outside"),
            Foreign("/absolute"),
            Foreign("n" * 200),
        ):
            with self.assertRaises(BackupError):
                unpacked(foreign(member))
        with self.assertRaises(BackupError):
            unpacked(foreign(Foreign("pax", pax_headers={"comment": "x" * 1000}), format=tarfile.PAX_FORMAT))
        with self.assertRaises(BackupError):
            unpacked(packed({"a": b""})[:BLOCK] + packed({"a": b""}))

    def test_goes_on_behind_its_end(self) -> None:
        """Behind the end there is nothing."""
        with self.assertRaises(BackupError):
            unpacked(packed() + b"x")

    @given(st.integers(0, 10_000))
    def test_cut_short(self, place: int) -> None:
        """One that was cut short anywhere is noticed."""
        data = packed()
        with self.assertRaises(BackupError):
            unpacked(data[: place % len(data)])

    @given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8))
    def test_changed(self, changes: list[tuple[int, int]]) -> None:
        """Whatever the bytes are, only ``BackupError`` comes of it, and no name leads outside."""
        data = bytearray(packed({"one": b"1" * 100, "two/three": b"2"}))
        for place, value in changes:
            data[place % len(data)] = value
        try:
            for name in unpacked(bytes(data)):
                check_name(name)
        except BackupError:
            pass

    @given(st.binary(max_size=3 * BLOCK))
    def test_anything(self, data: bytes) -> None:
        """Nothing else comes of anything."""
        with self.assertRaises(BackupError):
            unpacked(b"x" + data)
