"""Where jobs run: this machine, a SLURM cluster, a Ray cluster."""
