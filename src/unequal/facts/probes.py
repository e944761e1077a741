"""Probes: prompts made from a fact, with its answer, accepted answers and distractors."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from unequal.facts.names import name_key, without
from unequal.facts.schema import Fact, Text
from unequal.seeds import random_stream
from unequal.strict import StrictModel

ProbeKind = Literal["question", "paraphrase", "cloze", "reverse", "true_false"]
PROBE_KINDS: tuple[ProbeKind, ...] = get_args(ProbeKind)
EXTRA_TOKENS = 24
"""Extra tokens for the sentence around an answer ("The capital of Senegal is Dakar.")."""


@dataclass(frozen=True)
class Chat:
    """The chat context of a prompt, which is the last user message.

    ``earlier`` has questions with their answers; ``begun`` is the start of the assistant's answer.
    """

    system: str | None = None
    earlier: tuple[tuple[str, str], ...] = ()
    begun: str = ""


class SolvedExample(StrictModel):
    """A question with its answer, shown before the question that is asked."""

    question: Text = Field(description="the question alone, without the prompt format")
    answer: Text = Field(description="its answer")


class PromptFormat(StrictModel):
    """How a model is asked: the prompt around a question. Unlearn and evaluate in the same one.

    With ``chat`` a question is a user message in the tokenizer's chat template, by default without other
    text.
    """

    question: str = Field(default="Question: {question} Answer:", description="prompt of a question")
    true_false: str = Field(
        default="True or false: {statement} Answer:", description="prompt of a true-or-false statement"
    )
    # Excluded from the hash where they are not set, so that folder names do not change.
    chat: bool = Field(
        default=False,
        description="ask in the tokenizer's chat template; by default in plain text",
    )
    system: str | None = Field(
        default=None,
        min_length=1,
        description="system prompt of a chat",
    )
    examples: tuple[SolvedExample, ...] = Field(
        default=(),
        description="solved questions shown before each question, in a chat as earlier turns; one that names"
        " the subject or an answer of the fact asked for is left out",
    )
    answer_after: Literal["question", "statement"] = Field(
        default="question",
        description="where an answer is scored and trained: right after the question, or after the beginning"
        " of its statement (the first of cloze), where a model that answers in sentences says it",
    )
    stop: tuple[Annotated[str, Field(min_length=1)], ...] | None = Field(
        default=None,
        description="strings at which a generated answer ends; by default, in plain text, a line break and"
        " what stands before the next question",
    )
    extra_tokens: int = Field(
        default=EXTRA_TOKENS,
        ge=0,
        le=4096,
        description="tokens that a generated answer may have beyond the longest accepted one",
    )

    @model_validator(mode="before")
    @classmethod
    def _bare_in_a_chat(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("chat"):
            return {"question": "{question}", "true_false": "True or false: {statement}", **values}
        return values

    @model_validator(mode="after")
    def _system_is_of_a_chat(self) -> "PromptFormat":
        if self.system is not None and not self.chat:
            raise ValueError("system is what a chat begins with; set chat = true too, or leave system out")
        return self

    @field_validator("question")
    @classmethod
    def _has_question(cls, text: str) -> str:
        return _with_placeholder(text, "{question}")

    @field_validator("true_false")
    @classmethod
    def _has_statement(cls, text: str) -> str:
        return _with_placeholder(text, "{statement}")

    def stops(self, plain: bool) -> tuple[str, ...]:
        """Return the stop strings of generated answers, in plain text or in a chat.

        A chat ends turns with special tokens, so no string is needed. In plain text they are the line break
        and the string that the format puts before a question (``Question:``).
        """
        if self.stop is not None:
            return self.stop
        if not plain:
            return ()
        before_question = "" if self.chat else _announces(self.question)
        return ("\n", before_question) if before_question else ("\n",)

    def ask(self, question: str) -> str:
        """Return the prompt for a question, without solved examples."""
        return self.question.replace("{question}", question)

    def prompt(self, question: str, fact: Fact | None = None) -> str:
        """Return the prompt for a question about a fact, in plain text after the solved examples.

        A fact that is a statement to complete is asked by its beginning alone.
        """
        if fact is not None and fact.is_completion:
            return question
        asked = self.ask(question)
        shown = () if self.chat else self._shown(fact)
        return "\n".join([*(answered(self.ask(one.question), one.answer) for one in shown), asked])

    def chat_of(self, fact: Fact | None = None) -> Chat | None:
        """Return the chat context of a question about a fact; None in plain text."""
        if not self.chat or (fact is not None and fact.is_completion):
            return None
        earlier = tuple((self.ask(one.question), one.answer) for one in self._shown(fact))
        return Chat(self.system, earlier)

    def statement_of(self, fact: Fact) -> str:
        """Return the beginning of the fact's statement if its answer is scored after it, else nothing."""
        is_scored_there = self.answer_after == "statement" and fact.cloze and not fact.is_completion
        return fact.cloze[0] if is_scored_there else ""

    def _shown(self, fact: Fact | None) -> list[SolvedExample]:
        """Return the examples that name neither the subject nor an answer of the fact."""
        if fact is None:
            return list(self.examples)
        names = {
            name_key(name) for name in (fact.subject, *fact.subject_aliases, fact.object, *_accepted(fact))
        }
        told = (fact.subject, fact.answer)
        return [
            one
            for one in self.examples
            if name_key(one.answer) not in names and not any(name in one.question for name in told)
        ]

    def judge(self, statement: str) -> str:
        """Return the prompt that asks whether a statement is true."""
        return self.true_false.replace("{statement}", statement)


def _announces(question: str) -> str:
    """Return the string that a format puts before each question, such as ``Question:``."""
    line = question.partition("{question}")[0].rpartition("\n")[2].strip()
    last = line.rpartition(" ")[2]
    return last if line.count(last) > 1 else line


def _with_placeholder(text: str, placeholder: str) -> str:
    if text.count(placeholder) != 1:
        raise ValueError(f"the text must hold {placeholder} exactly once")
    return text


def answered(prompt: str, answer: str) -> str:
    """Return a prompt with its answer as plain text."""
    return f"{prompt}{answer}" if prompt.endswith((" ", "\n")) else f"{prompt} {answer}"


def after_statement(prompt: str, chat: Chat | None, statement: str) -> tuple[str, Chat | None]:
    """Return a prompt and its chat up to the end of a statement's beginning, behind which answers stand."""
    if not statement:
        return prompt, chat
    if chat is None:
        return answered(prompt, statement), None
    return prompt, replace(chat, begun=statement)


@dataclass(frozen=True)
class Probe:
    """A prompt with its answers. ``variant`` is the index of the wording; of ``true_false``, 0 is true.

    With ``chat`` the prompt is a user message, otherwise it is the whole text before the answer. It asks
    about ``subject``; ``same_type`` has all correct answers of the relation, for any subject. A
    generated answer ends at the first of ``stops``, or ``extra_tokens`` beyond the longest accepted one.
    Answers are scored behind ``statement``, the beginning of a sentence, where there is one; generated texts
    are not given it. With ``verbatim`` the answer is a stretch of a text, of which a part may be copied.
    """

    fact_id: str
    kind: ProbeKind
    variant: int
    prompt: str
    answer: str
    accepted: tuple[str, ...]
    distractors: tuple[str, ...]
    chat: Chat | None = None
    subject: str = ""
    same_type: frozenset[str] = frozenset()
    stops: tuple[str, ...] = ()
    extra_tokens: int = EXTRA_TOKENS
    statement: str = ""
    verbatim: bool = False

    @property
    def scored(self) -> tuple[str, Chat | None]:
        """The prompt and its chat context up to where the answers are scored."""
        return after_statement(self.prompt, self.chat, self.statement)

    @property
    def shown(self) -> str:
        """The prompt with earlier turns before it and the started answer after it, as text."""
        if self.chat is None:
            return self.prompt
        said = [text for turn in self.chat.earlier for text in turn]
        return "\n".join(text for text in (*said, self.prompt, self.chat.begun) if text)


class ProbeMaker:
    """Makes the probes of facts from the whole table, which reverse questions need.

    A reverse question accepts every subject of the table with this relation to the object,
    and its distractors are other subjects. In a chat every kind is a user message except ``cloze``,
    which is a sentence to complete and stays plain text; a question that is one is not asked twice.
    """

    def __init__(self, table: Iterable[Fact], prompt_format: PromptFormat, n_variants: int = 1) -> None:
        self._format = prompt_format
        self._n_variants = n_variants
        subjects: Mapping[tuple[str, str], list[str]] = defaultdict(list)
        by_relation: Mapping[str, list[str]] = defaultdict(list)
        answers: Mapping[str, set[str]] = defaultdict(set)
        for fact in table:
            subjects[fact.relation, name_key(fact.object)].append(fact.subject)
            by_relation[fact.relation].append(fact.subject)
            answers[fact.relation].update(_accepted(fact))
        self._subjects = dict(subjects)
        self._by_relation = {name: without(sorted(set(names))) for name, names in by_relation.items()}
        self._answers = {name: frozenset(texts) for name, texts in answers.items()}
        self._askers = {name: frozenset(names) for name, names in self._by_relation.items()}

    def probes(self, fact: Fact, kinds: Sequence[ProbeKind]) -> list[Probe]:
        """Return the fact's probes of these kinds, where it has the columns for them."""
        return [probe for kind in kinds for probe in self._of_kind(fact, kind)]

    def _of_kind(self, fact: Fact, kind: ProbeKind) -> list[Probe]:
        match kind:
            case "question":
                return self._forward(fact, kind, [self._format.prompt(fact.question, fact)])
            case "paraphrase":
                return self._forward(
                    fact, kind, [self._format.prompt(text, fact) for text in fact.paraphrases]
                )
            case "cloze":
                return self._forward(fact, kind, [text for text in fact.cloze if text != fact.question])
            case "reverse":
                return self._reverse(fact)
            case "true_false":
                return self._true_false(fact)

    def _forward(self, fact: Fact, kind: ProbeKind, prompts: list[str]) -> list[Probe]:
        chat = None if kind == "cloze" else self._format.chat_of(fact)
        statement = "" if kind == "cloze" else self._format.statement_of(fact)
        return [
            Probe(
                fact.fact_id, kind, variant, prompt, fact.answer, _accepted(fact), fact.distractors, chat,
                subject=fact.subject, same_type=self._answers.get(fact.relation, frozenset()),
                statement=statement, verbatim=fact.is_passage, **self._length(chat, fact.is_passage),
            )
            for variant, prompt in enumerate(prompts[: self._n_variants])
        ]  # fmt: skip

    def _length(self, chat: Chat | None, is_passage: bool = False) -> dict[str, Any]:
        """Return the fields that limit a generated answer; that to a passage is as long as the passage."""
        if is_passage:
            return {"stops": (), "extra_tokens": 0}
        return {"stops": self._format.stops(plain=chat is None), "extra_tokens": self._format.extra_tokens}

    def _reverse(self, fact: Fact) -> list[Probe]:
        if fact.reverse_question is None:
            return []
        right = self._subjects.get((fact.relation, name_key(fact.object)), [])
        known = set(map(name_key, (fact.subject, *fact.subject_aliases, *right)))
        wrong = [name for name in self._by_relation.get(fact.relation, []) if name_key(name) not in known]
        n_wrong = min(len(wrong), max(1, len(fact.distractors)))
        wrong = random_stream(0, "reverse", fact.fact_id).sample(wrong, n_wrong)
        prompt = self._format.prompt(fact.reverse_question, fact)
        accepted = tuple(dict.fromkeys((fact.subject, *fact.subject_aliases, *right)))
        chat = self._format.chat_of(fact)
        return [
            Probe(
                fact.fact_id, "reverse", 0, prompt, fact.subject, accepted, tuple(wrong), chat,
                subject=fact.object, same_type=self._askers.get(fact.relation, frozenset()),
                **self._length(chat),
            )
        ]  # fmt: skip

    def _true_false(self, fact: Fact) -> list[Probe]:
        """Return a true and a false statement, so that a constant answer scores chance."""
        if not fact.cloze or not fact.distractors:
            return []
        prefix = fact.cloze[0]
        statements = ((fact.object, "True", "False"), (fact.distractors[0], "False", "True"))
        return [
            Probe(
                fact.fact_id, "true_false", variant, self._format.judge(f"{prefix} {completion}."),
                answer, (answer,), (opposite,), self._format.chat_of(fact),
            )
            for variant, (completion, answer, opposite) in enumerate(statements)
        ]  # fmt: skip


def _accepted(fact: Fact) -> tuple[str, ...]:
    return (fact.answer, *fact.answer_aliases, *fact.object_aliases)
