# Training: one job a cell. The reason to run again is the cell's resolved spec, not an edited comment.


rule train:
    input:
        lambda w: wiring.training_inputs(GRID, GRID.cell(w.cell)),
    output:
        f"{R}/cells/{{cell}}/train.json",
        f"{R}/cells/{{cell}}/history.parquet",
        directory(f"{S}/checkpoints/{{cell}}"),
    log:
        f"{S}/logs/train/{{cell}}.log",
    benchmark:
        f"{S}/benchmarks/train/{{cell}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt
        * demand.training(GRID, GRID.cell(w.cell)).memory,
        runtime=lambda w, attempt: attempt
        * demand.training(GRID, GRID.cell(w.cell)).minutes,
        cpus_per_task=lambda w: demand.training(GRID, GRID.cell(w.cell)).cpus,
        gpu=lambda w: demand.gpus(demand.training(GRID, GRID.cell(w.cell)).gpus),
        gres=lambda w: demand.gres(demand.training(GRID, GRID.cell(w.cell)).gpus),
    params:
        spec=lambda w: GRID.spec_hash(GRID.cell(w.cell)),
        config=CONFIG,
    message:
        "train: {wildcards.cell} ({resources.gpu} GPUs, {resources.mem_mb} MB, {resources.runtime} min)"
    # exec: signals reach the trainer, which saves; a shell in between would die of them and leave it to be killed.
    shell:
        "exec reassess train --cell {wildcards.cell} --config {params.config} > {log} 2>&1"
