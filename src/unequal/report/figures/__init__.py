"""Figures of the report: one file per topic; `figure` holds what all of them share."""
