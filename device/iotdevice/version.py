"""Which agent this is."""

from __future__ import annotations

import os
import sys

__version__ = "1.0.0"

AGENT = f"iotdevice/{__version__} (Python {'.'.join(map(str, sys.version_info[:3]))}, {os.uname().machine})"
"""What the agent calls itself towards its server."""
