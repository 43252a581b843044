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
        mem_mb=lambda w, attempt: attempt
        * demand.evaluation(GRID, GRID.cell(w.cell)).memory,
        runtime=lambda w, attempt: attempt
        * demand.evaluation(GRID, GRID.cell(w.cell)).minutes,
        cpus_per_task=lambda w: demand.evaluation(GRID, GRID.cell(w.cell)).cpus,
        gpu=lambda w: demand.gpus(demand.evaluation(GRID, GRID.cell(w.cell)).gpus),
        gres=lambda w: demand.gres(demand.evaluation(GRID, GRID.cell(w.cell)).gpus),
    params:
        spec=lambda w: GRID.evaluation_hash(GRID.cell(w.cell)),
        config=CONFIG,
    message:
        "evaluate: {wildcards.cell} ({resources.gpu} GPUs, {resources.mem_mb} MB, {resources.runtime} min)"
    shell:
        "reassess evaluate --cell {wildcards.cell} --config {params.config} > {log} 2>&1"


rule judge:
    input:
        lambda w: wiring.judge_inputs(GRID, GRID.cell(w.cell)),
    output:
        f"{R}/cells/{{cell}}/judged.json",
        f"{R}/cells/{{cell}}/judged.parquet",
    log:
        f"{S}/logs/judge/{{cell}}.log",
    benchmark:
        f"{S}/benchmarks/judge/{{cell}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt
        * demand.judging(GRID, GRID.cell(w.cell)).memory,
        runtime=lambda w, attempt: attempt
        * demand.judging(GRID, GRID.cell(w.cell)).minutes,
        cpus_per_task=lambda w: demand.judging(GRID, GRID.cell(w.cell)).cpus,
        gpu=lambda w: demand.gpus(demand.judging(GRID, GRID.cell(w.cell)).gpus),
        gres=lambda w: demand.gres(demand.judging(GRID, GRID.cell(w.cell)).gpus),
    params:
        spec=lambda w: GRID.evaluation_hash(GRID.cell(w.cell)),
        judge=GRID.config.evaluation.judge,
        config=CONFIG,
    message:
        "judge: {wildcards.cell}"
    shell:
        "reassess judge --cell {wildcards.cell} --config {params.config} > {log} 2>&1"
