"""Chat templates: the text around a prompt and its answer."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import TemplateError

from unequal.errors import ConfigError, DataError
from unequal.facts.probes import Chat

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, str]

_PLACE = "THE-ANSWER-STANDS-HERE"
_FIXED_DATE = "{% macro strftime_now(format) %}26 Jul 2024{% endmacro %}"
"""Put before a template that asks for the date of today, so that scores do not depend on the day."""


@dataclass(frozen=True)
class ChatText:
    """A chat up to where the assistant goes on, and what stands before and after its answer."""

    prompt: str
    before: str
    after: str


def chat_text(tokenizer: "PreTrainedTokenizerBase", prompt: str, chat: Chat) -> ChatText:
    """Return the text of a chat in which the user says the prompt last.

    It includes the begin-of-text token if the template writes one, so nothing may be added to it. Where a
    template writes less when it asks for an answer than before one that it is given, all of it is the
    prompt's; where it writes something else, the answer follows what it writes when it asks. Raises
    `ConfigError` when there is no template, when it fails, or when it leaves out the prompt, the answer or
    what the system says, and `DataError` when a text holds a special token.
    """
    said = [] if chat.system is None else [("system", chat.system)]
    for question, answer in chat.earlier:
        said += [("user", question), ("assistant", answer)]
    said.append(("user", prompt))
    check_ordinary(tokenizer, *(text for _, text in said), chat.begun)
    messages = [{"role": role, "content": text} for role, text in said]
    asked = _render(tokenizer, messages, ask=True)
    whole = _render(tokenizer, [*messages, {"role": "assistant", "content": _PLACE}])
    _check_complete(asked, whole, prompt, chat)
    before, _, after = whole.partition(_PLACE)
    if not before.startswith(asked):
        before = asked
    elif before[len(asked) :].strip():
        asked = before
    if chat.begun:
        asked = before + chat.begun.strip()
        before = f"{asked} "
    return ChatText(asked, before, after)


def check_ordinary(tokenizer: "PreTrainedTokenizerBase", *texts: str) -> None:
    """Raise `DataError` when a text holds a special token, which would end its turn or begin another."""
    for text in texts:
        for token in tokenizer.all_special_tokens:
            if token in text:
                raise DataError(
                    f"the text {text!r} holds {token}, a special token of the tokenizer, so it cannot be said"
                    " in a chat; take it out"
                )


def _check_complete(asked: str, whole: str, prompt: str, chat: Chat) -> None:
    """Refuse a template that silently drops what it is given."""
    if chat.system is not None and chat.system.strip() not in asked:
        raise ConfigError(
            "prompts.system: the chat template of this tokenizer does not contain the system prompt; leave"
            " system out, or write it into prompts.question"
        )
    for what, text in (("question", prompt.strip()), ("answer", _PLACE)):
        if text not in whole:
            raise ConfigError(
                f"prompts.chat: the chat template of this tokenizer does not contain the {what};"
                " leave chat out to ask in plain text"
            )


def _render(tokenizer: "PreTrainedTokenizerBase", messages: list[Message], ask: bool = False) -> str:
    """Return the messages in the template, which asks for an answer at the end if ``ask``."""
    if not tokenizer.chat_template:
        raise ConfigError(
            "prompts.chat: this tokenizer has no chat template; leave chat out to ask in plain text"
        )
    try:
        template = tokenizer.get_chat_template()
        text = tokenizer.apply_chat_template(
            messages,
            chat_template=_FIXED_DATE + template if "strftime_now" in template else template,
            add_generation_prompt=ask,
            tokenize=False,
            enable_thinking=False,  # templates that know it then ask for an answer without thoughts
        )
    except (TemplateError, ValueError, TypeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if messages[0]["role"] == "system":
            _render(tokenizer, messages[1:], ask)  # what fails without it too has another reason
            raise ConfigError(
                f"prompts.system: the chat template of this tokenizer takes no system prompt ({reason});"
                " leave system out, or write it into prompts.question"
            ) from error
        raise ConfigError(f"prompts.chat: the chat template of this tokenizer fails: {reason}") from error
    return str(text)
