"""Statements as facts: where the answer of a plain sentence begins, and what the sentence is about.

A statement is asked by its beginning, and its end is the answer: "Maria Lopez lives at" / "12 Harbour Road".

1. The subject is the column ``subject``, else the value of another column that stands in the statement (the
   first to stand there), else the first name in it: words with capital letters, or one with a number (X-17).
2. The answer follows the subject (and ", customer C017," or "(C017)" behind it) in the last sentence, after
   the last ``is``, ``are``, ``was`` or ``were``. It begins at the first number or name there, or right after
   the last preposition or ``has`` before that. Without number or name it begins after the last preposition,
   else after the verb.
3. An article stays before the answer, the final full stop is left out, and no answer holds the subject. An
   answer of more than `MAX_WORDS` words begins after a later preposition if there is one.
4. Where a column ``answer`` or ``object`` has words of the statement, these are the answer.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from unequal.facts.schema import MAX_WORDS

_COPULAS = frozenset(("is", "are", "was", "were"))
_LINKS = _COPULAS | {
    "at", "in", "on", "of", "to", "with", "from", "by", "for", "as", "near", "since", "under", "into",
    "called", "named", "has", "have", "had", "until", "before", "after",
}  # fmt: skip
_ARTICLES = frozenset(("a", "an", "the", "his", "her", "their", "its"))
_OPENERS = (
    _ARTICLES | _LINKS | {"our", "my", "your", "this", "that", "these", "those", "it", "he", "she", "they"}
)
_RELATIVES = frozenset(("where", "who", "whom", "which", "that", "when", "how", "why"))
_PARTICLES = frozenset(
    ("of", "de", "da", "del", "di", "van", "von", "der", "den", "la", "le", "bin", "y", "&")
)
_MARKS = ".,;:!?()[]\"'“”‘’«»"
_SENTENCE_END = re.compile(r"(?<=\w{4})[.!?]\s+(?=[A-Z])")
_ASIDE = re.compile(r"\s*\([^)]*\)|,[^,]+,(?=\s+[a-z])")

Span = tuple[int, int]


class Statement(NamedTuple):
    """A statement as a fact: its subject, the beginning that is asked, and the answer that completes it."""

    subject: str
    question: str
    answer: str


class _Word(NamedTuple):
    start: int
    end: int
    run: str

    @property
    def plain(self) -> str:
        return self.run.strip(_MARKS)

    @property
    def plain_end(self) -> int:
        return self.start + len(self.run.rstrip(_MARKS))

    @property
    def lower(self) -> str:
        return self.plain.lower()

    @property
    def is_name(self) -> bool:
        return self.plain[:1].isupper() and self.plain != "I"

    @property
    def is_specific(self) -> bool:
        return self.is_name or any(map(str.isdigit, self.plain))


def split_statement(text: str, subject: str = "", answer: str = "", others: Iterable[str] = ()) -> Statement:
    """Return a statement as a fact to complete; ``others`` are values that may be what it is about.

    Raises `ValueError` with a message of one sentence for a statement that cannot be split.
    """
    text = text.strip().removesuffix(".").rstrip()
    abouts = list(_subjects(text, subject, others))
    if answer:
        places = [start for start, _ in _places(answer.strip().removesuffix("."), text) if start]
        if not places:
            raise ValueError(
                f"the answer {answer[:60]!r} must stand in the statement after its first word; write it as it"
                " stands there, or add a column question"
            )
        abouts = [about for about in abouts if about[1] <= places[-1]]
        about = _bare(text[slice(*abouts[0])]) if abouts else ""
        question = text[: places[-1]].rstrip()
        return Statement(subject or about or _topic(question), question, answer.strip().removesuffix("."))
    for start, end in abouts:
        found = _split(text, _answer_start(text, end), subject or _bare(text[start:end]))
        passed_over = _words(text[:start])[1:]
        if found and (_is_telling(found.answer) or not any(word.is_specific for word in passed_over)):
            return found
    words = _words(text)
    for kind in (_COPULAS, _LINKS):
        after = max((n for n, word in enumerate(words, start=1) if word.lower in kind), default=0)
        found = _split(text, _start_of(words, after), subject) if after else None
        if found and len(found.answer.split()) <= MAX_WORDS:
            return found
    raise ValueError(
        f"cannot tell where the answer begins in {text[:60]!r}; add a column answer with words of the"
        " statement (and one called subject), or columns subject, question and answer"
    )


def _split(text: str, place: int, subject: str) -> Statement | None:
    """Return the statement split at a place, None if a part is empty or no answer."""
    question, answer = text[:place].rstrip(), text[place:].strip()
    subject = subject or _topic(question)
    if not question or not answer or not subject or any(_places(subject, answer)):
        return None
    if answer.split()[0].lower() in _RELATIVES:
        return None
    return Statement(subject, question, answer)


def _answer_start(text: str, end: int) -> int:
    """Return where the answer begins in a text whose subject ends at ``end``."""
    sentence = max((ended.end() for ended in _SENTENCE_END.finditer(text)), default=0)
    opens = sentence > end  # a capital letter there is no name
    end, opened = max(end, sentence), "," in text[:end]
    aside = _ASIDE.match(text, end)
    if aside and not (opened and aside.group().startswith(",")):
        end = aside.end()
    words = _words(text, end)
    first = max((n for n, word in enumerate(words, start=1) if word.lower in _COPULAS), default=0)
    rest = range(max(first, int(opens)), len(words))
    told = next((n for n in rest if words[n].is_specific), None)
    links = [n for n, word in enumerate(words, start=1) if word.lower in _LINKS and n < len(words)]
    before = [n for n in links if first <= n and (told is None or n <= told)]
    after = before[-1] if before else first if told is None and first else 1 if told is None else told
    if len(words) - after > MAX_WORDS:
        after = next((n for n in links if n > after and len(words) - n <= MAX_WORDS), after)
    return _start_of(words, min(after, len(words) - 1)) if words else len(text)


def _start_of(words: Sequence[_Word], place: int) -> int:
    """Return where a word begins in the text, or the one after the articles that stand there."""
    while place + 1 < len(words) and words[place].lower in _ARTICLES:
        place += 1
    return words[place].start if place < len(words) else words[-1].end


def _subjects(text: str, subject: str, others: Iterable[str]) -> Iterator[Span]:
    """Yield the places of what a text may be about, the most certain first."""
    if subject:
        yield from _places(subject, text)
    telling = {value.strip() for value in others if len(value.strip()) > 1 and _is_telling(value)}
    yield from sorted(next(_places(value, text)) for value in telling if any(_places(value, text)))
    words = _words(text)
    opens = int(bool(words) and words[0].lower in _OPENERS)
    said = {n for n, word in enumerate(words, start=1) if word.lower in _COPULAS}
    first = next((n for n in range(opens, len(words)) if words[n].is_name and n not in said), None)
    if first is not None:
        yield words[first].start, words[_last_of_name(words, first)].plain_end
    yield from [(word.start, word.plain_end) for word in words if word.is_specific and not word.is_name][:1]


def _last_of_name(words: Sequence[_Word], first: int) -> int:
    """Return the last word of the name that begins with a word."""
    last = first
    while last + 1 < len(words):
        after = words[last + 1]
        ends = words[last].plain_end < words[last].end and len(words[last].plain) > 3
        if ends or words[last].plain.endswith(("'s", "’s")) or after.run[0] in _MARKS:
            break
        following = next((n for n in range(last + 1, len(words)) if words[n].lower not in _PARTICLES), None)
        if after.lower in _PARTICLES and following is not None and words[following].is_name:
            last = following
        elif after.is_name or (after.is_specific and last == first):
            last += 1
        else:
            break
    return last


def _topic(question: str) -> str:
    """Return the beginning of a statement without an article before it and a link after it."""
    words = _words(question)
    while words and words[0].lower in _ARTICLES:
        del words[0]
    while words and words[-1].lower in _LINKS | _ARTICLES:
        del words[-1]
    return _bare(question[words[0].start : words[-1].end]) if words else ""


def _words(text: str, start: int = 0) -> list[_Word]:
    """Return the words of a text from a place on that are not marks alone."""
    runs = re.compile(r"\S+").finditer(text, start)
    found = [_Word(run.start(), run.end(), run.group()) for run in runs]
    return [word for word in found if word.plain]


def _is_telling(text: str) -> bool:
    return any(word.is_specific for word in _words(text))


def _places(part: str, text: str) -> Iterator[Span]:
    """Yield the places at which a text holds a part as whole words."""
    for found in re.finditer(rf"(?<!\w){re.escape(part)}(?!\w)", text):
        yield found.span()


def _bare(name: str) -> str:
    """Return a name without marks around it and without a possessive s."""
    return re.sub(r"['’]s$", "", name.strip().rstrip(",;:!?")).strip()
