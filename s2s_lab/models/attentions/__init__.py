"""From a query and the memory to a context."""
