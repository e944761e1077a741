"""How texts are compared: case, punctuation and white space do not count, nor does repeating the prompt.

The tokens are those of `tokens`. Signs count only where the accepted answer holds one too: "Paris 🎉" is
Paris, but $9 is not €9. What the text and the answer copy from the prompt is taken away from both, so that an
answer that takes up its question is judged by what it adds, and an echo of the question has nothing to show.
"""

from collections.abc import Sequence
from functools import lru_cache

from unequal.counting.words import is_spaceless
from unequal.evaluation.metrics.contract import ProbeRecord, generated
from unequal.evaluation.metrics.tokens import is_word, tokens_of

COPY_WORDS = 3  # a shorter stretch may well be the answer's own, such as "University of"
COPY_LETTERS = 6  # of a script without spaces, in which about two make a word

Words = tuple[str, ...]


def word_spans(text: str) -> list[tuple[str, int, int]]:
    """Return the normalised words and signs of a text, each with its start and end in the text as given.

    Spans may be equal: where one character gives two words, and around an amount with its currency. A text
    without words and signs gives its lone punctuation marks.
    """
    tokens = tokens_of(text)
    chosen = [token for token in tokens if token.kind != "mark"] or tokens
    return [(token.text, token.start, token.end) for token in chosen]


def normalised_words(text: str) -> list[str]:
    """Return the words and signs of a text in normal form, its lone punctuation where there are none."""
    return [word for word, _, _ in word_spans(text)]


def holds(words: Sequence[str], part: Sequence[str]) -> bool:
    """Return whether the words of ``part``, at least one, stand in ``words`` one after the other.

    Signs among ``words`` are passed over where ``part`` has none.
    """
    wanted = list(part)
    found = [word for word in words if is_word(word)] if all(map(is_word, wanted)) else list(words)
    starts = range(len(found) - len(wanted) + 1)
    return bool(wanted) and any(found[start : start + len(wanted)] == wanted for start in starts)


def plainly(record: ProbeRecord, answer: str) -> tuple[Words, Words]:
    """Return the words of the generated text and of an accepted answer, nothing taken away but signs."""
    return _like(answer, generated(record)), _like(answer, answer)


def compared(record: ProbeRecord, answer: str) -> tuple[Words, Words]:
    """Return the words of the generated text and of an accepted answer that are to be compared.

    Stretches of three or more words that stand in the prompt are taken away from both. Where that would leave
    nothing of the answer, as when it is one of the choices in the prompt, it stays whole, and so it does in
    the text unless three more words of the prompt are said around it. A text that is the answer stays whole.
    """
    return _compared(generated(record), record.probe.shown, answer)


def says(record: ProbeRecord, answer: str) -> bool:
    """Return whether the generated text holds the answer in one stretch, not only in a copy of the prompt."""
    return holds(*plainly(record, answer)) and holds(*compared(record, answer))


@lru_cache(maxsize=100_000)
def _compared(text: str, prompt: str, answer: str) -> tuple[Words, Words]:
    said, meant, given = (_like(answer, other) for other in (text, answer, prompt))
    if said == meant:
        return said, meant
    copied = _copied(said, given)
    own = _without(meant, _copied(meant, given))
    if own:
        return _without(said, copied), own
    return _without(said, copied - _spared(said, meant, given, copied)), meant


def _like(answer: str, text: str) -> Words:
    """Return the tokens of a text of the kinds that an answer has: words alone, signs too, or marks too."""
    kinds = {token.kind for token in tokens_of(answer)}
    wanted = {"word"} if kinds <= {"word", "mark"} and "word" in kinds else {"word", "sign"}
    wanted = {"word", "sign", "mark"} if kinds == {"mark"} else wanted
    return tuple(token.text for token in tokens_of(text) if token.kind in wanted)


def _without(words: Words, places: set[int]) -> Words:
    return tuple(word for place, word in enumerate(words) if place not in places)


def _copied(words: Words, given: Words) -> set[int]:
    """Return the places of the words that stand in a stretch which the prompt has too."""
    places: set[int] = set()
    for length in (COPY_WORDS, COPY_LETTERS):
        length = min(length, len(given)) or 1
        stretches = _stretches(given, length)
        for start in range(len(words) - length + 1):
            stretch = words[start : start + length]
            if stretch in stretches and (length == COPY_LETTERS or not any(map(_is_letter, stretch))):
                places.update(range(start, start + length))
    return places


@lru_cache(maxsize=10_000)
def _stretches(given: Words, length: int) -> frozenset[Words]:
    return frozenset(given[start : start + length] for start in range(len(given) - length + 1))


def _spared(said: Words, meant: Words, given: Words, copied: set[int]) -> set[int]:
    """Return the places of the answer in a text that says it and is no longer copy of the prompt."""
    places: set[int] = set()
    for start in range(len(said) - len(meant) + 1):
        end = start + len(meant)
        if not meant or said[start:end] != meant:
            continue
        first, last = start, end
        while first - 1 in copied:
            first -= 1
        while last in copied:
            last += 1
        longer = max(start - first, last - end) >= COPY_WORDS
        if not longer and not holds(said[first:last], given):
            places.update(range(start, end))
    return places


def _is_letter(word: str) -> bool:
    return not word.isascii() and is_spaceless(word[0])
