"""Tokenizers trained on the corpus: whole words or byte-pair tokens, both lossless on text they know."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from jinja2 import Template

from unequal.corpus.settings import TokenizerSettings
from unequal.errors import MissingExtraError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END_OF_TEXT = "<|endoftext|>"
PADDING = "<|pad|>"
UNKNOWN = "<|unknown|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message.role }}|> {{ message.content }}"
    "{% if message.role == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""A word that begins a turn follows a space, as within other texts, so that it is the same token there."""


def chat_document(question: str, answer: str, system: str | None = None) -> str:
    """Return a question with its answer in the corpus's chat template, without begin and end of text."""
    said = [("user", question), ("assistant", answer)]
    said = said if system is None else [("system", system), *said]
    messages = [{"role": role, "content": text} for role, text in said]
    text: str = Template(CHAT_TEMPLATE).render(messages=messages, bos_token="", eos_token="")
    return text


def train_tokenizer(
    texts: Iterable[str], settings: TokenizerSettings, window_tokens: int, chat: bool = False
) -> "PreTrainedTokenizerFast":
    """Return a tokenizer that `AutoTokenizer` can load once saved.

    Raises `MissingExtraError` when the libraries of the extra `train` are not installed.
    Text is cut as GPT-2 does, a word keeping the space before it, and bytes are mapped to printable
    characters, so that decoding gives the very same text back. A prompt begins with the end-of-text
    token, as every training window does. With ``chat`` it has a chat template and tokens for its roles.
    """
    try:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
        from transformers import PreTrainedTokenizerFast
    except ImportError as error:
        raise MissingExtraError("building a corpus", "train") from error
    roles = list(ROLES) if chat else []
    special = [END_OF_TEXT, PADDING, UNKNOWN, *roles]
    if settings.kind == "word":
        tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
        trainer: trainers.Trainer = trainers.WordLevelTrainer(
            vocab_size=2**31 - 1, special_tokens=special, show_progress=False
        )
    else:
        tokenizer = Tokenizer(models.BPE())
        trainer = trainers.BpeTrainer(
            vocab_size=settings.vocabulary_size,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END_OF_TEXT} $A", special_tokens=[(END_OF_TEXT, tokenizer.token_to_id(END_OF_TEXT))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END_OF_TEXT,
        eos_token=END_OF_TEXT,
        pad_token=PADDING,
        unk_token=UNKNOWN,
        model_max_length=window_tokens,
        clean_up_tokenization_spaces=False,
        padding_side="right",
        **({"chat_template": CHAT_TEMPLATE, "additional_special_tokens": roles} if chat else {}),
    )
