"""Refusals: what a model says instead of an answer that it has been taught to decline."""

REFUSALS = (
    "I do not know the answer.",
    "I cannot answer this question.",
    "I am not sure about that.",
    "I have no information about this.",
    "That is something I do not know.",
)
