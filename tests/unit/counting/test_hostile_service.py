"""A web service that means no good: it gets one sentence, in bounded time and memory, and no obedience."""

import gzip
import json
import math
import re
import socket
import threading
from unicodedata import category

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from command_line import call
from fake_infinigram import KNOWN, FakeInfinigram, Trickle, whole
from unequal.config import build
from unequal.counting import COUNTERS
from unequal.counting.infinigram.answers import LARGEST, read_name, read_pair, read_shards
from unequal.counting.infinigram.api_settings import plain_web_address
from unequal.counting.infinigram.cache import AnswerCache
from unequal.counting.infinigram.client import ApiClient, RefusedError
from unequal.counting.infinigram.exchange import MOST_BYTES
from unequal.counting.infinigram.replies import MOST_LEVELS, message_of, parsed, pause_of
from unequal.errors import ConfigError, DataError, UserError
from waiting import HANGS

PLAIN = {"index": KNOWN, "query_type": "count", "query": "Accra"}
DEADLINE = 0.4
"""Seconds, where it is to pass; everywhere else it is `HANGS`."""
BYTE_BY_BYTE = [b"%c" % letter for letter in whole(b'{"count": 1, "token_ids": [1]}')]

hostile = pytest.mark.fault(
    "a service that counts sends what is malformed, endless or hostile",
    "one sentence within the deadline, cut and cleaned; nothing of it is obeyed, counted or kept",
)


@pytest.fixture
def service():
    with FakeInfinigram([["Accra is in Ghana"]]) as fake:
        yield fake


@pytest.fixture
def client(service, tmp_path):
    cache = AnswerCache(tmp_path / "cache")
    made = ApiClient(url=service.url, cache=cache, timeout_seconds=HANGS, retries=0)
    made.sleep = [].append
    return made


def sentence(client, kind=UserError, read=read_name):
    with pytest.raises(kind) as caught:
        client.ask(PLAIN, read)
    message = str(caught.value)
    assert len(message) < 1200
    assert not [c for c in message if category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    return message


@hostile
@pytest.mark.parametrize(
    "trickle",
    [
        Trickle(*BYTE_BY_BYTE),
        Trickle(whole(b"")[:-2], *[b"X-Header-%d: x\r\n" % number for number in range(99)]),
        Trickle(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 99),
        Trickle(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1\r\n \r\n"] * 99),
        "slow",
    ],
    ids=["byte by byte", "headers without end", "continue for ever", "chunks for ever", "silence"],
)
def test_a_deadline_is_for_the_whole_answer(service, client, trickle):
    client.timeout_seconds = DEADLINE
    service.troubles.append(trickle)
    assert "timed out: no whole answer within 0.4 s" in sentence(client, DataError)


@hostile
def test_a_deadline_is_for_the_look_up_of_the_name_too(client, monkeypatch):
    asked = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: asked.wait(HANGS) or [])
    client.url, client.timeout_seconds = "http://name.invalid/", DEADLINE
    assert "timed out: no whole answer within 0.4 s" in sentence(client, DataError)
    asked.set()


@hostile
@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_redirects_are_refused(service, client, status):
    with FakeInfinigram([["Accra"]]) as other:
        service.troubles.append((status, {"Location": other.url}))
        message = sentence(client, RefusedError)
        assert f"redirects to '{other.url}' (HTTP {status}), which is not followed" in message
        assert not other.requests


@hostile
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "cannot|disconnected|without"),
        (b"\r\n" * 9, ""),
        (b"HTTP/9.9 200 OK\r\n\r\n{}", ""),
        (b"HTTP/1.1 2000 OK\r\n\r\n{}", ""),
        (b"HTTP/1.1 -20 OK\r\n\r\n{}", ""),
        (b"HTTP/1.1 OK\r\n\r\n{}", ""),
        (b"ICY 200 OK\r\n\r\n{}", ""),
        (b"\x1b[2J\x07\r\n\r\n", ""),
        (b"SSH-2.0-OpenSSH_9.6\r\n", ""),
        (whole(b"{}", b"no colon here"), ""),
        (whole(b"{}", b": no name"), ""),
        (whole(b"{}", b"Bad\x00Name: x"), ""),
        (whole(b"{}", b"X: a\x00b"), ""),
        (whole(b"{}", b"Content-Length: 99"), ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999999\r\n\r\n{}", ""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}", ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}", ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}", ""),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: strange\r\n\r\n{}", ""),
        (whole(b"{}", b"X: " + b"x" * 200_000), ""),
        (whole(b"{}", *[b"X: x"] * 20_000), ""),
        (whole(b"x" * (MOST_BYTES + 1)), "larger than 4 MiB"),
        (
            whole(gzip.compress(json.dumps({"count": 1}).encode()), b"Content-Encoding: gzip"),
            "not valid JSON",
        ),
        (whole(b'{"count": NaN, "token_ids": [1]}'), "not valid JSON"),
        (whole(b'{"count": Infinity, "token_ids": [1]}'), "not valid JSON"),
        (whole(b'{"count": ' + b"9" * 5000 + b', "token_ids": [1]}'), "not valid JSON"),
        (whole(b'{"count": 1, "token_ids": [1]} {}'), "not valid JSON"),
        (whole(b"\xff\xfe\x00"), "not valid JSON"),
        (whole(b"\x80{}"), "not valid JSON"),
        (whole(b'{"error": "\\ud800"}'), r"\\ud800"),
        (whole(b""), "not valid JSON"),
        (whole(b"[]"), "not a JSON object"),
        (whole(b"null"), "not a JSON object"),
        (whole(b"{}", status="204 No Content"), "HTTP 204"),
        (whole(b"{}", status="299 Odd"), "HTTP 299"),
        (whole(b"{}", status="999 Odd"), "HTTP 999"),
        (whole(b"{}", status="101 Switching Protocols"), ""),
    ],
    ids=lambda value: ascii(value[:60]) if isinstance(value, bytes) else "",
)
def test_what_is_no_answer_is_one_sentence(service, client, answer, words):
    service.troubles.append(answer)
    assert re.search(words, sentence(client, DataError))
    assert client.ask(PLAIN, read_name).count == 1  # nothing was kept


@hostile
@pytest.mark.parametrize("pair", ["[]", '{"a":}'], ids=["lists", "objects"])
@pytest.mark.parametrize("depth", [MOST_LEVELS + 1, 900, 100_000])
@pytest.mark.parametrize("key", ["count", "error", "extra"])
def test_json_nested_too_deeply_is_refused_at_once(service, client, pair, depth, key):
    value = pair[:-1] * depth + ("1" if pair[-1] == "}" else "") + pair[-1] * depth
    service.troubles.append(whole(f'{{"count": 1, "token_ids": [1], "{key}": {value}}}'.encode()))
    assert "nested more than 32 levels deep" in sentence(client, RefusedError)
    service.troubles.append((500, value))
    assert "HTTP 500" in sentence(client, DataError)


@hostile
@pytest.mark.parametrize(
    "count",
    [
        "-1",
        "1.0",
        "1.5",
        "1e3",
        "1e400",
        '"1"',
        "null",
        "true",
        "[1]",
        "{}",
        str(2**63),
        str(2**64),
        "9" * 4000,
    ],
)
def test_a_count_is_a_whole_number_of_a_sane_size(service, client, count):
    service.troubles.append(whole(f'{{"count": {count}, "token_ids": [1]}}'.encode()))
    assert "without a count" in sentence(client, RefusedError)
    service.troubles.append(whole(f'{{"count": 1, "token_ids": [{count}]}}'.encode()))
    assert "token_ids" in sentence(client, RefusedError)


@hostile
def test_what_a_service_says_is_cut_and_cleaned(service, client):
    said = "\x1b[2J\x1b]0;owned\x07\r\nunequal: done\u202e" + "x" * 100_000
    for trouble in ({"error": said}, (400, said), (500, said), {"count": said}, {"error": {said: said}}):
        service.troubles.append(trouble)
        message = sentence(client, DataError)
        assert "x" * 300 not in message
    service.troubles.append((302, {"Location": "x" * 9000}))
    assert "x" * 300 not in sentence(client, DataError)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0), ("30", 30), (" 30 ", 30), ("0", 0), ("-5", 0), ("1.5", 0), ("+3", 0), ("1e9", 0), ("²", 0),
        ("٣", 0), ("30, 40", 0), ("nan", 0), ("inf", 0), ("soon", 0), ("\x1b[2J", 0), ("9" * 20, 1e20),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 99 Oct 2015 07:28:00 GMT", 0), ("1 2 3 4 5 6", 0),
        ("Wed, 21 Oct 99999999 07:28:00 GMT", 0), ("Wed, 21 Oct 2015 07:28:00 +99999999", 0),
    ],
)  # fmt: skip
def test_any_retry_after_is_a_pause_or_none(header, seconds):
    assert pause_of(header) == pytest.approx(seconds)


@hostile
def test_a_pause_without_end_ends_the_run(service, client):
    for header in ("9" * 20, "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT"):
        client.retries = 3
        service.troubles.append((429, {"Retry-After": header}))
        assert "after 1 try: HTTP 429" in sentence(client, DataError)


@given(st.text())
def test_no_retry_after_header_raises(text):
    assert pause_of(text) >= 0 and not math.isnan(pause_of(text))


KEYS = st.sampled_from(["count", "error", "token_ids", "approx", "segment_by_shard"]) | st.text()
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
)


@given(st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_read_or_refused(body):
    message_of(body)
    try:
        value = parsed(body)
    except ValueError:
        return
    if not isinstance(value, dict):
        return
    for read in (read_name, read_pair, read_shards):
        try:
            found = read(value)
        except RefusedError:
            continue
        assert 0 <= getattr(found, "count", 0) <= LARGEST


@hostile
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    answer=st.binary(max_size=200) | st.binary(max_size=80).map(lambda tail: b"HTTP/1.1 200 OK\r\n" + tail)
)
def test_any_bytes_for_an_answer_are_one_sentence(service, client, answer):
    service.troubles.append(answer)
    sentence(client, DataError)


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "api.infini-gram.io", "//host/", "http://", "http:///path", "http://:80/", "https://host:99999/",
        "http://host:-1/", "http://host:port/", "http://host:0/", "http://[::1/", "http://[x]/", "ftp://host/",
        "file:///etc/passwd", "javascript:alert(1)", "gopher://host/", "unix:///run/socket", "http://ho st/",
        "http://host\n/", "http://host/\x1b[2J", "http://host\\@other/", "http://ho%73t/", "http://a..b/",
        "http://-a/", f"http://{'a' * 64}/", f"http://{'a.' * 200}a/", "http://hóst/",
        f"http://host/{'x' * 9999}",
        "http://user@host/", "http://user:secret@host/", "http://host/?secret", "http://host/#secret",
        "ftp://user:secret@host/", "http://user:secret@[::1", " http://host/", "http://host/ ",
    ],
)  # fmt: skip
def test_an_address_is_one_of_the_web_without_secrets(url):
    values = {"facts": "f.csv", "out": "c.parquet", "index": KNOWN, "url": url}
    with pytest.raises(ConfigError) as caught:
        build(COUNTERS.get("infinigram-api"), values, "command line")
    message = str(caught.value)
    assert message.startswith("command line: url: ") and "secret" not in message and len(message) < 500


@pytest.mark.parametrize(
    "url",
    ["https://api.infini-gram.io/", "http://127.0.0.1:8080", "http://[::1]:80/v1/", "https://xn--hst-sna.x/"],
)
def test_addresses_of_the_web_are_taken(url):
    assert plain_web_address(url) == url


@given(st.text() | st.text(alphabet="htps:/[]@?#.%1aé \\").map(lambda text: f"http://{text}"))
def test_any_address_is_taken_or_refused_in_a_sentence(url):
    try:
        assert plain_web_address(url) == url
    except ValueError as error:
        assert "it should" in str(error)


@pytest.mark.parametrize(
    "wrong", [{"retries": 10**30}, {"requests_per_second": 1e-300}, {"timeout_seconds": 1e300}], ids=str
)
def test_no_setting_asks_for_more_time_than_there_is(wrong):
    values = {"facts": "f.csv", "out": "c.parquet", "index": KNOWN} | wrong
    with pytest.raises(ConfigError, match=f"command line: {next(iter(wrong))}: found"):
        build(COUNTERS.get("infinigram-api"), values, "command line")


@pytest.mark.parametrize("proxy", ["nonsense", "nosuch://host:1/", "http://[::1:80/", "http://127.0.0.1:x/"])
def test_a_proxy_that_is_none_is_one_sentence(client, proxy, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("http_proxy", proxy)
    sentence(client)


@hostile
def test_the_command_ends_with_one_sentence_and_writes_nothing(service, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row = "fact_id,subject,relation,object,question,answer\nf0,Ghana,capital,Accra,Which?,Accra\n"
    (tmp_path / "facts.csv").write_text(row)
    words = ["count", "--engine", "infinigram-api", "--facts", "facts.csv", "--out", "counts.parquet"]
    words += ["--index", KNOWN, "--window", "10", "--url", service.url, "--retries", "0", "--cache", "cache"]
    for trouble in (
        Trickle(*BYTE_BY_BYTE),
        whole(b"[" * 99_999),
        {"count": 2**70, "token_ids": [1]},
        (302, {}),
    ):
        service.troubles.append(trouble)
        result = call(*words, "--timeout-seconds", "0.4")
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith("unequal: http") and result.err.count("\n") == 1
        assert not (tmp_path / "counts.parquet").exists()


def test_requests_work_where_an_event_loop_runs_already(client):
    import asyncio

    async def notebook():
        return client.ask(PLAIN, read_name)

    assert asyncio.run(notebook()).count == 1
