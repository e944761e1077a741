"""Effects of exposure on forgetting: slopes, hazards, areas, curves and their interactions."""
