"""Scores of hypotheses and their significance."""
