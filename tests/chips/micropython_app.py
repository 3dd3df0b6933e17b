"""A device that counts seconds and has a relay: ``micropython micropython_app.py CLIENT PORT ID KEY``."""

import asyncio
import sys

sys.path.insert(0, sys.argv[1])
import iotcenter

device = iotcenter.Device("127.0.0.1", sys.argv[3], sys.argv[4], port=int(sys.argv[2]))
state = {"seconds": 0, "on": False}


@device.sensor(every=1, unit="s")
def uptime():
    """Rises by one each time."""
    state["seconds"] += 1
    return state["seconds"]


@device.command(on=bool, seconds=(int, 0))
async def relay(on, seconds):
    """Switch the relay."""
    await asyncio.sleep(0)
    if seconds > 60:
        raise iotcenter.CommandError("a minute at most")
    state["on"] = on
    device.log(f"switched to {on}")
    return on


asyncio.run(device.run())
