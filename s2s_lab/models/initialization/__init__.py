"""First values of the parameters."""
