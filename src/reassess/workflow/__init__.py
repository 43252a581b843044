"""What Snakemake needs: the jobs, their resources, signals, notes, the fork server, and `reassess run`."""
