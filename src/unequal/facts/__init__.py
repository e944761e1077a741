"""Facts: fact tables, probes, importers of public data sets, and the synthetic world."""
