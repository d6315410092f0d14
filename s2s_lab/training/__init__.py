"""The training of any network with Lightning."""
