"""Unlearning methods: one file each, holding settings (torch-free) and a per-fact loss."""

from typing import TYPE_CHECKING

from unequal.registry import Registry

if TYPE_CHECKING:
    from unequal.unlearning.method import Method

METHODS: Registry[type["Method"]] = Registry(
    "method",
    {
        "ga": "unequal.unlearning.methods.ga:GradientAscent",
        "graddiff": "unequal.unlearning.methods.graddiff:GradientDifference",
        "npo": "unequal.unlearning.methods.npo:NPO",
        "simnpo": "unequal.unlearning.methods.simnpo:SimNPO",
        "idk": "unequal.unlearning.methods.idk:RefusalTraining",
        "ga_kl": "unequal.unlearning.methods.ga_kl:GradientAscentKL",
        "dpo": "unequal.unlearning.methods.dpo:PreferenceForRefusals",
        "idk_dpo": "unequal.unlearning.methods.dpo:PreferenceForRefusals",
        "altpo": "unequal.unlearning.methods.altpo:AlternatePreference",
        "idk_ap": "unequal.unlearning.methods.idk_ap:AnswerPreservation",
        "me": "unequal.unlearning.methods.me:MaximumEntropy",
        "wga": "unequal.unlearning.methods.wga:WeightedAscent",
        "tnpo": "unequal.unlearning.methods.tnpo:TokenwiseNPO",
        "satimp": "unequal.unlearning.methods.satimp:SaturationImportance",
        "undial": "unequal.unlearning.methods.undial:Undial",
        "ceu": "unequal.unlearning.methods.ceu:CrossEntropyUnlearning",
        "jensun": "unequal.unlearning.methods.jensun:JensUn",
        "ihl": "unequal.unlearning.methods.ihl:InvertedHinge",
        "popdyn_wga": "unequal.unlearning.methods.popdyn_wga:PopularityAscent",
        "adapop": "unequal.unlearning.methods.adapop:AdaPop",
        "rmu": "unequal.unlearning.methods.rmu:RMU",
        "adaptive_rmu": "unequal.unlearning.methods.adaptive_rmu:AdaptiveRMU",
        "npo_sam": "unequal.unlearning.methods.npo_sam:NPOSam",
        "baldro": "unequal.unlearning.methods.baldro:BalDRO",
        "pdu": "unequal.unlearning.methods.pdu:PrimalDual",
        "whp": "unequal.unlearning.methods.whp:WhosHarryPotter",
        "elm": "unequal.unlearning.methods.elm:ErasureOfLanguageMemory",
        "task_vector": "unequal.unlearning.methods.task_vector:TaskVector",
        "icu": "unequal.unlearning.methods.icu:InContextUnlearning",
    },
    group="unequal.methods",
)
