"""General utility: what unlearning does to a language model beside facts, by text, open prompts and tasks."""
