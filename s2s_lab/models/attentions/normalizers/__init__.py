"""From energies to weights."""
