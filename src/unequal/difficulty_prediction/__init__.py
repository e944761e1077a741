"""Planning: what forgetting some facts of a model will take, before anything is unlearned."""
