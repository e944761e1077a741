"""Factors beside frequency: their levels, effects and explained variance."""
