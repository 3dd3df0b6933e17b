"""MicroPython's client under the tests' command, as ``core.c`` is: ``micropython micropython_core.py CLIENT``."""

import sys

sys.path.insert(0, sys.argv[1])
import iotcenter as client

own = {"id": bytes(16), "key": bytes(32), "clock": 0, "connection": None, "readings": [], "sequence": 1}
queue = []
remembered = []


def show(what, data):
    """Print bytes."""
    print(what, data.hex() or "-")


def next_message(first):
    """The offer, then what waits."""
    if first:
        offer = ["test", 1, [{"name": "t", "unit": "Cel", "every": 10}], [{"name": "relay"}]]
        return client.Message(client.HELLO, lambda: client.pack(offer))
    if not queue:
        return None
    kind, body = queue[0]
    return client.Message(kind, body, lambda: queue.pop(0))


def on_message(kind, body):
    """A command: it takes effect once."""
    id, name = client.unpack(body)[0][:2]
    if id not in remembered:
        remembered.append(id)
        print("command", name)
        queue.append((client.RESULT, lambda: client.pack([id, "done", name])))
    return True


def send(datagram):
    """A datagram goes out."""
    show("send", datagram)


def start(sleepy, *_):
    """A new device."""
    own["connection"] = client.Connection(own["id"], own["key"], send, next_message, on_message, sleepy == "1")
    print("error 0")


def poll():
    """What is due; and what became of the connection."""
    connection = own["connection"]
    was = connection.online
    connection.poll(own["clock"])
    if was and not connection.online:
        print("state offline")
    print("wait 250")


def receive(datagram):
    """A datagram came."""
    connection = own["connection"]
    was = connection.online
    connection.receive(datagram, own["clock"])
    if was != connection.online:
        print("state", "online" if connection.online else "offline")


def report():
    """Begin a report; there is room for several."""
    own["readings"] = []
    print("said 1")


def reading(name, _, value, age):
    """Add a reading."""
    own["readings"].append([name, float(value), -float(age)])
    print("said 1")


def commit():
    """Send the report."""
    body = client.pack([1, own["sequence"], own["readings"]])
    own["sequence"] += len(own["readings"])
    queue.append((client.REPORT, lambda: body))
    print("said 1")


def hello(nonce):
    """The HELLO with that nonce."""
    connection = own["connection"]
    head = b"\xc1\x21\0\x0c" + own["id"] + nonce
    connection._hello = head + client.hmac(connection._auth, head)[:16]
    show("got", connection._hello)


def status():
    """Busy, listening, time."""
    connection = own["connection"]
    print("busy", int(connection.busy or bool(queue)))
    print("listening", int(own["clock"] <= connection.listens_until))
    print("time", 0 if connection.time is None else connection.time + own["clock"] // 1000)


def unpacked(data):
    """Read MessagePack, and write it again; nothing where it cannot be read."""
    try:
        value, end = client.unpack(data)
    except (ValueError, UnicodeError):
        return b""
    return client.pack(value) if end == len(data) else b""


VERBS = {
    "id": lambda id: own.update(id=id),
    "key": lambda key: own.update(key=key),
    "clock": lambda clock: own.update(clock=int(clock)),
    "start": start,
    "poll": poll,
    "receive": receive,
    "report": report,
    "reading": reading,
    "commit": commit,
    "status": status,
    "stop": lambda: own["connection"].close(own["clock"]),
    "hello": hello,
    "derive": lambda label: show("got", client.expand(client.hmac(b"iot2", own["key"]), label.encode(), 32)),
    "session": lambda: show("got", b"".join(own["connection"]._keys)),
    "seal": lambda keys, header, text: show("got", client.seal(keys, header, text)),
    "open": lambda keys, record: show("got", client.unseal(keys, record) or b""),
    "hmac": lambda key, text: show("got", client.hmac(key, text)),
    "expand": lambda key, label, size: show("got", client.expand(key, label, int(size))),
    "unpacked": lambda data: show("got", unpacked(data)),
}

while True:
    words = sys.stdin.readline().split()
    if not words:
        break
    VERBS[words[0]](*[bytes.fromhex(word[1:]) if word[0] == "x" else word for word in words[1:]])
    print(".")
