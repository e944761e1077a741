"""Difficulty prediction: a fit from a study, its skill, and forecasts for new facts."""
