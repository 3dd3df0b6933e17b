"""The reference of the API."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import msgspec

from iotcenter.model import Role
from iotcenter.web.api.openapi import describe
from iotcenter.web.api.reference import kind_of, operations
from iotcenter.web.api.routes import api_handlers
from iotcenter.web.guard import API, routes_of, signature_of
from tests.web.support import WebTestCase


class ReferenceTests(WebTestCase):
    """``/api``."""

    async def test_everything_is_there(self) -> None:
        """Each operation and each struct that one names is on the page."""
        page = (await self.ask("GET", "/api", await self.user(Role.VIEWER))).body.decode()
        for group in operations(describe(api_handlers(self.parts))).values():
            for one in group:
                self.assertIn(f'id="{one.id}"', page)
        targets = set(re.findall(r'href="#([^"]+)"', page))
        self.assertLessEqual(targets, set(re.findall(r' id="([^"]+)"', page)))

    def test_examples(self) -> None:
        """What the examples send is what the operations take: one may be pasted as it stands."""
        bodies = {}
        for handlers in api_handlers(self.parts):
            for route, handler in routes_of(handlers):
                bodies[route.methods[0], re.sub(r"<(?:[^<>]*:)?(\w+)>", r"{\1}", route.path)] = signature_of(
                    handler
                ).body
        for group in operations(describe(api_handlers(self.parts))).values():
            for one in group:
                words = shlex.split(one.example)
                self.assertTrue(words[-1].startswith(f"$SERVER{API}"), one.id)
                self.assertNotIn("{", words[-1], one.id)
                body: Any = bodies[one.method, one.path]
                if body is not None:
                    msgspec.convert(json.loads(words[words.index("-d") + 1]), body)

    def test_in_words(self) -> None:
        """Types are told in words, with their bounds; those that only guard the database are not."""
        for schema, words in (
            ({"type": "integer", "minimum": 1, "maximum": 2**63 - 1}, "integer (at least 1)"),
            ({"type": "array", "items": {"$ref": "#/components/schemas/Device"}}, "array of Device"),
            (
                {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]},
                "string (at most 9 characters) or null",
            ),
            ({"enum": ["a", "b"]}, '"a" or "b"'),
            ({}, "anything"),
        ):
            self.assertEqual(kind_of(schema), words)
