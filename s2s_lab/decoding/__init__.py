"""Decoding strategies over a step function, without any network."""
