"""Search over configurations: trials drawn by a sampler, run as jobs, and told what they reached."""
