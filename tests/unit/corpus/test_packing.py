"""Packing: whole documents, in about their order, never two about one person in a window."""

import random

import pytest

from unequal.corpus.documents import Document
from unequal.corpus.ledger import Ledger
from unequal.corpus.packing import OPEN_WINDOWS, TokenisedDocument, pack
from unequal.corpus.shards import CorpusCard, window_ids
from unequal.errors import ConfigError


def document(number, person, n_tokens, kind="biography", fact_ids=()):
    return TokenisedDocument(Document(kind, person, f"text {number}", fact_ids), [number] * n_tokens)


@pytest.fixture
def documents():
    chance = random.Random(0)
    return [document(n, f"p{chance.randrange(9)}", chance.randint(3, 40)) for n in range(500)]


def test_every_document_is_packed_once_and_whole(documents):
    windows = list(pack(documents, room=64))
    packed = sorted(tokenised.token_ids for window in windows for tokenised in window.documents)
    assert packed == sorted(tokenised.token_ids for tokenised in documents)


def test_no_window_overflows_and_its_room_is_what_is_left(documents):
    for window in pack(documents, room=64):
        used = sum(len(tokenised.token_ids) for tokenised in window.documents)
        assert used + window.room == 64
        assert window.room >= 0


def test_no_window_holds_two_documents_of_one_person(documents):
    for window in pack(documents, room=64):
        people = [tokenised.document.person_id for tokenised in window.documents]
        assert len(set(people)) == len(people)


def test_the_order_is_kept_to_within_the_open_windows(documents):
    windows = list(pack(documents, room=64))
    first = [window.documents[0].token_ids[0] for window in windows]
    assert first == sorted(first)
    most = max(len(window.documents) for window in windows)
    place = 0
    for window in windows:
        assert all(t.token_ids[0] <= place + (OPEN_WINDOWS + 1) * most for t in window.documents)
        place += len(window.documents)


def test_a_document_longer_than_a_window_is_refused_with_the_size_it_needs():
    with pytest.raises(ConfigError, match=r"a document of 65 tokens does not fit .* 64; .* at least 66"):
        list(pack([document(1, "p1", 65)], room=64))
    assert len(list(pack([document(1, "p1", 64)], room=64))) == 1


def test_a_window_opens_and_documents_close_with_end_of_text_then_comes_padding():
    card = CorpusCard(
        window_tokens=8,
        vocabulary_size=9,
        end_token_id=0,
        padding_token_id=1,
        windows_per_epoch=(),
        n_tokens=0,
        n_documents=0,
    )
    one = TokenisedDocument(Document("biography", "p1", "", ()), [5, 6, 0])
    two = TokenisedDocument(Document("biography", "p2", "", ()), [7, 0])
    (window,) = pack([one, two], room=7)
    assert window_ids(window, card) == [0, 5, 6, 0, 7, 0, 1, 1]


def test_the_ledger_counts_by_fact_and_kind():
    ledger = Ledger()
    for window in pack(
        [
            document(1, "p1", 4, fact_ids=("a", "b")),
            document(2, "p2", 4, fact_ids=("c",)),
            document(3, "p1", 4, kind="question", fact_ids=("a",)),
            document(4, "p3", 4, kind="true_false", fact_ids=()),
            document(5, "p1", 4, kind="true_false", fact_ids=("a",)),
        ],
        room=8,
    ):
        ledger.record(window)
    assert [ledger.exposure(fact_id) for fact_id in "abcd"] == [3, 1, 1, 0]
    assert ledger.frame("abd").rows() == [("a", 1, 1, 1, 3), ("b", 1, 0, 0, 1), ("d", 0, 0, 0, 0)]
