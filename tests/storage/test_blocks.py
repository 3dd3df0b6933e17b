from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.storage.blocks import (
    BLOCK_HEADER,
    FIRST,
    PAGE,
    RECORD_HEADER,
    Block,
    Damaged,
    Record,
    blocks,
    pack_block,
    pack_frames,
    pack_record,
    pack_report,
    record_at,
    sound,
    unpack_frames,
)
from tests.storage.support import GARDEN, KITCHEN, NOW

BASE = 7 * PAGE
FRAMES = st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=4).map(pack_frames)
RECORDS = st.lists(
    st.builds(pack_record, st.sampled_from([KITCHEN, GARDEN]), st.floats(0, 2e9), FRAMES), min_size=1, max_size=8
)


def read(data: bytes) -> list[Record]:
    """The whole records in a file."""
    found = [record_at(data, offset, BASE) for block in blocks(data, BASE) for offset in block.records]
    return [record for record in found if record is not None]


def file_of(*contents: list[bytes]) -> bytes:
    """A file with a block for each of ``contents``."""
    data, previous = b"", FIRST
    for records in contents:
        position = BASE + len(data)
        data += pack_block(position, previous, records)
        previous = position
    return data


class BlockTests(SynchronousTestCase):
    """What is written is read, and nothing else."""

    @given(st.lists(st.binary(min_size=1, max_size=100)))
    def test_frames(self, bodies: list[bytes]) -> None:
        """Messages come out as they went in."""
        self.assertEqual(list(unpack_frames(pack_frames(bodies))), bodies)

    @given(st.binary(max_size=100), st.floats(0, 2e9))
    def test_report(self, body: bytes, received: float) -> None:
        """A record of a single message is the same, however it is made."""
        self.assertEqual(pack_report(KITCHEN, received, body), pack_record(KITCHEN, received, pack_frames([body])))

    def test_record(self) -> None:
        """A record tells from whom it is, when it came and where it ends."""
        frames = pack_frames([b"one", b"two"])
        data = file_of([pack_record(KITCHEN, NOW, frames)])
        end = BASE + BLOCK_HEADER + RECORD_HEADER + len(frames)
        self.assertEqual(read(data), [Record(KITCHEN, NOW, frames, end)])

    @given(st.lists(RECORDS, max_size=4))
    def test_blocks(self, contents: list[list[bytes]]) -> None:
        """All records of all blocks are found, in order; each block begins on a page of its own."""
        data = file_of(*contents)
        found = list(blocks(data + bytes(3 * PAGE), BASE))
        self.assertTrue(all(block.whole and block.position % PAGE == 0 for block in found))
        packed = [pack_record(one.device, one.received, one.frames) for one in read(data)]
        self.assertEqual(packed, [record for records in contents for record in records])

    @given(RECORDS, RECORDS, st.data())
    def test_damage(self, first: list[bytes], second: list[bytes], data: st.DataObject) -> None:
        """Whatever byte is changed, no record comes out that was not put in; its block is not whole, or not there; the
        other block is as it was."""
        whole = file_of(first, second)
        place = data.draw(st.integers(0, len(whole) - 1))
        damaged = bytearray(whole)
        damaged[place] ^= data.draw(st.integers(1, 255))
        found = {block.position: block for block in blocks(bytes(damaged), BASE)}
        packed = [pack_record(one.device, one.received, one.frames) for one in read(bytes(damaged))]
        self.assertLessEqual(set(packed), {*first, *second})
        for block, records in zip(blocks(whole, BASE), (first, second), strict=True):
            begin = block.position - BASE
            used = BLOCK_HEADER + sum(map(len, records))
            if not begin <= place < begin + used:
                self.assertTrue(found[block.position].whole)
            else:
                self.assertFalse(block.position in found and found[block.position].whole)

    @given(RECORDS, st.data())
    def test_torn(self, records: list[bytes], data: st.DataObject) -> None:
        """A block that was cut anywhere is not whole, or not there."""
        whole = file_of(records)
        used = BLOCK_HEADER + sum(map(len, records))
        cut = whole[: data.draw(st.integers(0, used - 1))]
        for torn in (cut, cut + bytes(len(whole) - len(cut))):
            found = list(blocks(torn, BASE))
            self.assertTrue(torn == whole or not any(block.whole for block in found))

    @given(st.binary(max_size=3 * PAGE))
    def test_noise(self, noise: bytes) -> None:
        """Of anything else nothing is taken for a block."""
        self.assertEqual(list(blocks(noise, BASE)), [])
        self.assertEqual(list(blocks(b"IoTb" + noise, BASE)), [])

    def test_elsewhere(self) -> None:
        """A block that stands where it was not written is none: it may be what was left of an older file."""
        self.assertEqual(list(blocks(file_of([pack_record(KITCHEN, NOW, b"")]), BASE + PAGE)), [])

    def test_one_of_many(self) -> None:
        """A record whose content is damaged costs itself alone; one whose length is, what comes behind it."""
        records = [pack_record(KITCHEN, NOW, pack_frames([bytes([number]) * 50])) for number in range(3)]
        for at, left in ((RECORD_HEADER + 20, [0, 2]), (5, [0])):
            data = bytearray(file_of(records))
            data[BLOCK_HEADER + len(records[0]) + at] ^= 0x40
            bodies = [body[0] for record in read(bytes(data)) for body in unpack_frames(record.frames)]
            self.assertEqual(bodies, left)

    def test_damaged_record(self) -> None:
        """A record that is not what was written is said to be damaged; one that is not all there is not given."""
        data = bytearray(pack_record(KITCHEN, NOW, b"abc"))
        self.assertIsNone(record_at(bytes(data[:-1]), 0, 0))
        data[-1] ^= 1
        self.assertRaises(Damaged, record_at, bytes(data), 0, 0)


class SoundTests(SynchronousTestCase):
    """What a row of blocks says of what is missing in it."""

    def check(self, found: list[Block], kept: list[int], faults: int, merged: int = 0) -> None:
        """Of the blocks those at ``kept`` count, and so many places are damaged."""
        sounds, missing = sound(found, merged)
        self.assertEqual(([block.position for block in sounds], missing), (kept, faults))

    def test_all_there(self) -> None:
        """Nothing is missing."""
        self.check([block(1, 0), block(2, 1), block(3, 2)], [1, 2, 3], 0)

    def test_torn_end(self) -> None:
        """The last block is torn: nobody was told that it is safe, and nothing is said."""
        self.check([block(1, 0), block(2, 1, whole=False)], [1], 0)

    def test_torn_long_ago(self) -> None:
        """So it is where the server was started again since: what follows names the last one that was whole."""
        self.check([block(1, 0), block(2, 1, whole=False), block(5, 1), block(6, 5)], [1, 5, 6], 0)

    def test_damaged(self) -> None:
        """A block that was acknowledged and is not whole keeps what is left of it, and is said."""
        self.check([block(1, 0), block(2, 1, whole=False), block(3, 2)], [1, 2, 3], 1)

    def test_gone(self) -> None:
        """A block that others name and that is not there is said, unless it was merged and deleted."""
        self.check([block(1, 0), block(3, 2), block(4, 3)], [1, 3, 4], 1)
        self.check([block(3, 2), block(4, 3)], [3, 4], 0, merged=3)


def block(position: int, previous: int, whole: bool = True) -> Block:
    """A block at a page, behind that at another."""
    return Block(position, previous, PAGE, [], whole)
