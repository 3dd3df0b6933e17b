"""Which application a device runs."""

from __future__ import annotations

from pathlib import Path

from iotdevice.config import Settings

EXAMPLE = Path(__file__).parent / "example.py"
"""The example that comes with the agent: ``device/app.py`` of the repository."""

NAME = "app.py"
"""What a device's own application is called in its data directory, where no setting says otherwise."""


def app_file(directory: Path, settings: Settings, flag: str | None) -> Path:
    """The application's file: the flag's, the setting's, ``app.py`` in the data directory, or the example."""
    if flag:
        return Path(flag).absolute()
    if settings.app:
        return directory / settings.app
    own = directory / NAME
    return own if own.exists() else EXAMPLE


def start_app(directory: Path) -> Path | None:
    """Put the example into ``directory`` to start from, where no application is; None where one is."""
    own = directory / NAME
    if own.exists():
        return None
    own.write_bytes(EXAMPLE.read_bytes())
    return own
