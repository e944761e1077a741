"""The synthetic world of a seed: its people and their fact table."""

from dataclasses import dataclass

from pydantic import Field, field_validator

from unequal.errors import did_you_mean
from unequal.facts.schema import Fact
from unequal.facts.world.people import Person, draw_object, draw_people
from unequal.facts.world.relations import RELATION_NAMES, load_relation
from unequal.seeds import random_stream
from unequal.strict import Seed, StrictModel


class WorldSettings(StrictModel):
    """Settings of the synthetic world: its seed and the relations of each person."""

    seed: Seed = Field(default=0, description="seed of the people and their facts")
    relations: tuple[str, ...] = Field(
        default=RELATION_NAMES, min_length=1, description="facts about each person"
    )
    n_distractors: int = Field(
        default=7, ge=1, le=50, description="wrong answers of the same type for each fact"
    )

    @field_validator("relations")
    @classmethod
    def _known(cls, relations: tuple[str, ...]) -> tuple[str, ...]:
        for name in relations:
            if name not in RELATION_NAMES:
                hint = did_you_mean(name, RELATION_NAMES)
                raise ValueError(f"unknown relation '{name}'{hint} (known: {', '.join(RELATION_NAMES)})")
        if len(set(relations)) < len(relations):
            raise ValueError("a relation is named twice")
        return relations


@dataclass(frozen=True)
class World:
    """People and the settings that determine them."""

    settings: WorldSettings
    people: tuple[Person, ...]

    def facts(self) -> list[Fact]:
        """Return one fact for each person and relation that the person has, people in order."""
        names = self.settings.relations
        return [self.fact(one, name) for one in self.people for name in names if name in one.objects]

    def fact(self, person: Person, relation: str) -> Fact:
        """Return the fact with its question, held-out wordings and distractors."""
        templates = load_relation(relation)
        answer = person.objects[relation]
        question, *_ = (text.format(subject=person.name) for text in templates.questions.train)
        return Fact(
            fact_id=f"{person.person_id}:{relation}",
            subject=person.name,
            relation=relation,
            object=answer,
            question=question,
            answer=answer,
            paraphrases=tuple(q.format(subject=person.name) for q in templates.questions.held_out),
            cloze=tuple(cloze_prefix(s, person.name) for s in templates.statements.held_out),
            distractors=self._distractors(person, relation),
            reverse_question=templates.reverse_question.format(object=answer),
        )

    def _distractors(self, person: Person, relation: str) -> tuple[str, ...]:
        """Return wrong objects of the same type, none of them an object of the person in another relation."""
        stream = random_stream(self.settings.seed, "distractors", person.person_id, relation)
        taken = set(person.objects.values())
        drawn: list[str] = []
        for _ in range(self.settings.n_distractors):
            drawn.append(draw_object(relation, stream, taken | set(drawn), person.long_objects))
        return tuple(drawn)


def build_world(settings: WorldSettings, n_people: int) -> World:
    """Return the world of the settings with ``n_people`` people."""
    return World(settings, tuple(draw_people(n_people, settings.relations, settings.seed)))


def cloze_prefix(statement: str, subject: str) -> str:
    """Return a statement up to its object, for a template in which the object comes last."""
    return statement.split("{object}")[0].format(subject=subject).rstrip()
