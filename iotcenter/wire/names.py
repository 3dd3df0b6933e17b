"""The constant names by which the two ends of a TLS link know each other."""

from __future__ import annotations

ALPN_LINK = b"iotcenter/1"
"""A device's link: both sides with certificates, then messages in frames."""

ALPN_ENROLL = b"iotcenter-enroll/1"
"""A new device's one conversation: it has no certificate yet, and shows the secret of its token."""

ALPN_TUNNEL = b"iotcenter-tunnel/1"
"""A connection that a device dials back for a tunnel, with its own certificate."""

SERVER_NAME = "iotcenter.internal"
"""The name in the certificate of every server towards its devices: they trust the root, so a server may move."""

DEVICE_URI = "urn:iotcenter:device:"
"""With the device's id behind it, the URI in a device's certificate: the only place where its identity stands."""
