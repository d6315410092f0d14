"""Losses over a network and a batch."""
