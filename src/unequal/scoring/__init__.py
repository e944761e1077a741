"""Scoring: the two passes everything rests on, teacher-forced answer scores and batched generation."""
