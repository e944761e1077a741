"""Tokenizers of the classes that checkpoints come with, trained on a few lines, and chat templates."""

import json
from functools import cache

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import GPT2Tokenizer, LlamaTokenizer, PreTrainedTokenizerFast, T5Tokenizer, XLNetTokenizer

QUESTIONS = {
    "Where was Anna Berg born?": ("Paris", "New York", "O'Hare (Illinois)", "7 Rue de l'Église"),
    "What does Tom Li do?": ("baker", "a ship's cook", "1st mate"),
}
SYSTEM = "Answer in few words."
TEXTS = [
    *(f"{question} {answer}" for question, answers in QUESTIONS.items() for answer in answers),
    *(
        f"Question: {question} Answer: {answer}"
        for question, answers in QUESTIONS.items()
        for answer in answers
    ),
    f"{SYSTEM} True or false: Anna Berg was born in Paris. system user assistant model INST SYS",
]

SPECIAL = ("<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>", "<|eot|>")

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEMPLATES = {
    "chatml": CHATML,
    "chatml that never asks": CHATML.split("{% if")[0],
    # the system's words stand within the user's, content is stripped, an answer stands between spaces
    "inst": (
        "{% if messages[0].role == 'system' %}"
        "{% set sys = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' %}"
        "{% set messages = messages[1:] %}{% else %}{% set sys = '' %}{% endif %}"
        "{% for m in messages %}{% if m.role == 'user' %}"
        "{{ bos_token | default('') + '[INST] ' + (sys if loop.first else '') + m.content.strip() }}"
        "{{ ' [/INST]' }}"
        "{% else %}{{ ' ' + m.content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
    ),
    # roles in plain text, the end of text ends a turn
    "roles in text": (
        "{{ bos_token }}{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content }}"
        "{{ eos_token if m.role == 'assistant' else '\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
    ),
    # no system, another name for the assistant, content is trimmed
    "refuses a system": (
        "{{ bos_token }}{% if messages[0].role == 'system' %}"
        "{{ raise_exception('System role not supported') }}"
        "{% endif %}{% for m in messages %}{% set role = 'model' if m.role == 'assistant' else m.role %}"
        "{{ '<start_of_turn>' + role + '\n' + m.content | trim + '<end_of_turn>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
    ),
    "two tokens end a turn": CHATML.replace("<|im_end|>", "<|eot|><|im_end|>"),
    "tells the date": "{{ bos_token }}Today is {{ strftime_now('%d %b %Y') }}.\n" + CHATML,
}
UNLIKE_A_ROW = {
    # asks with empty thoughts, but shows an answer without
    "thinks": CHATML.replace(
        "assistant\n' }}{% endif",
        "assistant\n' }}{% if enable_thinking is false %}{{ '<think></think>\n' }}{% endif %}{% endif",
    ),
}
_DROPPING = "{% for m in messages if m.role != 'ROLE' %}{{ m.content }}{% endfor %}"
BROKEN = {
    "drops the question": _DROPPING.replace("ROLE", "user"),
    "drops the answer": _DROPPING.replace("ROLE", "assistant"),
    "drops the system": _DROPPING.replace("ROLE", "system"),
    "fails": "{{ messages[0].content.nothing() }}",
}


@cache
def _trained(kind: str) -> Tokenizer:
    """Return a bare tokenizer that a trainer made of the texts."""
    if kind == "bytes":
        made, cut = Tokenizer(models.BPE()), pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
            special_tokens=["<|endoftext|>"],
        )  # fmt: skip
    elif kind == "pieces":
        made, cut = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True)), pre_tokenizers.Metaspace()
        bytes_of = [f"<0x{value:02X}>" for value in range(256)]
        trainer = trainers.BpeTrainer(
            vocab_size=480, special_tokens=["<unk>", "<s>", "</s>", *bytes_of], show_progress=False,
            initial_alphabet=["\n", "▁"],
        )  # fmt: skip
    else:
        made, cut = Tokenizer(models.Unigram()), pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=160, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
        )
    made.pre_tokenizer = cut
    made.train_from_iterator(TEXTS * 8, trainer)
    return made


def _merged(kind: str) -> dict:
    state = json.loads(_trained(kind).to_str())["model"]
    return {"vocab": state["vocab"], "merges": [tuple(pair) for pair in state["merges"]]}


def _unigram(first: list[str]) -> list[tuple[str, float]]:
    state = json.loads(_trained("unigram").to_str())["model"]["vocab"]
    pieces = [(piece, score) for piece, score in state if piece not in ("<pad>", "</s>", "<unk>")]
    return [
        *((name, 0.0) for name in first),
        *pieces,
        *((chr(code), -12.0) for code in range(33, 127)),
        ("▁", -3.0),
    ]


def _words() -> PreTrainedTokenizerFast:
    made = Tokenizer(models.WordLevel(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.train_from_iterator(
        TEXTS, trainers.WordLevelTrainer(special_tokens=["<unk>", "<s>", "</s>"], show_progress=False)
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>", padding_side="left"
    )


def make(kind: str, template: str | None = None):
    """Return a tokenizer with special tokens and perhaps a template.

    ``bytes`` is as GPT-2 has it, ``pieces`` as Llama, ``unigram`` as T5 (which puts an end after every text),
    ``unigram left`` as XLNet (which puts two tokens there and pads on the left), ``words`` of whole words.
    """
    match kind:
        case "bytes":
            tokenizer = GPT2Tokenizer(**_merged("bytes"))
        case "pieces":
            tokenizer = LlamaTokenizer(**_merged("pieces"), add_bos_token=True)
        case "unigram":
            tokenizer = T5Tokenizer(_unigram(["<pad>", "</s>", "<unk>"]), extra_ids=0)
        case "unigram left":
            first = ["<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>"]
            tokenizer = XLNetTokenizer(_unigram(first))
        case "words":
            tokenizer = _words()
    tokenizer.add_special_tokens({"additional_special_tokens": list(SPECIAL)})
    if template is not None:
        tokenizer.chat_template = template
    return tokenizer


KINDS = ("bytes", "pieces", "unigram", "unigram left", "words")
