"""The API's document."""

from __future__ import annotations

import re
from typing import Any

from iotcenter.model import Role
from iotcenter.web.api.routes import api_handlers
from iotcenter.web.guard import API, Route, routes_of
from iotcenter.web.site import all_handlers
from tests.web.support import WebTestCase


class OpenAPITests(WebTestCase):
    """It says what is served."""

    async def document(self) -> Any:
        """The document, as programs get it."""
        answer = await self.ask("GET", "/api/openapi.json", await self.program(Role.VIEWER))
        self.assertEqual((answer.status, answer.header("content-type")), (200, "application/json"))
        return answer.json()

    def routes(self) -> list[Route]:
        """Every route below /api/v1."""
        found = [route for handlers in all_handlers(self.parts) for route, _ in routes_of(handlers)]
        return [route for route in found if route.path.startswith(f"{API}/")]

    async def test_every_route(self) -> None:
        """Each route of the API is in it, with its method and status, and nothing else is."""
        document = await self.document()
        described = {
            (path, method, next(iter(operation["responses"])))
            for path, operations in document["paths"].items()
            for method, operation in operations.items()
        }
        served = {
            (re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", route.path), method.lower(), str(route.status))
            for route in self.routes()
            for method in route.methods
        }
        self.assertEqual(described, served)
        self.assertEqual(len(self.routes()), sum(len(list(routes_of(each))) for each in api_handlers(self.parts)))

    async def test_references(self) -> None:
        """Whatever it refers to is there, and whatever is there is referred to."""
        document = await self.document()
        text = repr(document)
        referred = set(re.findall(r"'#/components/(\w+)/([\w.]+)'", text))
        there = {(kind, name) for kind in ("schemas", "responses") for name in document["components"][kind]}
        self.assertEqual(referred, there)

    async def test_operations(self) -> None:
        """Each operation has a name of its own, a summary, and its parameters."""
        document = await self.document()
        names = []
        for path, operations in document["paths"].items():
            for operation in operations.values():
                names.append(operation["operationId"])
                self.assertTrue(operation["summary"])
                in_path = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
                self.assertEqual(in_path, re.findall(r"{(\w+)}", path))
        self.assertEqual(len(names), len(set(names)))

    async def test_what_is_said_of_one(self) -> None:
        """A body, a query and an answer are described by their structs."""
        document = await self.document()
        send = document["paths"][f"{API}/devices/{{name}}/commands"]["post"]
        body = send["requestBody"]["content"]["application/json"]["schema"]
        self.assertEqual(body, {"$ref": "#/components/schemas/NewCommand"})
        answer = send["responses"]["200"]["content"]["application/json"]["schema"]
        self.assertEqual(answer, {"$ref": "#/components/schemas/Command"})
        readings = document["paths"][f"{API}/readings"]["get"]
        parameters = {one["name"]: one["required"] for one in readings["parameters"]}
        self.assertEqual(
            parameters, {"device": True, "series": True, "from": False, "to": False, "step": False, "zone": False}
        )
        columns = readings["responses"]["200"]["content"]["application/json"]["schema"]["anyOf"]
        self.assertEqual([one["$ref"].rpartition("/")[2] for one in columns], ["RawColumns", "BucketColumns"])
