"""Open prompts: everyday questions without one right answer, to see whether a model still writes text."""

OPEN_PROMPTS = (
    "What is a river?",
    "Why do people sleep?",
    "How is bread made?",
    "What do teachers do?",
    "Describe a rainy day.",
    "Why is music important?",
    "Tell me about horses.",
    "What can you see at night?",
)
N_TOKENS = 16
"""Length of an answer: enough for a stretch of words to stand three times running."""
