"""What comes with requests."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.web.api.commands import NewCommand
from iotcenter.web.api.logs import LogQuery
from iotcenter.web.api.taken import Taken
from iotcenter.web.api.tokens import NewToken
from iotcenter.web.body import MAX_FIELDS, read_form, read_json, read_query
from iotcenter.web.errors import HTTPProblem
from tests.web.requests import FORM, request
from tests.web.taken import TAKEN

JSON = "application/json"


class BodyTestCase(SynchronousTestCase):
    """Reads bodies."""

    def problem(self, read: Callable[[], object]) -> HTTPProblem:
        """What is wrong with a body."""
        return self.assertRaises(HTTPProblem, read)  # type: ignore[no-any-return]


class FormTests(BodyTestCase):
    """Forms."""

    def test_fields(self) -> None:
        """Fields are text in UTF-8; of one that comes twice, the last counts: a checkbox behind its hidden field."""
        form = read_form(request(b"name=J%C3%BCrgen+A&empty=&on=off&on=on", FORM + "; charset=UTF-8"))
        self.assertEqual(form, {"name": "Jürgen A", "empty": "", "on": "on"})
        self.assertEqual(read_form(request()), {})

    def test_bad(self) -> None:
        """Other types, other encodings and too many fields are refused."""
        for body, media, status in (
            (b"a=b", "text/plain", 415),
            (b"a=b", "", 415),
            (b"a=b", "multipart/form-data; boundary=x", 415),
            (b"a=b", FORM + "; charset=latin-1", 415),
            (b"a=%ff", FORM, 400),
            (b"a=\xff", FORM, 400),
            (b"&".join(b"a%d=b" % number for number in range(MAX_FIELDS + 1)), FORM, 400),
        ):
            with self.subTest(body=body[:10], media=media):
                self.assertEqual(self.problem(lambda: read_form(request(body, media))).status, status)  # noqa: B023

    @given(st.binary(max_size=200))
    def test_anything(self, body: bytes) -> None:
        """Any bytes are a form or a problem of the one who sent them."""
        try:
            form = read_form(request(body, FORM))
        except HTTPProblem as problem:
            self.assertEqual(problem.status, 400)
            return
        "".join([*form, *form.values()]).encode()


class JSONTests(BodyTestCase):
    """JSON."""

    def test_bombs(self) -> None:
        """What is nested, large or no number as JSON has it is refused without harm."""
        for body in (
            b"[" * 60_000,
            b'{"name":' * 6_000,
            b'{"name":"a","args":' + b'{"a":' * 6_000 + b"1" + b"}" * 6_001,
            b'{"name":"a","timeout":NaN}',
            b'{"name":"a","timeout":1e999}',
            b'{"name":"a","timeout":' + b"9" * 5_000 + b"}",
            b'{"name":"\xff"}',
            b'{"name":"\\ud800"}',
            b"",
            b"\xef\xbb\xbf{}",
        ):
            with self.subTest(body[:30]):
                problem = self.problem(lambda: read_json(request(body, JSON), NewCommand))  # noqa: B023
                self.assertIn(problem.status, (400, 422))

    def test_words(self) -> None:
        """A field that does not fit is named, with what is expected."""
        cases: tuple[tuple[Any, str], ...] = (
            ({"name": "x", "timeout": "soon"}, "timeout"),
            ({"timeout": 1}, "name"),
            ({"name": "x", "args": {}, "tiemout": 1}, "tiemout"),
            ({"name": "a b"}, "name"),
        )
        for given_, field in cases:
            problem = self.problem(lambda: read_json(request(msgspec.json.encode(given_), JSON), NewCommand))  # noqa: B023
            self.assertEqual((problem.status, list(problem.fields)), (422, [field]))
            self.assertNotIn("$", problem.message)
            self.assertNotIn("`", problem.message)

    def test_type(self) -> None:
        """A type is demanded, and parameters of it are understood."""
        self.assertEqual(read_json(request(b'{"name":"a"}', 'Application/JSON; charset="utf-8"'), NewToken).name, "a")
        for media in ("", "text/json", "application/jsonp", "application/json; charset=utf-16", FORM):
            self.assertEqual(self.problem(lambda: read_json(request(b"{}", media), NewToken)).status, 415)  # noqa: B023

    def test_encoding(self) -> None:
        """A body that is compressed is refused as such, and not as bad JSON."""
        packed = request(gzip.compress(b'{"name":"a"}'), JSON)
        packed.requestHeaders.setRawHeaders("content-encoding", ["gzip"])
        problem = self.problem(lambda: read_json(packed, NewToken))
        self.assertEqual((problem.status, problem.code), (415, "bad_encoding"))
        plain = request(b'{"name":"a"}', JSON)
        plain.requestHeaders.setRawHeaders("content-encoding", ["identity"])
        self.assertEqual(read_json(plain, NewToken).name, "a")

    @given(
        st.sampled_from(TAKEN),
        st.binary(max_size=100)
        | st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False, allow_infinity=False)
            | st.text(max_size=10),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["name", "args", "role", "password", "lifetime", "expires", "address"])
                    | st.text(max_size=5),
                    inner,
                    max_size=5,
                )
            ),
        ).map(msgspec.json.encode),
    )
    def test_anything(self, kind: type[Taken], body: bytes) -> None:
        """Anything is what is taken, or a problem of the one who sent it."""
        try:
            taken = read_json(request(body, JSON), kind)
        except HTTPProblem as problem:
            self.assertIn(problem.status, (400, 422))
            msgspec.json.encode(problem.fields)
            return
        self.assertIsInstance(taken, kind)


class QueryTests(BodyTestCase):
    """Queries."""

    def test_types(self) -> None:
        """Numbers and choices are read from text."""
        query = read_query(request(query=b"limit=5&level=error"), LogQuery)
        self.assertEqual((query.limit, query.level.value), (5, "error"))

    @given(
        st.sampled_from(TAKEN),
        st.binary(max_size=80)
        | st.lists(
            st.tuples(
                st.sampled_from(["limit", "before", "level", "device", "series", "from", "to", "step", "x"]),
                st.text(max_size=20),
            ),
            max_size=8,
        ).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).encode("utf-8", "replace")),
    )
    def test_anything(self, kind: type[Taken], query: bytes) -> None:
        """Anything is a query, or a problem of the one who sent it."""
        try:
            self.assertIsInstance(read_query(request(query=query), kind), kind)
        except HTTPProblem as problem:
            self.assertIn(problem.status, (400, 422))
