"""infini-gram counting engines: suffix-array indexes on the public web service or on this machine."""
