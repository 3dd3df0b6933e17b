"""The end of a TLS connection that the other end closes."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL


def is_over(transport: Any) -> bool:
    """Whether the other end has closed TLS (close_notify, RFC 8446, section 6.1); if so, the connection is let go.

    To be asked by a producer that is resumed. Twisted closes the socket once all is written, but one whose producer was
    paused at that moment it resumes instead, and then neither reads nor writes nor closes it any more.
    """
    if not transport.getHandle().get_shutdown() & SSL.RECEIVED_SHUTDOWN:
        return False
    transport.unregisterProducer()
    return True
