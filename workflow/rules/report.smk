# Names for what people ask for. The report itself is Snakemake's own: `snakemake --report`.


# Everything drawn.
rule figures:
    input:
        rules.all.input,


# Every cell trained and scored, nothing drawn.
rule cells:
    input:
        collect_job.every_input,
        lambda wildcards: STALE(),
