"""Optimizers beside those of torch.optim, which need no file here."""
