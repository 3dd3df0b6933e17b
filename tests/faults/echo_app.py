"""The application of devices that are only to be there: it measures a little, and says what it is told."""

from __future__ import annotations

from iotdevice import App

app = App()


@app.sensor(every=0.2)
async def steady() -> float:
    """Always the same."""
    return 1.0


@app.command()
async def echo(text: str) -> str:
    """Say ``text``."""
    return text
