"""Sources of models beside folders and the hub: GGUF files, and named models from the package registry."""
