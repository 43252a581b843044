# Training: one job a cell. The reason to run again is the cell's resolved spec, not an edited comment.

train_job = JobRule(jobs.Train(GRID), AGAIN)


rule train:
    input:
        train_job.input,
    output:
        *train_job.files,
        *map(directory, train_job.folders),
    log:
        train_job.log,
    benchmark:
        train_job.benchmark
    threads: 1
    resources:
        mem_mb=train_job.memory,
        runtime=train_job.runtime,
        cpus_per_task=train_job.cpus,
        gpu=train_job.gpu,
        gres=train_job.gres,
    params:
        spec=train_job.spec,
    message:
        "train: {wildcards.cell} ({resources.gpu} GPUs, {resources.mem_mb} MB, {resources.runtime} min)"
    # exec: signals reach the trainer, which saves; a shell in between would die of them.
    shell:
        "exec reassess job train --cell {wildcards.cell:q} --config {CONFIG:q} > {log:q} 2>&1"
