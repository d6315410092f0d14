"""How jobs are started and kept."""
