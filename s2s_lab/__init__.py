"""The laboratory for sequence-to-sequence models."""
