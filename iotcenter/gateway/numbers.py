"""The numbers of those of SSH's messages and reasons that are spoken here (RFC 4250, section 4)."""

from __future__ import annotations

from enum import IntEnum


class Message(IntEnum):
    """Types of packets, of the two services that there are here."""

    SERVICE_REQUEST = 5
    USERAUTH_REQUEST = 50
    USERAUTH_FAILURE = 51
    USERAUTH_SUCCESS = 52
    USERAUTH_PK_OK = 60
    GLOBAL_REQUEST = 80
    REQUEST_FAILURE = 82
    CHANNEL_OPEN = 90
    CHANNEL_OPEN_CONFIRMATION = 91
    CHANNEL_OPEN_FAILURE = 92
    CHANNEL_WINDOW_ADJUST = 93
    CHANNEL_DATA = 94
    CHANNEL_EOF = 96
    CHANNEL_CLOSE = 97
    CHANNEL_REQUEST = 98
    CHANNEL_FAILURE = 100


class OpenFailure(IntEnum):
    """Why a channel was not opened."""

    PROHIBITED = 1
    CONNECT_FAILED = 2
    UNKNOWN_TYPE = 3
    SHORTAGE = 4


class Disconnect(IntEnum):
    """Why a connection ends."""

    PROTOCOL_ERROR = 2
    BY_APPLICATION = 11
    NO_MORE_METHODS = 14
