"""Model size: disagreement and effects over the number of parameters."""
