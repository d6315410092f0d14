"""The benchmark: speed of training, decoding and data loading, alone and beside a peer."""
