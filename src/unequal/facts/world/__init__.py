"""The synthetic world: fictitious people with known facts and packaged wordings."""
