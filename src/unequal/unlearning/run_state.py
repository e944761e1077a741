"""Run state: what a checkpoint of an unlearning run holds besides model and optimiser."""

from typing import NamedTuple

import torch
from torch import Tensor

from unequal.unlearning.early_stopping import EarlyStopping
from unequal.unlearning.objective import Objective


class RunState(NamedTuple):
    """The retain weight that learns, facts that are done, the state to go back to, and random streams."""

    objective: Objective
    stopping: EarlyStopping
    device: torch.device

    def state(self) -> dict[str, Tensor]:
        """Return it as tensors by name."""
        parts = {
            "objective": self.objective.state(),
            "stopping": self.stopping.state(),
            "random": self._random(),
        }
        return {f"{part}.{name}": value for part, state in parts.items() for name, value in state.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take it up again."""

        def part(name: str) -> dict[str, Tensor]:
            return {key.split(".", 1)[1]: value for key, value in state.items() if key.startswith(f"{name}.")}

        self.objective.restore(part("objective"))
        self.stopping.restore(part("stopping"))
        self.objective.weights.exclude(self.stopping.done)
        torch.set_rng_state(state["random.cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random.cuda"], self.device)

    def _random(self) -> dict[str, Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return states
