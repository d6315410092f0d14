"""From features to the vocabulary and its loss."""
