"""Importers of public fact sets, one file each."""

from typing import TYPE_CHECKING

from unequal.registry import Registry

if TYPE_CHECKING:
    from unequal.facts.importers.contract import FactSet

IMPORTERS: Registry["FactSet"] = Registry(
    "fact set",
    {
        "country_capital": "unequal.facts.importers.country_capital:COUNTRY_CAPITAL",
        "book_author": "unequal.facts.importers.book_author:BOOK_AUTHOR",
        "zsre": "unequal.facts.importers.zsre:ZSRE",
        "popqa": "unequal.facts.importers.popqa:POPQA",
        "entityquestions": "unequal.facts.importers.entityquestions:ENTITYQUESTIONS",
        "pararel": "unequal.facts.importers.pararel:PARAREL",
        "counterfact": "unequal.facts.importers.counterfact:COUNTERFACT",
        "rwku": "unequal.facts.importers.rwku:RWKU",
        "tofu": "unequal.facts.importers.tofu:TOFU",
        "muse": "unequal.facts.importers.muse:MUSE",
    },
)
