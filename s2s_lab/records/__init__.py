"""The run folder: written once, read everywhere."""
