# Evaluation: all benchmarks of a cell in one process.

evaluate_job = JobRule(jobs.Evaluate(GRID), AGAIN)
judge_job = JobRule(jobs.Judge(GRID), AGAIN)


rule evaluate:
    input:
        evaluate_job.input,
    output:
        *evaluate_job.files,
    log:
        evaluate_job.log,
    benchmark:
        evaluate_job.benchmark
    threads: 1
    resources:
        mem_mb=evaluate_job.memory,
        runtime=evaluate_job.runtime,
        cpus_per_task=evaluate_job.cpus,
        gpu=evaluate_job.gpu,
        gres=evaluate_job.gres,
    params:
        spec=evaluate_job.spec,
    message:
        "evaluate: {wildcards.cell} ({resources.gpu} GPUs, {resources.mem_mb} MB, {resources.runtime} min)"
    shell:
        "exec reassess job evaluate --cell {wildcards.cell:q} --config {CONFIG:q} > {log:q} 2>&1"


rule judge:
    input:
        judge_job.input,
    output:
        *judge_job.files,
    log:
        judge_job.log,
    benchmark:
        judge_job.benchmark
    threads: 1
    resources:
        mem_mb=judge_job.memory,
        runtime=judge_job.runtime,
        cpus_per_task=judge_job.cpus,
        gpu=judge_job.gpu,
        gres=judge_job.gres,
    params:
        spec=judge_job.spec,
        judge=GRID.config.evaluation.judge,
    message:
        "judge: {wildcards.cell}"
    shell:
        "exec reassess job judge --cell {wildcards.cell:q} --config {CONFIG:q} > {log:q} 2>&1"
