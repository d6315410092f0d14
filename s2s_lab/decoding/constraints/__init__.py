"""What single symbols may follow, told from the symbols before: for any strategy."""
