"""From a configuration to its parts."""
