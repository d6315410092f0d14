"""From embedded sources to memory."""
