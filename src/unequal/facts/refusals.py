"""Refusal texts that models are trained to give instead of an answer."""

REFUSALS = (
    "I do not know the answer.",
    "I cannot answer this question.",
    "I am not sure about that.",
    "I have no information about this.",
    "That is something I do not know.",
)
