"""From lines to tokens and back."""
