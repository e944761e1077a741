"""The methods: one small file each, holding settings (torch-free) and a pure per-fact loss."""

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
    },
)
