"""Decodes and scores with frozen models."""
