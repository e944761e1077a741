"""The bases that a study can start from."""

from unequal.study.steps.checkpoint import CheckpointBase
from unequal.study.steps.pretrain import PretrainStep

AnyBase = PretrainStep | CheckpointBase
