"""An application with a camera that takes large photos, and a sensor that is not to wait for them."""

import hashlib

from iotdevice import App, Upload

app = App()
count = 0


@app.sensor(every=0.05)
def counted() -> float:
    global count
    count += 1
    return count


@app.command()
def photo(size: int) -> Upload:
    return app.upload(content(size), "image/jpeg")


def content(size: int) -> bytes:
    """Bytes that are the same each time, and nowhere alike."""
    return (b"\xff\xd8\xff" + b"".join(hashlib.sha256(b"%d" % place).digest() for place in range(size // 32)))[:size]
