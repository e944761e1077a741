"""Device and precision of a model, as settings that need no torch."""

import os
import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from unequal.config import build
from unequal.strict import PathOrName, StrictModel

Precision = Literal["fp32", "bf16", "bf16-pure"]
"""``fp32``; ``bf16``: products in bfloat16 while parameters, gradients and optimiser states are in float32;
``bf16-pure``: all in bfloat16, whose rounding loses small changes of parameters."""

Scheme = Literal["int8", "nf4"]
"""Quantisation: 8 bits with a scale an output, or 4 bits with a scale each 64 parameters."""
Backend = Literal["exact", "bitsandbytes", "auto"]
"""What quantises: our own arithmetic, bitsandbytes, or bitsandbytes where it is installed."""
ModelName = Annotated[
    PathOrName, Field(description="folder of a model and its tokenizer, or a name on the Hugging Face hub")
]

DEVICE_VARIABLE = "UNEQUAL_DEVICE"
"""The environment variable that holds the chosen device, so that worker processes find it."""

_DEVICE = re.compile(r"auto|cpu|mps|(cuda|xpu)(:\d+)?")


def master_weights(precision: Precision) -> str:
    """Return the precision of the trained (master) parameters, as the score table's column names it."""
    return "bf16" if precision == "bf16-pure" else "fp32"


class DeviceSettings(StrictModel):
    """The device of a model."""

    device: str = Field(
        default="auto",
        description="where to compute: auto (an accelerator if there is one), cpu, mps, cuda, xpu, or a"
        " card such as cuda:1",
    )

    @field_validator("device")
    @classmethod
    def _known(cls, name: str) -> str:
        if not _DEVICE.fullmatch(name):
            raise ValueError(
                f"found '{name}'; it should be auto, cpu, mps, cuda, xpu, or a card such as cuda:1"
            )
        return name


def choose_for_workers(name: str) -> None:
    """Set the device of worker processes that are started from now on; they check that it exists."""
    os.environ[DEVICE_VARIABLE] = build(DeviceSettings, {"device": name}, "command line").device


class LoadSettings(StrictModel):
    """Loading of a model folder."""

    merge_adapter: bool = Field(
        default=False,
        description="merge an adapter in the model's folder into the model; without it such a folder is"
        " refused",
    )


class ComputeSettings(DeviceSettings, LoadSettings):
    """Device, precision and compilation of an evaluated model."""

    precision: Precision = Field(
        default="fp32",
        description="fp32, bf16 (matrix products; parameters stay fp32) or bf16-pure (parameters too)",
    )
    compile: bool = Field(default=False, description="compile the model with torch.compile")
