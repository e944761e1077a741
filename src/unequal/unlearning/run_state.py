"""What an unlearning run must remember to go on as if it had never been interrupted."""

from typing import NamedTuple

import torch
from torch import Tensor

from unequal.unlearning.early_stopping import Watch
from unequal.unlearning.hidden_state_objective import HiddenObjective
from unequal.unlearning.objective import Objective


class RunMemory(NamedTuple):
    """The retain weight that learns, facts that are done, the state to go back to, and random streams."""

    objective: Objective | HiddenObjective
    watch: Watch
    device: torch.device

    def state(self) -> dict[str, Tensor]:
        """Return it as tensors by name."""
        parts = {"objective": self.objective.state(), "watch": self.watch.state(), "random": self._random()}
        return {f"{part}.{name}": value for part, state in parts.items() for name, value in state.items()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take it up again."""

        def part(name: str) -> dict[str, Tensor]:
            return {key.split(".", 1)[1]: value for key, value in state.items() if key.startswith(f"{name}.")}

        self.objective.restore(part("objective"))
        self.watch.restore(part("watch"))
        self.objective.weights.leave_out(self.watch.done)
        torch.set_rng_state(state["random.cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random.cuda"], self.device)

    def _random(self) -> dict[str, Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self.device)
        return states
