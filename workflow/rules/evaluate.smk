# Evaluation: all benchmarks of a cell in one process.


rule evaluate:
    input:
        lambda w: wiring.evaluation_inputs(GRID, GRID.cell(w.cell)),
    output:
        f"{R}/cells/{{cell}}/scores.json",
        f"{R}/cells/{{cell}}/predictions.parquet",
    log:
        f"{S}/logs/evaluate/{{cell}}.log",
    benchmark:
        f"{S}/benchmarks/evaluate/{{cell}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1500 * attempt,
        runtime=lambda wildcards, attempt: 15 * attempt,
    params:
        spec=lambda w: GRID.evaluation_hash(GRID.cell(w.cell)),
        config=CONFIG,
    message:
        "evaluate: {wildcards.cell}"
    shell:
        "reassess evaluate --cell {wildcards.cell} --config {params.config} > {log} 2>&1"
