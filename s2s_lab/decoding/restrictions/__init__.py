"""Which symbols sampling may draw, told from the distribution of the next symbol."""
