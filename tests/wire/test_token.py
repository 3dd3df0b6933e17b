"""The string that people paste."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from iotcenter.wire.errors import WireError
from iotcenter.wire.token import PREFIX, Token, parse_token

tokens = st.builds(
    Token,
    st.text(min_size=1, max_size=60),
    st.integers(1, 65535),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=16, max_size=16),
)


class TokenTests(SynchronousTestCase):
    """A token comes back as it was, or is refused in words."""

    @given(tokens)
    def test_comes_back(self, token: Token) -> None:
        """Text and back, with white space around it."""
        self.assertEqual(parse_token(f"  {token.text()}\n"), token)

    @given(
        st.text(max_size=100)
        | st.text(max_size=100).map(PREFIX.__add__)
        | st.binary(max_size=80).map(bytes.hex).map(PREFIX.__add__)
    )
    def test_anything_else_is_refused(self, text: str) -> None:
        """Any text is a token or a ``WireError``."""
        try:
            self.assertIsInstance(parse_token(text), Token)
        except WireError as error:
            self.assertIn("token", str(error))

    def test_does_not_show_its_secret(self) -> None:
        """A token that gets into a log says where it leads, and no more."""
        token = Token("center.example", 9998, b"f" * 32, b"s" * 16)
        self.assertEqual(repr(token), "Token(host='center.example', port=9998)")

    def test_is_one_word_for_a_shell(self) -> None:
        """Nothing in it needs quoting, in a shell or a URL."""
        self.assertRegex(Token("center.example", 9998, b"\xff" * 32, b"\xfe" * 16).text(), r"^[A-Za-z0-9_-]+$")
