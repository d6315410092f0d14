"""From target prefixes to features."""
