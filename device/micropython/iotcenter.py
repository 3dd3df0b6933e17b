"""IotCenter for MicroPython: readings up, commands down, over encrypted UDP.

All of it is one file, so that copying this to the board is all that it takes to install it.

Sensors and commands are functions with a decorator, as on a Linux device:

    import asyncio
    import iotcenter

    device = iotcenter.Device("my-server.example", ID, KEY)

    @device.sensor(every=10, unit="Cel")
    def temperature():
        return read_my_sensor()

    @device.command(on=bool, seconds=(int, 0))
    def relay(on, seconds):
        ...
        return "on" if on else "off"

    asyncio.run(device.run())

ID and KEY are what ``iotcenter device add NAME --udp`` prints. A reading is kept until the server has it on disk.
"""

import asyncio
import os
import socket
import struct
import time
from hashlib import sha256

from cryptolib import aes

VERSION = "MicroPython 1.0"

MAX_READINGS = 128
"""How many readings wait while the server is away; then the oldest go."""

MAX_REPORT = 8
"""How many of them one datagram takes."""

MAX_TEXT = 48
"""Bytes of a name or of a text among the readings: eight of either fit into a datagram."""

MAX_LINES = 8
"""How many lines of the log, and results, wait."""

MAX_DATAGRAM = 1200
MAX_RUNNING = 4
REMEMBERED = 8
WINDOW = 32

TRIES = 5
UNANSWERED = 3
FIRST_WAIT = 2000
SLOWEST_HELLO = 64000
OPEN_LIFE = 50000
SESSION_LIFE = 23 * 3600 * 1000
CLOSE_PAUSE = 60000
RESET_EVERY = 10000
LISTEN = 1100
LOOK_EVERY = 20
"""Milliseconds; the tries and times are those of the C core."""

ECB, CBC = 1, 2
SUITE = 0x21
SLEEPY, FRESH_BOOT = 2, 4
PING, REPORT, COMMAND, RESULT, POLL, LOG, BLOCK, CLOSE, CONFIGURATION, HELLO = range(10)
ACK, CONFIRMABLE, MORE = 0x80, 0x40, 0x20

ARGUMENT_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


class CommandError(Exception):
    """Raise it in a command to say in words of your own why it failed."""


# ---- SHA-256's HMAC (RFC 2104) and HKDF (RFC 5869); records (RFC 7518, section 5.2.3) ----


def hmac(key, *parts):
    """HMAC-SHA256 with a key of up to 64 bytes."""
    key = key + bytes(64 - len(key))
    inner = sha256(bytes(byte ^ 0x36 for byte in key))
    for part in parts:
        inner.update(part)
    outer = sha256(bytes(byte ^ 0x5C for byte in key))
    outer.update(inner.digest())
    return outer.digest()


def expand(key, label, size):
    """HKDF-Expand."""
    block = done = b""
    while len(done) < size:
        block = hmac(key, block, label, bytes([len(done) // 32 + 1]))
        done += block
    return done[:size]


def same(one, other):
    """Whether both are equal; takes equally long for all of one length."""
    difference = len(one) ^ len(other)
    for left, right in zip(one, other):  # noqa: B905 (there is no strict here)
        difference |= left ^ right
    return difference == 0


def _vector(keys, header):
    return aes(keys[32:48], ECB).encrypt(header[:5] + bytes(7) + header[5:9])


def _tag(keys, header, vector, body):
    return hmac(keys[:16], header, vector, body, b"\0\0\0\0\0\0\0\x48")[:16]


def seal(keys, header, text):
    """The record of ``text``: encrypted and tagged."""
    padding = 16 - len(text) % 16
    vector = _vector(keys, header)
    body = aes(keys[16:32], CBC, vector).encrypt(text + bytes([padding]) * padding)
    return header + body + _tag(keys, header, vector, body)


def unseal(keys, record):
    """The text of a record; None where it is not genuine."""
    header, body, tag = record[:9], record[9:-16], record[-16:]
    if not body or len(body) % 16:
        return None
    vector = _vector(keys, header)
    if not same(tag, _tag(keys, header, vector, body)):
        return None
    text = aes(keys[16:32], CBC, vector).decrypt(body)
    return text[: -text[-1]]


# ---- MessagePack: what messages hold ----


def pack(value):
    """None, a truth value, a number, a text, a list or a dict as MessagePack."""
    if value is None:
        return b"\xc0"
    if value is True or value is False:
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return _pack_int(value)
    if isinstance(value, float):
        short = struct.pack(">f", value)
        return b"\xca" + short if struct.unpack(">f", short)[0] == value else b"\xcb" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode()
        head = bytes([0xA0 | len(data)]) if len(data) < 32 else b"\xda" + struct.pack(">H", len(data))
        return head + data
    if isinstance(value, dict):
        items = b"".join(pack(key) + pack(item) for key, item in value.items())
        return b"\xde" + struct.pack(">H", len(value)) + items
    head = bytes([0x90 | len(value)]) if len(value) < 16 else b"\xdc" + struct.pack(">H", len(value))
    return head + b"".join(pack(item) for item in value)


def _pack_int(value):
    if 0 <= value < 128:
        return bytes([value])
    if 0 <= value < 1 << 32:
        return b"\xce" + struct.pack(">I", value)
    return b"\xd3" + struct.pack(">q", value)


_NUMBERS = {
    0xCA: ">f",
    0xCB: ">d",
    0xCC: ">B",
    0xCD: ">H",
    0xCE: ">I",
    0xCF: ">Q",
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
_LENGTHS = {0xD9: ">B", 0xDA: ">H", 0xDC: ">H", 0xDE: ">H"}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


def unpack(data, at=0, depth=8):
    """The value at ``at``, and where the next one is. Raises ``ValueError`` for what is cut short or no command's."""
    if at >= len(data) or depth == 0:
        raise ValueError("cut short, or too deep")
    byte = data[at]
    at += 1
    if byte < 0x80:
        return byte, at
    if byte >= 0xE0:
        return byte - 256, at
    if byte in _CONSTANTS:
        return _CONSTANTS[byte], at
    if byte in _NUMBERS:
        return _unpack_number(_NUMBERS[byte], data, at)
    if byte < 0xC0:
        size = byte & (0x1F if byte >= 0xA0 else 0x0F)
    elif byte in _LENGTHS:
        size, at = _unpack_number(_LENGTHS[byte], data, at)
    else:
        raise ValueError("of a type that is not read")
    if 0xA0 <= byte < 0xC0 or byte in (0xD9, 0xDA):
        if at + size > len(data):
            raise ValueError("cut short")
        return data[at : at + size].decode(), at + size
    items = []
    for _ in range(size if byte in (0xDC,) or 0x90 <= byte < 0xA0 else 2 * size):
        item, at = unpack(data, at, depth - 1)
        items.append(item)
    if 0x90 <= byte < 0xA0 or byte == 0xDC:
        return items, at
    if any(isinstance(key, (list, dict)) for key in items[::2]):
        raise ValueError("a name that is none")
    return {items[i]: items[i + 1] for i in range(0, len(items), 2)}, at


def _unpack_number(form, data, at):
    end = at + struct.calcsize(form)
    if end > len(data):
        raise ValueError("cut short")
    return struct.unpack(form, data[at:end])[0], end


# ---- The conversation, without sockets: times are milliseconds on a clock that never goes back ----


class Message:
    """A confirmable message on its way. ``body`` makes its content each time that it is sent: ages grow."""

    def __init__(self, kind, body, done=None):
        self.kind = kind
        self.body = body
        self.done = done
        self.id = None
        self.tries = 0
        self.due = 0


class Connection:
    """A device's side of the protocol. ``send`` takes datagrams; ``next_message`` gives what is to be said, or None."""

    def __init__(self, id, key, send, next_message, on_message, sleepy=False):
        prk = hmac(b"iot2", key)
        self._auth, self._session, self._nonce_key = (
            expand(prk, label, 32) for label in (b"auth", b"session", b"nonce")
        )
        self.id = id
        self.sleepy = sleepy
        self.online = False
        self.unreachable = False
        self.listens_until = 0
        self.time = None
        self._send = send
        self._next_message = next_message
        self._on_message = on_message
        self._nonce = bytes(16)
        self._fresh = True
        self._hello = None
        self._hello_due = 0
        self._hellos = 0
        self._reset_allowed = 0
        self._pending = None
        self._mid = 0
        self._unanswered = 0
        self._end_session()

    @property
    def busy(self):
        """Whether a message is on its way."""
        return self._pending is not None

    def poll(self, now):
        """Do what is due. Call it often, and after each ``receive``."""
        if self._keys and self._opening and now - self._began > OPEN_LIFE:
            self._end_session()
        if self._keys and now - self._began > SESSION_LIFE and not self._hello:
            self._greet(now)
        if not self._keys and not self._hello and now >= self._hello_due:
            self._greet(now)
        if self._hello and now >= self._hello_due:
            self._send_hello(now)
        if self._keys:
            self._speak(now)

    def receive(self, datagram, now):
        """Take a datagram. What is not from the server changes nothing."""
        kind = datagram[0] if datagram else 0
        if kind == 0xC2 and len(datagram) == 44 and self._hello:
            self._welcome(datagram, now)
        elif kind == 0xC4 and self._keys and len(datagram) >= 41 and datagram[1:5] == self._cid:
            self._record(datagram, now)
        elif kind == 0xC5 and len(datagram) == 9 and self._keys and datagram[1:5] == self._cid:
            self._reset(datagram, now)

    def acknowledge(self, mid, now):
        """Tell the server that its message arrived."""
        self._put(struct.pack(">BHH", PING | ACK, 0, mid), now)

    def close(self, now):
        """Say goodbye."""
        if self._keys:
            self._put(struct.pack(">BH", CLOSE, 0), now)
        self._end_session()

    def _end_session(self):
        self._keys = None
        self._opening = None
        self.online = False

    # The handshake.

    def _greet(self, now):
        self._hellos = 0
        self._hello_due = now
        self._hello = b"?"

    def _send_hello(self, now):
        if self._hellos % TRIES == 0:
            self._nonce = hmac(self._nonce_key, os.urandom(16), self._nonce)[:16]
            flags = (SLEEPY if self.sleepy else 0) | (FRESH_BOOT if self._fresh else 0)
            head = bytes([0xC1, SUITE, flags, MAX_DATAGRAM // 16]) + self.id + self._nonce
            self._hello = head + hmac(self._auth, head)[:16]
        self.unreachable = self._hellos >= TRIES
        self._send(self._hello)
        self._hello_due = now + min(_patience(min(self._hellos, 6)), SLOWEST_HELLO)
        self._hellos += 1

    def _welcome(self, welcome, now):
        hello = self._hello
        if welcome[1] != SUITE or not same(welcome[28:], hmac(self._auth, hello, welcome[:28])[:16]):
            return
        prk = hmac(sha256(hello + welcome).digest(), self._session)
        self._keys = expand(prk, b"up", 48), expand(prk, b"down", 48)
        self._cid = welcome[4:8]
        self._opening = b"\xc6" + hello[1:] + welcome[24:28]
        self._set_time(welcome[24:28], now)
        self._keepalive = (welcome[3] or 5) * 5000
        self._began = self._sent_at = now
        self._sent = self._received = self._seen = self._unanswered = 0
        self._hello = None
        self._hellos = 0
        self.unreachable = self._offered = False
        self._reset_allowed = now + RESET_EVERY
        if self._pending:
            self._pending.due = now
            self._pending.tries = 0

    def _reset(self, datagram, now):
        number = struct.unpack(">I", datagram[5:])[0]
        if self._opening or self._hello or now < self._reset_allowed or not 0 <= self._sent - number < WINDOW:
            return
        self._reset_allowed = now + RESET_EVERY
        self._greet(now)

    # The session.

    def _put(self, text, now):
        self._sent += 1
        record = seal(self._keys[0], b"\xc3" + self._cid + struct.pack(">I", self._sent), text)
        self._sent_at = now
        self._send((self._opening or b"") + record)

    def _record(self, record, now):
        number = struct.unpack(">I", record[5:9])[0]
        behind = self._received - number
        if number == 0 or behind >= WINDOW or (behind >= 0 and self._seen >> behind & 1):
            return
        text = unseal(self._keys[1], record)
        if text is None:
            return
        if behind < 0:
            self._seen = self._seen << -behind & (1 << WINDOW) - 1
            self._received = number
            behind = 0
        self._seen |= 1 << behind
        if self._opening and self._pending:
            self._pending.due = now
        self._opening = None
        self._fresh = False
        self._unanswered = 0
        self.online = True
        if len(text) >= (5 if text[0] & ACK else 3):
            self._content(text, now)

    def _content(self, text, now):
        head, mid = struct.unpack(">BH", text[:3])
        kind, body = head & 0x0F, text[5 if head & ACK else 3 :]
        if head & ACK:
            self._acked(struct.unpack(">H", text[3:5])[0])
            if kind == PING and len(body) >= 4:
                self._set_time(body[:4], now)
        if head & MORE:
            self.listens_until = now + LISTEN
        if kind == CLOSE:
            self._end_session()
            self._hello = None
            self._hello_due = now + CLOSE_PAUSE
            return
        taken = True
        if kind == CONFIGURATION:
            self._configure(body)
        elif kind in (COMMAND, BLOCK):
            taken = self._on_message(kind, body)
        if head & CONFIRMABLE and taken:
            self.acknowledge(mid, now)

    def _configure(self, body):
        try:
            keepalive = unpack(body)[0][0]
            self._keepalive = max(5, int(keepalive)) * 1000
        except (ValueError, TypeError, IndexError, KeyError, OverflowError):
            pass  # it makes no sense: all stays as it was

    def _set_time(self, data, now):
        self.time = struct.unpack(">I", data)[0] - now // 1000

    def _acked(self, mid):
        message = self._pending
        if message and message.id == mid:
            self._pending = None
            if message.done:
                message.done()

    def _speak(self, now):
        if not self._pending:
            self._pending = self._next_message(not self._offered)
            if self._pending is None and not self.sleepy and now - self._sent_at >= self._keepalive:
                self._pending = Message(PING, lambda: b"")
            self._offered = True
            if self._pending is None:
                return
            self._mid = self._mid % 0xFFFF + 1
            self._pending.id = self._mid
            self._pending.due = now
        if now >= self._pending.due:
            self._send_message(self._pending, now)

    def _send_message(self, message, now):
        if message.tries == TRIES:
            message.tries = 0
            self._unanswered += 1
            if self._unanswered >= UNANSWERED:
                self._end_session()
                self._greet(now)
                return
        text = struct.pack(">BH", message.kind | CONFIRMABLE, message.id) + message.body()
        if self._opening and len(text) > MAX_DATAGRAM - len(self._opening) - 41:
            text = struct.pack(">BH", PING | CONFIRMABLE, 0)  # any answer makes room for the message
        self._put(text, now)
        message.due = now + _patience(message.tries)
        message.tries += 1


def _patience(doublings):
    """2 s, doubled so often, and up to half of it more by chance."""
    wait = FIRST_WAIT << doublings
    return wait + wait * os.urandom(1)[0] // 512


# ---- The device: functions, readings that wait, and a socket ----


class Device:
    """One device's application. ``id`` (16 bytes) and ``key`` (32) may be bytes or hexadecimal.

    ``sleepy`` is for a device on battery: it is not called, and hears of commands when it reports; see ``once``.
    ``boot`` is for a board that starts anew for every report: a number that was never there before, such as a count in
    a file, that is written before it is used. Others make one by chance.
    """

    def __init__(self, host, id, key, port=9999, sleepy=False, boot=None):
        self._host, self._port = host, port
        self._sensors = []
        self._commands = {}
        self._series = []
        self._waiting = []
        self._words = []
        self._tasks = []
        self._executing = []
        self._remembered = []
        self._boot = boot or struct.unpack(">I", os.urandom(4))[0] & 0x7FFFFFFF or 1
        self._sequence = 1
        self._ticks = time.ticks_ms()
        self._now = 0
        self._socket = None
        self.connection = Connection(
            _bytes(id), _bytes(key), self._send, self._next_message, self._arrived, sleepy=sleepy
        )

    # What an application calls.

    def sensor(self, every, unit="", label="", name="", series=None):
        """Call the function each ``every`` seconds, and report what it returns; None is nothing this time.

        A function that measures several things declares them as ``series={name: unit}``, and returns a dict.
        """

        def declare(function):
            own = name or function.__name__
            for each, symbol in (series or {own: unit}).items():
                self._series.append({"name": each, "unit": symbol, "label": label, "every": every})
            self._sensors.append((own, function, every))
            self._check_offer()
            return function

        return declare

    def command(self, function=None, confirm=False, label="", **arguments):
        """Let the server call the function. Each argument has a type, bool, int, float or str, or a tuple of the type
        and what it is when left out. ``confirm`` makes the sender think twice."""

        def declare(function):
            declared = [_argument(argument, type) for argument, type in arguments.items()]
            name = function.__name__
            offer = {"name": name, "label": label, "confirm": confirm, "arguments": declared}
            self._commands[name] = (function, arguments, offer)
            self._check_offer()
            return function

        return declare if function is None else declare(function)

    def report(self, name, value):
        """Report a value that came by itself."""
        if isinstance(value, dict):
            for each in value:
                self.report(each, value[each])
            return
        if value is None or value != value:  # NaN is no value
            return
        if isinstance(value, str):
            value = _shortened(value, MAX_TEXT)
        self._waiting.append((self._sequence, _shortened(name, MAX_TEXT), value, self.now()))
        self._sequence += 1
        if len(self._waiting) > MAX_READINGS:
            del self._waiting[0]

    def log(self, text, level="info"):
        """Write a line into the device's log on the server. ``level`` is debug, info, warning or error."""
        at, text = self.now(), _shortened(str(text), 500)
        self._say(LOG, lambda: pack([[[(at - self.now()) / 1000, level, text]]]))

    def time(self):
        """The Unix time by the server's clock; None before it was heard."""
        return None if self.connection.time is None else self.connection.time + self.now() // 1000

    async def run(self):
        """Run for good."""
        for sensor in self._sensors:
            self._tasks.append(asyncio.create_task(self._measure(*sensor)))
        while True:
            await self._turn()

    async def once(self, seconds=30):
        """Measure once, report, run what commands wait, and come back: then sleep. False where the server did not hear.

        Readings that it did not hear stay for the next call, unless the board forgets them in its sleep.
        """
        self._open()
        for name, function, _ in self._sensors:
            self.report(name, await _result(function))
        end = self.now() + 1000 * seconds
        while self.now() < end:
            await self._turn()
            idle = not self._waiting and not self._words and not self._running()
            if idle and not self.connection.busy and self.now() > self.connection.listens_until:
                return True
        return False

    def now(self):
        """Milliseconds since the start. Call it once in six days at least, which ``run`` does."""
        ticks = time.ticks_ms()
        self._now += time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._now

    # What the connection calls.

    def _next_message(self, first):
        if first:
            return Message(HELLO, self._offer)
        if self._words:
            kind, body = self._words[0]
            return Message(kind, body, lambda: self._words.pop(0))
        readings = tuple(self._waiting[:MAX_REPORT])
        if not readings:
            return None
        return Message(REPORT, lambda: self._report_of(readings), lambda: self._stored(readings[-1][0]))

    def _offer(self):
        commands = [offer for _, _, offer in self._commands.values()]
        return pack([VERSION, self._boot, self._series, commands])

    def _check_offer(self):
        if len(self._offer()) > MAX_DATAGRAM - 64:
            raise ValueError("sensors and commands are more than one datagram holds")

    def _report_of(self, readings):
        now = self.now()
        return pack([self._boot, readings[0][0], [[name, value, (at - now) / 1000] for _, name, value, at in readings]])

    def _stored(self, last):
        self._waiting = [reading for reading in self._waiting if reading[0] > last]

    def _arrived(self, kind, body):
        """A command, or its first block: whether it can be acknowledged."""
        try:
            if kind == BLOCK:
                return self._refuse(body)
            id, name, arguments = (unpack(body)[0] + [{}])[:3]
        except (ValueError, TypeError):
            return True
        if id in self._remembered:
            return True
        if len(self._running()) >= MAX_RUNNING or len(self._words) >= MAX_LINES:
            return False
        self._remember(id)
        self._executing.append(asyncio.create_task(self._execute(id, name, arguments)))
        return True

    def _refuse(self, body):
        """A command that came in blocks is larger than what this device takes."""
        if body[2] & 0x7F == 0 and body[3] == 0 and body[4] == COMMAND:
            id = unpack(body, 6)[0]
            if id not in self._remembered:
                self._remember(id)
                self._say(RESULT, lambda: pack([id, "failed", None, "too large for this device"]))
        return False

    def _remember(self, id):
        self._remembered.append(id)
        del self._remembered[:-REMEMBERED]

    # Tasks.

    async def _measure(self, name, function, every):
        due = self.now()
        while True:
            try:
                self.report(name, await _result(function))
            except Exception as error:
                self.log(f"{name}: {error!r}", "error")
            due = max(due + int(1000 * every), self.now())
            await asyncio.sleep_ms(due - self.now())

    async def _execute(self, id, name, arguments):
        try:
            function, declared, _ = self._commands[name]
            result = [id, "done", await _result(function, **_checked(declared, arguments))]
            packed = pack(result)
            if len(packed) > MAX_DATAGRAM - 64:
                raise CommandError("the result is too long")
        except KeyError:
            packed = pack([id, "failed", None, "there is no such command, or argument"])
        except CommandError as error:
            packed = pack([id, "failed", None, _shortened(str(error), 500)])
        except Exception as error:
            packed = pack([id, "failed", None, _shortened(repr(error), 500)])
        self._say(RESULT, lambda: packed)

    def _say(self, kind, body):
        if len(self._words) >= MAX_LINES:
            lines = [index for index, words in enumerate(self._words) if index and words[0] == LOG]
            if not lines and kind == LOG:
                return
            if lines:
                del self._words[lines[0]]
        self._words.append((kind, body))

    def _running(self):
        self._executing = [task for task in self._executing if not task.done()]
        return self._executing

    async def _turn(self):
        now = self.now()
        if self._socket is None or self.connection.unreachable:
            self._open()
        for _ in range(8):  # a flood of datagrams does not keep the sensors waiting
            try:
                datagram = self._socket.recv(MAX_DATAGRAM) if self._socket else b""
            except OSError:
                break
            if not datagram:
                break
            self.connection.receive(datagram, now)
        self.connection.poll(now)
        await asyncio.sleep_ms(LOOK_EVERY)

    def _open(self):
        """Look the server up, once more each time that it has not answered for long, and take a new port."""
        if self._socket:
            self._socket.close()
            self._socket = None
            self.connection.unreachable = False
        try:
            address = socket.getaddrinfo(self._host, self._port, 0, socket.SOCK_DGRAM)[0][-1]
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._socket.connect(address)
            self._socket.setblocking(False)
        except OSError:
            self._socket = None

    def _send(self, datagram):
        try:
            if self._socket:
                self._socket.send(datagram)
        except OSError:
            pass  # as good as lost: it is sent again


async def _result(function, **arguments):
    """What a function returns, or a coroutine function."""
    result = function(**arguments)
    return await result if hasattr(result, "send") else result


def _argument(name, type):
    required = not isinstance(type, tuple)
    kind = ARGUMENT_TYPES[type if required else type[0]]
    offer = {"name": name, "type": kind, "required": required}
    if not required and type[1] is not None:
        offer["default"] = type[1]
    return offer


def _checked(declared, given):
    """The arguments to call a command with. Raises ``CommandError`` where one is missing or of another type."""
    checked = {}
    for name, type in declared.items():
        kind = type[0] if isinstance(type, tuple) else type
        if name not in given:
            if kind is type:
                raise CommandError(name + " is needed")
            checked[name] = type[1]
        elif kind in (int, float) and isinstance(given[name], (int, float)) and kind(given[name]) == given[name]:
            checked[name] = kind(given[name])
        elif isinstance(given[name], kind):
            checked[name] = given[name]
        else:
            raise CommandError(name + " is of another type")
    return checked


def _shortened(text, size):
    """The beginning of a text, in whole characters, in no more than ``size`` bytes."""
    while len(text.encode()) > size:
        text = text[: max(0, min(len(text) - 1, size))]
    return text


def _bytes(given):
    return bytes.fromhex(given) if isinstance(given, str) else bytes(given)
