"""Attacks: ways to get knowledge back out of an unlearned model, each beside facts that it never saw."""

from typing import TYPE_CHECKING

from unequal.registry import Registry

if TYPE_CHECKING:
    from unequal.attacks.attack import Attack

ATTACKS: Registry[type["Attack"]] = Registry(
    "attack",
    {
        "relearn": "unequal.attacks.relearn:Relearning",
        "quantise": "unequal.attacks.quantise:Quantisation",
        "sample": "unequal.attacks.sample:Sampling",
        "paraphrase": "unequal.attacks.paraphrase:WorstParaphrase",
        "reverse": "unequal.attacks.formats:FormatShift",
        "cloze": "unequal.attacks.formats:FormatShift",
        "true_false": "unequal.attacks.formats:TrueOrFalse",
        "choice": "unequal.attacks.choice:ChoicePrompt",
        "fewshot": "unequal.attacks.fewshot:FewShot",
        "prompt": "unequal.attacks.prompt:AddedText",
        "lens": "unequal.attacks.lens:LogitLens",
        "probe": "unequal.attacks.probe:LinearProbe",
    },
)
SCHEMES = ("int8", "nf4")
"""Names that stand for the attack ``quantise`` with this scheme."""
