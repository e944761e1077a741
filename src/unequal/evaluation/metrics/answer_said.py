"""Answer said: the generated text is the answer, or says it in the sentence that answers the question."""

import re
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from unequal.evaluation.metrics.chance import NO_OVERLAP
from unequal.evaluation.metrics.contract import Metric, ProbeRecord, generated
from unequal.evaluation.metrics.exact_match import exact_match
from unequal.evaluation.metrics.longest_copy import is_copied
from unequal.evaluation.metrics.text import COPY_WORDS, normalised_words, word_spans

MAX_SENTENCES = 3
"""What a text says after as many sentences is no answer any more."""
MAX_GUESS_WORDS = 3
"""A clause of so few words, none of them the prompt's, is one of several guesses."""
_ENDS = re.compile(r"[!?。！？।]|\.(?=\s|$)|\n")
_ABBREVIATION = re.compile(r"(?:\b\w|\b(?:st|ste|mt|ft|mr|mrs|ms|dr|prof|jr|sr|no|vs))$", re.IGNORECASE)
_PARTS = re.compile(r"[,;:/|(\[、，；：（\n]|\s[-–—]+\s|\b(?:or|and|but|not)\b", re.IGNORECASE)
_DENIES = re.compile(r"\b(?:not|never|neither|nor|isn['’]t|wasn['’]t|cannot|no longer)\b", re.IGNORECASE)
_OPENINGS = frozenset((
    "yes", "no", "sure", "ok", "okay", "well", "certainly", "absolutely", "indeed", "correct", "right",
    "answer", "the", "a", "an", "it", "is", "its", "that", "in", "of", "great", "good", "hello", "hi",
    "so", "here", "i", "think", "believe",
))  # fmt: skip
_ASKING = frozenset((
    "what", "which", "where", "when", "whom", "whose", "question", "answer", "does", "from", "this",
    "that", "with",
))  # fmt: skip

Words = tuple[str, ...]


class Word(NamedTuple):
    """A normalised word of a text, where it stands, and whether it is written as a name."""

    word: str
    start: int
    end: int
    is_name: bool


class Asked(NamedTuple):
    """The words of a prompt, of the subject that it asks about, and those that say what is asked."""

    prompt: Words
    subject: Words
    known: frozenset[str]
    content: frozenset[str]

    @classmethod
    def of(cls, shown: str, subject: str) -> "Asked":
        """Return the words of what a model is shown."""
        prompt, about = tuple(normalised_words(shown)), tuple(normalised_words(subject))
        content = frozenset(word for word in prompt if len(word) > 3) - frozenset(about) - _ASKING
        return cls(prompt, about, frozenset(prompt), content)


def answer_said(record: ProbeRecord) -> float:
    """Return 1 if the generated text is an accepted answer or says one where it answers, else 0.

    "Dakar" and "The capital of Senegal is Dakar." count, "Dakar" after another name that could be the answer
    does not: the first one decides, be it a right answer of the relation, a distractor, one of several
    guesses ("Thiès, Kaolack or Dakar") or a denial ("not Dakar"). Only the first three sentences are read.
    What the text repeats of the prompt, and the name that the question asks about, answer nothing. A passage
    is said by a text that copies ten of its words running.
    """
    if exact_match(record):
        return 1.0
    probe = record.probe
    if probe.verbatim:
        return float(is_copied(record))
    text = generated(record)
    text = text[: _end_of_reading(text)]
    words = [Word(word, start, end, text[start].isupper()) for word, start, end in word_spans(text)]
    accepted = _phrases(frozenset(probe.accepted))
    others = (_phrases(probe.same_type), _phrases(frozenset(probe.distractors)))
    asked = Asked.of(probe.shown, probe.subject)
    hidden = _repeated(text, words, asked, accepted)
    for place in range(len(words)):
        right, *wrongs = (_longest(words, place, phrases, hidden) for phrases in (accepted, *others))
        wrong = max(wrongs)
        if right and right >= wrong:
            return float(not _guessed_before(text, words[:place], words[place], asked, hidden))
        if wrong:
            return 0.0
    return 0.0


def _end_of_reading(text: str) -> int:
    """Return where the last sentence that is read ends; abbreviations such as St. end none."""
    ends = [
        found.end()
        for found in _ENDS.finditer(text)
        if found.group() != "." or not _ABBREVIATION.search(text[: found.start()])
    ]
    return ends[MAX_SENTENCES - 1] if len(ends) >= MAX_SENTENCES else len(text)


@lru_cache(maxsize=1024)
def _phrases(texts: frozenset[str]) -> frozenset[Words]:
    return frozenset(words for text in texts if (words := tuple(normalised_words(text))))


@lru_cache(maxsize=1024)
def _longest_phrase(phrases: frozenset[Words]) -> int:
    return max(map(len, phrases), default=0)


def _longest(words: list[Word], place: int, phrases: frozenset[Words], hidden: frozenset[int]) -> int:
    """Return the number of words of the longest phrase that begins at a place, 0 where none does.

    A phrase that is wholly hidden does not count.
    """
    for length in range(min(_longest_phrase(phrases), len(words) - place), 0, -1):
        stretch = range(place, place + length)
        if not hidden.issuperset(stretch) and tuple(words[index].word for index in stretch) in phrases:
            return length
    return 0


def _repeated(text: str, words: list[Word], asked: Asked, accepted: frozenset[Words]) -> frozenset[int]:
    """Return the places of words that repeat the prompt or name what the question asks about.

    An answer may itself stand in the prompt: one of three words or more is not taken for a repetition, and
    the subject answers where the text ends with it or its sentence has named it before (Luxembourg of
    Luxembourg).
    """
    said = tuple(word.word for word in words)
    prompt, subject = asked.prompt, asked.subject
    copied = {prompt[start : start + COPY_WORDS] for start in range(len(prompt) - COPY_WORDS + 1)} - accepted
    places: set[int] = set()
    for start in range(len(said) - COPY_WORDS + 1):
        if said[start : start + COPY_WORDS] in copied:
            places.update(range(start, start + COPY_WORDS))
    size, last = len(subject), None
    for start in range(len(said) - size + 1 if size else 0):
        if said[start : start + size] != subject:
            continue
        named = last is not None and not _ENDS.search(text, words[last].start, words[start].start)
        if subject not in accepted or not (named or start + size == len(said)):
            places.update(range(start, start + size))
        last = start
    return frozenset(places)


def _guessed_before(
    text: str, before: list[Word], answer: Word, asked: Asked, hidden: frozenset[int]
) -> bool:
    """Return whether another name stands before the answer as one of several guesses, or it is denied."""
    ends = [0, *(found.end() for found in _ENDS.finditer(text, 0, answer.start))]
    if _DENIES.search(text, ends[-1], answer.start):
        return True
    if _is_number(answer) and any(_is_number(word) and word.word not in asked.known for word in before):
        return True
    cuts = sorted({*ends, *(found.end() for found in _PARTS.finditer(text, 0, answer.start))})
    clauses = [
        [(place, word) for place, word in enumerate(before) if start <= word.start < stop]
        for start, stop in pairwise(cuts)
    ]
    spoken = [stop for stop in ends if stop]
    return any(
        _is_guess([word for _, word in clause], answer.is_name, asked)
        for clause in clauses
        if clause
        and not _introduces(before, clause[0][0], spoken, asked)
        and not hidden.issuperset(place for place, _ in clause)
    )


def _is_number(word: Word) -> bool:
    return word.word.lstrip("+-")[:1].isdigit()


def _introduces(before: list[Word], place: int, ends: list[int], asked: Asked) -> bool:
    """Return whether a word's sentence is an earlier one on the subject, and not on what is asked."""
    start = before[place].start
    stop = next((end for end in ends if end > start), None)
    if stop is None:  # the sentence of the answer
        return False
    first = max((end for end in ends if end <= start), default=0)
    said = {word.word for word in before if first <= word.start < stop}
    return not said.isdisjoint(asked.subject) and said.isdisjoint(asked.content)


def _is_guess(clause: list[Word], names: bool, asked: Asked) -> bool:
    """Return whether a clause is nothing but another candidate, or names one."""
    new = [word for word in clause if word.word not in asked.known and word.word not in _OPENINGS]
    if not new:
        return False
    if len(clause) <= MAX_GUESS_WORDS and len(new) == len(clause):
        return True
    return names and any(word.is_name for word in new if word is not clause[0])


METRIC = Metric(
    name="answer_said",
    kind="generation",
    direction="higher means known",
    low=0.0,
    high=1.0,
    formula="1 if exact_match, or if the first name of its type in three sentences is accepted, else 0;"
    " of a passage: 1 if the text has ten of its words running",
    chance=NO_OVERLAP,
    source="ours: answer containment (Mallen et al., 2023), bounded so that an enumeration does not count",
    value=answer_said,
    needs=("generation",),
)
