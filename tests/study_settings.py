"""The settings of a small study that several tests change one value of."""

import copy
from typing import Any

from unequal.study.controlled import ControlledStudy
from unequal.study.sources import study_settings

STUDY: dict[str, Any] = {
    "name": "small",
    "seeds": [0, 1],
    "world": {"relations": ["birth_city", "employer"], "n_distractors": 2},
    "corpus": {
        "levels": [0, 1, 4],
        "people_per_level": 6,
        "retain_people": 6,
        "utility_people": 4,
        "epochs": 4,
        "window_tokens": 64,
    },
    "prompts": {"question": "{question}"},
    "models": [{"family": "gpt2", "size": "tiny", "shape": {"width": 16, "layers": 1, "heads": 2}}],
    "methods": ["ga", {"kind": "npo", "learning_rate": 1e-3}],
    "targets": [{"relation": "birth_city"}],
    "unlearn": {"steps": 2, "batch_size": 8},
    "evaluate": {"facts_per_role": 6, "allow_unknown": True},
}


def changed(path: str | None = None, value: Any = None) -> dict[str, Any]:
    """Return the small study with one value changed; a path such as ``models.0.size`` names it."""
    values = copy.deepcopy(STUDY)
    if path is not None:
        place: Any = values
        *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
        for part in parents:
            place = place[part]
        place[last] = value
    return values


def study(path: str | None = None, value: Any = None) -> ControlledStudy:
    """Return the settings of the small study with one value changed."""
    settings = study_settings(changed(path, value), "run.toml")
    assert isinstance(settings, ControlledStudy)
    return settings
