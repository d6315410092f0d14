"""Corpora, each with its splits and fingerprint."""
