"""Hypothesis strategies for messages."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from iotcenter.model import (
    AppState,
    Argument,
    ArgumentType,
    CommandOffer,
    LogLevel,
    LogLine,
    Message,
    Reading,
    Series,
)
from iotcenter.wire import messages as m

numbers = st.floats(allow_nan=False, allow_infinity=False)
times = st.floats(min_value=-1e9, max_value=4e9)
names = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9:./_-]{0,20}\Z")
identifiers = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_]{0,20}\Z")
short = st.text(max_size=40)
values = st.one_of(numbers, st.booleans(), short)
readings = st.builds(Reading, names, values, times)
series = st.builds(Series, name=names, label=short, unit=st.text(max_size=16), every=st.floats(0, 1e6))
arguments = st.builds(
    Argument, name=identifiers, type=st.sampled_from(ArgumentType), label=short, minimum=st.none() | numbers
)
offers = st.builds(CommandOffer, name=identifiers, label=short, arguments=st.lists(arguments, max_size=3).map(tuple))
boots = st.integers(0, 2**32 - 1)
sequences = st.integers(1, 2**32 - 1)
plain: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | numbers | short,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(short, inner, max_size=3),
    max_leaves=8,
)

messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(
        m.Hello,
        agent=short,
        boot=boots,
        series=st.lists(series, max_size=3).map(tuple),
        commands=st.lists(offers, max_size=2).map(tuple),
        app=st.sampled_from(AppState),
        heartbeat=st.floats(0, 3600),
        lost=st.integers(0, 2**40),
    ),
    st.builds(m.Welcome, short, short, times, st.floats(0, 1e6)),
    st.builds(m.Report, boots, sequences, st.lists(readings, min_size=1, max_size=5).map(tuple), times),
    st.builds(
        m.Ack, boots, sequences, st.integers(1, 1000), st.lists(st.builds(m.Refusal, sequences, short)).map(tuple)
    ),
    st.builds(m.Busy, boots, sequences, st.floats(0, 100), short),
    st.builds(m.Command, st.integers(0, 2**40), identifiers, st.dictionaries(short, plain, max_size=3)),
    st.builds(m.Result, st.integers(0, 2**40), st.sampled_from(m.ResultState), plain, st.none() | short),
    st.builds(
        m.Log, st.lists(st.builds(LogLine, times, st.sampled_from(LogLevel), short), min_size=1, max_size=3).map(tuple)
    ),
    st.builds(
        m.File,
        st.integers(0, 99),
        short,
        short,
        st.integers(0, 99),
        st.integers(0, 99),
        st.binary(max_size=50),
        st.binary(max_size=32),
        times,
        st.integers(0, 2**40),
    ),
    st.builds(
        m.FileAck, st.integers(0, 99), st.sampled_from(m.FileState), st.integers(0, 99), st.floats(0, 100), short
    ),
    st.builds(m.Tunnel, st.binary(min_size=16, max_size=32), st.sampled_from(m.TunnelAction), st.integers(0, 65535)),
    st.builds(m.Renew, st.binary(max_size=50), st.binary(max_size=50)),
    st.builds(m.Ping),
    st.builds(m.Pong),
    st.builds(m.Close, st.sampled_from(m.CloseCode), short),
    st.builds(m.Enroll, st.binary(min_size=16, max_size=32), st.binary(max_size=50), short),
    st.builds(m.Enrolled, short, short, st.binary(max_size=50), st.binary(max_size=50), st.binary(max_size=32)),
)
