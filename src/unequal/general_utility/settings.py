"""Settings of general utility: held-out text, open prompts and lm-eval tasks, and when they are measured."""

from typing import Any, Literal

from pydantic import Field, field_validator

from unequal.facts.packaged import CORPUS_NAME
from unequal.general_utility.prompts import OPEN_PROMPTS
from unequal.lm_eval_bridge.settings import TaskSettings
from unequal.strict import MOST, StrictModel

NO_TEXT = "none"


class GeneralSettings(StrictModel):
    """What is measured of a model beside facts; the defaults take seconds for a small model."""

    when: Literal["ends", "steps", "never"] = Field(
        default="ends",
        description="when general utility is measured: before and after (ends), at every evaluated step"
        " (steps), or never",
    )
    text: str = Field(
        default=CORPUS_NAME,
        min_length=1,
        description="text for perplexity: factbook, the packaged text, a glob of shards, or none",
    )
    text_key: str = Field(default="text", min_length=1, description="key or column that holds the text")
    n_tokens: int = Field(default=512, ge=1, le=MOST, description="tokens of text that are scored")
    window: int = Field(default=64, ge=2, le=MOST, description="tokens of a passage of text, at most")
    n_open_prompts: int = Field(
        default=4, ge=0, le=len(OPEN_PROMPTS), description="open questions to look for degenerate texts"
    )
    lm_eval: TaskSettings | None = Field(default=None, description="tasks of lm-eval")

    @field_validator("text", mode="before")
    @classmethod
    def _none_is_a_word(cls, value: Any) -> Any:
        return NO_TEXT if value is None else value  # TOML has no word for None
