"""What Snakemake needs: jobs, resources, signals, notes, the fork server, and `reassess run`."""
