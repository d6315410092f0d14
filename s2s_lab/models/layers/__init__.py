"""Pieces that several encoders and decoders are made of."""
