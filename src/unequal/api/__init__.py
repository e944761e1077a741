"""The Python interface: facts, models and results in memory, and one function for each stage."""
