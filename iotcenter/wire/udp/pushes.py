"""Commands on their way to a device: each a parcel or, where no datagram holds it, several that carry its blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from iotcenter.wire.messages import Command
from iotcenter.wire.udp.blocks import split
from iotcenter.wire.udp.bodies import body_of
from iotcenter.wire.udp.content import Kind
from iotcenter.wire.udp.delivery import Parcel


class Push(NamedTuple):
    """What a parcel is a part of: a command, and whether it is its last."""

    command: int
    last: bool


def parcels_of(command: Command, room: int, block_id: int) -> Iterator[Parcel]:
    """The parcels that carry ``command``, each with at most ``room`` bytes of body; ``block_id`` tells its blocks from
    those of the last."""
    kind, body = body_of(command)
    if len(body) <= room:
        yield Parcel(kind, body, Push(command.id, True))
        return
    blocks = [*split(bytes([kind]) + body, block_id, room)]
    for block in blocks:
        yield Parcel(Kind.BLOCK, block, Push(command.id, block is blocks[-1]))


def commands_of(parcels: Iterable[Parcel]) -> tuple[int, ...]:
    """The commands of which the end is among ``parcels``."""
    return tuple(parcel.token.command for parcel in parcels if parcel.token is not None and parcel.token.last)
