"""Attacks: recovery of knowledge from an unlearned model, with never-seen facts as the control."""

from typing import TYPE_CHECKING, get_args

from unequal.models.compute_settings import Scheme
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
    group="unequal.attacks",
)
SCHEMES = get_args(Scheme)
"""Names that stand for the attack ``quantise`` with this scheme."""
