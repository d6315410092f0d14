"""The live page: a folder of runs watched and served while its jobs progress."""
