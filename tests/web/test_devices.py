"""The API's devices, what they are told, and what they log."""

from __future__ import annotations

from iotcenter.model import LogLevel, LogLine, Reading, Role
from iotcenter.wire.messages import Command, Log, Result, ResultState
from tests.web.support import Visitor, WebTestCase

PATH = "/api/v1/devices/kitchen-pi"


class DeviceTests(WebTestCase):
    """What programs do with devices."""

    async def test_list(self) -> None:
        """Every device is listed by name, with what it offers."""
        await self.device("kitchen-pi")
        await self.device("attic")
        answer = await self.ask("GET", "/api/v1/devices", await self.program(Role.VIEWER))
        attic, kitchen = answer.json()
        self.assertEqual((attic["name"], kitchen["name"], kitchen["state"]), ("attic", "kitchen-pi", "online"))
        self.assertEqual([one["name"] for one in kitchen["series"]], ["temperature", "door"])
        self.assertEqual(set(kitchen["account"]), {"received", "duplicates", "late", "lost", "refused"})
        self.assertEqual((kitchen["clock"], kitchen["clock_offset"]), ("unknown", None))

    async def test_arrivals(self) -> None:
        """When its readings came can be looked up."""
        _, attachment = await self.device("kitchen-pi")
        now = self.parts.reactor.seconds()
        await self.report(attachment, Reading("temperature", 20.5, now))
        viewer = await self.program(Role.VIEWER)
        answer = await self.ask("GET", "/api/v1/devices/kitchen-pi/arrivals?limit=5", viewer)
        [run] = answer.json()
        self.assertEqual((run["first"], run["last"], run["late"]), (1, 1, 0))
        self.assertApproximates(run["since"], now, 5)
        answer = await self.ask("GET", "/api/v1/devices/attic/arrivals", viewer)
        self.assertEqual(answer.status, 404)

    async def test_add(self) -> None:
        """A device that is added has an id, and a token with the line to paste; its name cannot be taken again."""
        admin = await self.program(Role.ADMIN)
        answer = await self.ask("POST", "/api/v1/devices", admin, json={"name": "attic", "transport": "tls"})
        self.assertEqual(answer.status, 201, answer.body)
        added = answer.json()
        self.assertEqual(self.parts.center.devices.get("attic").id, added["id"])
        self.assertIn(added["token"], added["line"])
        [row] = await self.parts.enrollments.open()
        self.assertEqual((row.id, row.device, row.actor), (added["enrollment"], added["id"], "token admin program"))
        answer = await self.ask("POST", "/api/v1/devices", admin, json={"name": "attic"})
        self.assertEqual((answer.status, answer.code()), (409, "name_taken"))

    async def test_bad_names(self) -> None:
        """A name that no device can have is refused at its field, and nothing is made."""
        admin = await self.program(Role.ADMIN)
        for body in ({"name": "Kitchen Pi"}, {"name": ""}, {"name": "a" * 64}, {"name": 1}, {}, {"name": None}):
            answer = await self.ask("POST", "/api/v1/devices", admin, json=body)
            self.assertEqual((answer.status, answer.code()), (422, "invalid"), body)
            self.assertEqual(list(answer.json()["error"]["fields"]), ["name"])
        for body in ({"name": "a", "transport": "pigeon"}, {"name": "a", "address": "a b"}, {"name": "a", "nmae": "b"}):
            answer = await self.ask("POST", "/api/v1/devices", admin, json=body)
            self.assertEqual(answer.status, 422, body)
        self.assertEqual(self.parts.center.devices.all(), ())

    async def test_rename(self) -> None:
        """A device keeps its link under another name; a name that is taken stays with whoever has it."""
        await self.device("kitchen-pi")
        await self.device("attic")
        admin = await self.program(Role.ADMIN)
        answer = await self.ask("PATCH", PATH, admin, json={"name": "cellar"})
        self.assertEqual((answer.status, answer.json()["name"], answer.json()["state"]), (200, "cellar", "online"))
        answer = await self.ask("PATCH", "/api/v1/devices/cellar", admin, json={"name": "attic"})
        self.assertEqual(answer.status, 409)
        self.assertEqual((await self.ask("GET", PATH, admin)).code(), "unknown_device")

    async def test_revoke_and_remove(self) -> None:
        """A revoked device is shut out and stays listed; a removed one is forgotten."""
        await self.device()
        admin = await self.program(Role.ADMIN)
        answer = await self.ask("POST", f"{PATH}/revoke", admin)
        self.assertEqual((answer.status, answer.json()["revoked"]), (200, True))
        answer = await self.ask("DELETE", PATH, admin)
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual((await self.ask("DELETE", PATH, admin)).status, 404)

    async def test_unknown(self) -> None:
        """A device that does not exist is 404 wherever it is named."""
        admin = await self.program(Role.ADMIN)
        for method, path in (
            ("GET", PATH),
            ("GET", f"{PATH}/logs"),
            ("GET", f"{PATH}/commands"),
            ("GET", "/api/v1/readings?device=kitchen-pi&series=a"),
            ("GET", "/api/v1/readings.csv?device=kitchen-pi&series=a"),
            ("POST", f"{PATH}/revoke"),
        ):
            answer = await self.ask(method, path, admin)
            self.assertEqual((answer.status, answer.code()), (404, "unknown_device"), path)


class CommandTests(WebTestCase):
    """What devices are told."""

    async def send(self, visitor: Visitor, **body: object) -> tuple[int, dict[str, object]]:
        """Send a command; the status and the answer."""
        answer = await self.ask("POST", f"{PATH}/commands", visitor, json=body)
        return answer.status, answer.json()

    async def test_to_its_result(self) -> None:
        """Who waits for the result gets it with the answer."""
        link, attachment = await self.device()
        operator = await self.program(Role.OPERATOR)

        def obey(message: object) -> None:
            assert isinstance(message, Command)
            self.assertEqual(message.args, {"seconds": 5})
            attachment.received(Result(message.id, ResultState.DONE, result="blinked"))

        link.send = obey  # type: ignore[method-assign]
        status, command = await self.send(operator, name="identify", args={"seconds": "5"}, timeout=10)
        self.assertEqual((status, command["state"], command["result"]), (200, "done", "blinked"))
        self.assertEqual(command["actor"], "token operator program")
        recent = (await self.ask("GET", f"{PATH}/commands", operator)).json()
        self.assertEqual([one["id"] for one in recent], [command["id"]])

    async def test_offline(self) -> None:
        """A device that is offline gets no command that may not wait for it; one that may can be taken back."""
        _, attachment = await self.device()
        attachment.detached("the test pulled the plug")
        operator = await self.program(Role.OPERATOR)
        status, error = await self.send(operator, name="identify", args={"seconds": 5})
        self.assertEqual((status, error["error"]["code"]), (409, "device_offline"))  # type: ignore[index]
        status, command = await self.send(operator, name="identify", args={"seconds": 5}, lifetime=60, timeout=None)
        self.assertEqual((status, command["state"]), (200, "queued"))
        path = f"{PATH}/commands/{command['id']}"
        self.assertEqual((await self.ask("GET", path, operator)).json()["state"], "queued")
        self.assertEqual((await self.ask("DELETE", path, operator)).json()["state"], "cancelled")

    async def test_bad_arguments(self) -> None:
        """Arguments that do not fit are named one by one."""
        await self.device()
        operator = await self.program(Role.OPERATOR)
        status, answer = await self.send(operator, name="identify", args={"seconds": 61, "colour": "red"})
        self.assertEqual((status, answer["error"]["code"]), (422, "arguments"))  # type: ignore[index]
        self.assertEqual(set(answer["error"]["fields"]), {"seconds", "colour"})  # type: ignore[index]
        self.assertEqual((await self.send(operator, name="fly"))[0], 404)
        for body in ({"name": "identify", "timeout": 1e9}, {"name": "identify", "args": []}, {"name": "a b"}):
            self.assertEqual((await self.send(operator, **body))[0], 422, body)

    async def test_of_another_device(self) -> None:
        """A command is found under its own device alone."""
        await self.device()
        await self.device("attic")
        operator = await self.program(Role.OPERATOR)
        _, command = await self.send(operator, name="reboot", lifetime=60)
        for id in (command["id"], 99, 2**63, 2**64):
            answer = await self.ask("GET", f"/api/v1/devices/attic/commands/{id}", operator)
            self.assertEqual(answer.status, 404, id)


class LogTests(WebTestCase):
    """What devices log."""

    async def test_recent(self) -> None:
        """The newest lines come first, by level, and page by page."""
        _, attachment = await self.device()
        levels = (LogLevel.INFO, LogLevel.ERROR, LogLevel.DEBUG, LogLevel.WARNING)
        attachment.received(Log(tuple(LogLine(1.7e9 + at, level, f"line {at}") for at, level in enumerate(levels))))
        viewer = await self.program(Role.VIEWER)
        await self.store.logs.append(attachment.known.id, (LogLine(1.7e9, LogLevel.INFO, "<b>"),), 1.7e9)
        lines = (await self.ask("GET", f"{PATH}/logs", viewer)).json()
        self.assertEqual([line["text"] for line in lines], ["<b>", "line 3", "line 2", "line 1", "line 0"])
        lines = (await self.ask("GET", f"{PATH}/logs?limit=1&level=warning&before={lines[1]['id']}", viewer)).json()
        self.assertEqual([(line["text"], line["level"]) for line in lines], [("line 1", "error")])

    async def test_bad_queries(self) -> None:
        """A query that does not fit says which part of it."""
        await self.device()
        viewer = await self.program(Role.VIEWER)
        for query in ("limit=0", "limit=many", "level=loud", "before=-1", "colour=red"):
            answer = await self.ask("GET", f"{PATH}/logs?{query}", viewer)
            self.assertEqual((answer.status, answer.code()), (422, "invalid"), query)
            self.assertEqual(list(answer.json()["error"]["fields"]), [query.partition("=")[0]])
