"""One request to the web service: what is retried, what is refused, how it is paced, and the cache."""

import random
import sqlite3
from contextlib import closing
from email.utils import formatdate
from time import time

import pytest

from fake_infinigram import KNOWN, FakeInfinigram
from flipped_bytes import flipped
from unequal.counting.infinigram.answers import NameCount, read_name, read_pair
from unequal.counting.infinigram.cache import AnswerCache, default_cache_folder
from unequal.counting.infinigram.client import ApiClient, RefusedError
from unequal.errors import ConfigError, DataError
from waiting import HANGS

PLAIN = {"index": KNOWN, "query_type": "count", "query": "Accra"}
PAIR = PLAIN | {"query": "Ghana AND Accra", "max_clause_freq": 100, "max_diff_tokens": 10}


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def service():
    with FakeInfinigram([["Accra is in Ghana", "Accra", "Kumasi"]]) as fake:
        yield fake


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make_client(service, clock, tmp_path):
    def make(**changes):
        settings = {"url": service.url, "cache": AnswerCache(tmp_path / "cache"), "timeout_seconds": HANGS}
        settings |= {"retries": 3, "requests_per_second": 1000.0, "random": lambda: 1.0}
        return ApiClient(sleep=clock.sleep, clock=clock, **(settings | changes))

    return make


def test_an_answer_is_read_and_asked_only_once(service, make_client):
    client = make_client()
    assert client.ask(PLAIN, read_name) == NameCount(2, (1,))
    assert make_client().ask(PLAIN, read_name) == NameCount(2, (1,))
    assert service.requests == [PLAIN]
    assert (client.n_sent, client.n_from_cache) == (1, 0)


def test_the_cache_is_keyed_by_the_whole_request_and_the_address(service, make_client):
    client = make_client()
    client.ask(PAIR, read_pair)
    for other in ({"max_diff_tokens": 11}, {"max_clause_freq": 101}, {"query": "Ghana AND Kumasi"}):
        client.ask(PAIR | other, read_pair)
    make_client(url=service.url + "v2").ask(PAIR, read_pair)
    assert len(service.requests) == 5
    client.ask(dict(reversed(PAIR.items())), read_pair)
    assert len(service.requests) == 5


@pytest.mark.parametrize(
    "trouble",
    [403, 429, 502, 503, 504, (500, "[Flask] Web request timed out."), 500, "drop", "broken", [1]],
    ids=str,
)
def test_what_may_pass_is_tried_again(service, make_client, trouble):
    service.troubles.extend([trouble, trouble])
    assert make_client().ask(PLAIN, read_name).count == 2
    assert len(service.requests) == 3


def test_a_slow_answer_is_tried_again(service, make_client):
    service.troubles.append("slow")
    client = make_client(timeout_seconds=0.2)
    client.sleep = lambda _seconds: setattr(client, "timeout_seconds", HANGS)
    assert client.ask(PLAIN, read_name).count == 2
    assert len(service.requests) == 2


def test_a_service_that_is_not_there(make_client):
    with pytest.raises(DataError, match=r"did not answer after 4 tries: .*refused"):
        make_client(url="http://127.0.0.1:9/").ask(PLAIN, read_name)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (
            (500, "count() got an unexpected keyword argument 'max_diff_tokens'"),
            "unexpected keyword argument",
        ),
        ((400, "[Flask] Invalid query_type: count"), "HTTP 400 .*Invalid query_type"),
        (404, "HTTP 404"),
        (
            {"error": "Please enter at most 4 terms!"},
            "refused the query 'Accra': Please enter at most 4 terms",
        ),
        ({"approx": False, "token_ids": [1]}, "query 'Accra': it answered without a count"),
        ({"count": None, "token_ids": [1]}, "without a count"),
        ({"count": True, "token_ids": [1]}, "without a count"),
        ({"count": -1, "token_ids": [1]}, "without a count"),
        ({"count": 9, "token_ids": []}, "without the name's token_ids"),
        ({"count": 9}, "without the name's token_ids"),
    ],
)
def test_what_will_not_pass_is_refused_at_once_and_not_kept(service, make_client, trouble, words):
    service.troubles.append(trouble)
    with pytest.raises(RefusedError, match=words):
        make_client().ask(PLAIN, read_name)
    assert len(service.requests) == 1
    assert make_client().ask(PLAIN, read_name).count == 2


def test_options_of_and_queries_break_a_plain_query_for_good(service, make_client):
    with pytest.raises(RefusedError, match="unexpected keyword argument 'max_diff_tokens'"):
        make_client().ask(PLAIN | {"max_diff_tokens": 100}, read_name)
    assert len(service.requests) == 1


def test_an_unknown_index_is_one_sentence(make_client):
    with pytest.raises(ConfigError, match="no index 'v4_dolma_llama'; did you mean 'v4_dolma-v1_7_llama'"):
        make_client().ask(PLAIN | {"index": "v4_dolma_llama"}, read_name)


def test_pauses_double_and_the_last_failure_says_how_to_go_on(service, make_client, clock):
    service.troubles.extend([429] * 4)
    with pytest.raises(DataError, match=r"after 4 tries: HTTP 429; every answer so far is kept in .*sqlite"):
        make_client().ask(PLAIN, read_name)
    assert clock.slept == [1.0, 2.0, 4.0]
    assert make_client().ask(PLAIN, read_name).count == 2


def test_pauses_differ_by_chance(service, make_client, clock):
    service.troubles.extend([503] * 3)
    make_client(random=random.Random(1).random).ask(PLAIN, read_name)
    assert all(0.5 <= slept / 2**i < 1.0 for i, slept in enumerate(clock.slept))
    assert len({slept / 2**i for i, slept in enumerate(clock.slept)}) == 3


@pytest.mark.parametrize("as_date", [False, True])
def test_the_pause_that_the_service_asks_for_is_kept(service, make_client, clock, as_date):
    value, least = (formatdate(time() + 30, usegmt=True), 25.0) if as_date else ("30", 30.0)
    service.troubles.append((429, {"Retry-After": value}))
    make_client().ask(PLAIN, read_name)
    assert len(clock.slept) == 1
    assert least <= clock.slept[0] <= 30.0


def test_a_very_long_pause_ends_the_run(service, make_client, clock):
    service.troubles.append((503, {"Retry-After": "86400"}))
    with pytest.raises(DataError, match="after 1 try: HTTP 503"):
        make_client().ask(PLAIN, read_name)
    assert clock.slept == []


def test_requests_keep_their_pace_and_the_cache_needs_none(make_client, clock):
    client = make_client(requests_per_second=2.0)
    for query in ("Accra", "Ghana", "Kumasi"):
        client.ask(PLAIN | {"query": query}, read_name)
    assert clock.slept == [0.5, 0.5]
    client.ask(PLAIN, read_name)
    assert clock.slept == [0.5, 0.5]


def test_an_estimate_is_anything_that_is_not_plainly_exact():
    assert not read_pair({"count": 1, "approx": False}).approx
    assert all(read_pair({"count": 1, **answer}).approx for answer in ({"approx": True}, {}, {"approx": 0}))


def test_a_damaged_answer_is_asked_again(service, make_client):
    make_client().ask(PLAIN, read_name)
    with closing(sqlite3.connect(make_client().cache.path)) as database:
        database.execute("UPDATE answers SET answer = replace(answer, '2', '7')")
        database.commit()
    assert make_client().ask(PLAIN, read_name).count == 2
    assert len(service.requests) == 2
    assert make_client().ask(PLAIN, read_name).count == 2
    assert len(service.requests) == 2


def test_a_broken_cache_file_is_set_aside(tmp_path, caplog):
    text = b"not a database at all, just a text" * 50
    (tmp_path / "answers.sqlite").write_bytes(text)
    cache = AnswerCache(tmp_path)
    cache.put("url", PLAIN, {"count": 3})
    assert AnswerCache(tmp_path).get("url", PLAIN) == {"count": 3}
    (note,) = caplog.messages
    assert "is damaged (file is not a database) and set aside as answers.sqlite.damaged" in note
    assert (tmp_path / "answers.sqlite.damaged").read_bytes() == text


@pytest.mark.full
@pytest.mark.fault("a byte of kept answers of the web service flips", "they are asked again, with a note")
def test_a_flipped_byte_of_the_cache_never_changes_an_answer(tmp_path):
    requests = [{"query": f"name {number}"} for number in range(30)]
    cache = AnswerCache(tmp_path)
    for number, request in enumerate(requests):
        cache.put("url", request, {"count": number})
    whole, chance = cache.path.read_bytes(), random.Random(17)
    places = sorted({*range(110), *chance.sample(range(len(whole)), 120)})
    for place in places:
        cache.path.write_bytes(flipped(whole, place, chance.randrange(1, 256)))
        again = AnswerCache(tmp_path)
        for number, request in enumerate(requests[::7]):
            assert again.get("url", request) in (None, {"count": 7 * number})
            again.put("url", request, {"count": 7 * number})
            assert again.get("url", request) in (None, {"count": 7 * number}), place


def test_a_cache_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="choose another --cache"):
        AnswerCache(tmp_path / "file" / "cache")


def test_the_default_cache_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_folder() == tmp_path / "unequal" / "infinigram"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for ignored in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert default_cache_folder() == tmp_path / "home" / ".cache" / "unequal" / "infinigram"
