"""The fact model, whose fields are the columns of a fact table."""

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, model_validator

from unequal.facts.names import valid_lists
from unequal.facts.passages import n_words

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
DIGITS = 20
MAX_WORDS = 12
"""A completion of more words is a passage, which no model says as a whole."""
Times = Annotated[int, Field(ge=0, lt=1 << 63)]
Role = Literal["forget", "retain", "neighbour", "utility", "never_seen"]

STATEMENT = "statement"
"""The relation of a statement for which its table names none; it says nothing of the answer."""
TYPE_WORDS = 3
"""Words before the answers of statements that are alike for answers of one type, such as "was born on"."""


class Fact(BaseModel):
    """A fact: subject, relation and object, a question and its answer. The fields are the table's columns.

    Distractors that are correct, and names that stand twice, are left out. Columns that are not listed here
    are kept. A list passed as validation context receives the excluded items.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    fact_id: Text = Field(description="a name that no other fact of the table has")
    subject: Text = Field(description="who or what the fact is about, such as Senegal")
    relation: Text = Field(description="a name shared by facts of one sort, such as capital")
    object: Text = Field(description="what the fact says of the subject, such as Dakar")
    question: Text = Field(description="question that names the subject and is answered by the object")
    answer: Text = Field(description="the right answer, trained against and scored")
    subject_aliases: tuple[Text, ...] = Field(default=(), description="other names of the subject")
    object_aliases: tuple[Text, ...] = Field(default=(), description="other names of the object, also right")
    answer_aliases: tuple[Text, ...] = Field(default=(), description="other right answers")
    case_sensitive: tuple[Text, ...] = Field(default=(), description="names that count only as written")
    paraphrases: tuple[Text, ...] = Field(default=(), description="held-out wordings of the question")
    cloze: tuple[Text, ...] = Field(default=(), description="statement prefixes that the answer completes")
    distractors: tuple[Text, ...] = Field(default=(), description="wrong answers of the same type")
    reverse_question: Text | None = Field(default=None, description="a question answered by the subject")
    count: Times | None = Field(default=None, description="occurrences in a corpus")
    exposure: Times | None = Field(default=None, description="times shown in training")
    role: Role | None = Field(
        default=None,
        description="forget; retain, which training keeps; neighbour, near a fact to forget; utility, never"
        " trained on, which shows the cost; never_seen, made up, which shows what gone looks like",
    )

    @model_validator(mode="after")
    def _sound_lists(self, info: ValidationInfo) -> Self:
        changed, lost = valid_lists(self.__dict__, LIST_COLUMNS)
        if lost:
            self.__dict__.update(changed)  # the model is frozen for everyone else
            if isinstance(info.context, list):
                info.context.extend(lost)
        return self

    @property
    def is_completion(self) -> bool:
        """Whether the question is the beginning of the fact's own statement, completed as plain text."""
        return self.question in self.cloze

    @property
    def is_passage(self) -> bool:
        """Whether the answer is a stretch of a text, of which a model that knows it copies a part."""
        return self.is_completion and n_words(self.answer) > MAX_WORDS

    @property
    def answer_type(self) -> str:
        """A name shared by the facts with answers of one type: the relation, or the words before them."""
        if self.relation != STATEMENT:
            return self.relation
        words = [word for word in self.question.split() if word.islower() and not re.search(r"\d", word)]
        return f"{self.relation}: {' '.join(words[-TYPE_WORDS:])}"


REQUIRED_COLUMNS = tuple(name for name, field in Fact.model_fields.items() if field.is_required())
LIST_COLUMNS = tuple(name for name, field in Fact.model_fields.items() if field.default == ())


def whole_number(fact: Fact, column: str) -> int | None:
    """Return the integer in an unknown column of a fact, or None if it has none."""
    value = (fact.model_extra or {}).get(column)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    elif isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < DIGITS:
        value = int(value)  # as CSV files hold it
    is_whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
    return value if is_whole else None
