"""Where curves, tables and pictures go."""
