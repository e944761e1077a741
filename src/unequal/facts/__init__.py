"""Facts: the fact table, the probes made from it, and the synthetic world whose facts are known exactly."""
