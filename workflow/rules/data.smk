# Questions, traces and frozen rows: everything that is the same for all methods.

build_pool_job = JobRule(jobs.BuildPool(GRID), AGAIN)
sample_shard_job = JobRule(jobs.SampleShard(GRID), AGAIN)
gather_traces_job = JobRule(jobs.GatherTraces(GRID), AGAIN)
freeze_rows_job = JobRule(jobs.FreezeRows(GRID), AGAIN)
prepare_rows_job = JobRule(jobs.PrepareRows(GRID), AGAIN)


rule build_pool:
    input:
        build_pool_job.input,
    output:
        *build_pool_job.files,
    log:
        build_pool_job.log,
    benchmark:
        build_pool_job.benchmark
    threads: 1
    resources:
        mem_mb=build_pool_job.memory,
        runtime=build_pool_job.runtime,
        cpus_per_task=build_pool_job.cpus,
    params:
        spec=build_pool_job.spec,
    message:
        "pool: every split"
    shell:
        "exec reassess job build-pool --config {CONFIG:q} > {log:q} 2>&1"


rule sample_shard:
    input:
        sample_shard_job.input,
    output:
        *sample_shard_job.files,
    log:
        sample_shard_job.log,
    benchmark:
        sample_shard_job.benchmark
    threads: 1
    resources:
        mem_mb=sample_shard_job.memory,
        runtime=sample_shard_job.runtime,
        cpus_per_task=sample_shard_job.cpus,
        gpu=sample_shard_job.gpu,
        gres=sample_shard_job.gres,
    params:
        spec=sample_shard_job.spec,
    message:
        "traces: shard {wildcards.shard} of {wildcards.distribution} for {wildcards.family}"
        " ({resources.gpu} GPUs, {resources.mem_mb} MB, {resources.runtime} min)"
    shell:
        "exec reassess job sample-shard --family {wildcards.family:q} --distribution {wildcards.distribution:q}"
        " --shard {wildcards.shard:q} --config {CONFIG:q} > {log:q} 2>&1"


rule gather_traces:
    input:
        gather_traces_job.input,
    output:
        *gather_traces_job.files,
    log:
        gather_traces_job.log,
    benchmark:
        gather_traces_job.benchmark
    threads: 1
    resources:
        mem_mb=gather_traces_job.memory,
        runtime=gather_traces_job.runtime,
        cpus_per_task=gather_traces_job.cpus,
    params:
        spec=gather_traces_job.spec,
    message:
        "traces: {wildcards.distribution} for {wildcards.family}"
    shell:
        "exec reassess job gather-traces --family {wildcards.family:q} --distribution {wildcards.distribution:q}"
        " --config {CONFIG:q} > {log:q} 2>&1"


rule freeze_rows:
    input:
        freeze_rows_job.input,
    output:
        *freeze_rows_job.files,
    log:
        freeze_rows_job.log,
    benchmark:
        freeze_rows_job.benchmark
    threads: 1
    resources:
        mem_mb=freeze_rows_job.memory,
        runtime=freeze_rows_job.runtime,
        cpus_per_task=freeze_rows_job.cpus,
    params:
        spec=freeze_rows_job.spec,
    message:
        "rows: freezing those of {wildcards.family} in {wildcards.distribution}"
    shell:
        "exec reassess job freeze-rows --family {wildcards.family:q} --distribution {wildcards.distribution:q}"
        " --config {CONFIG:q} > {log:q} 2>&1"


rule prepare_rows:
    input:
        prepare_rows_job.input,
    output:
        *prepare_rows_job.files,
    log:
        prepare_rows_job.log,
    benchmark:
        prepare_rows_job.benchmark
    threads: 1
    resources:
        mem_mb=prepare_rows_job.memory,
        runtime=prepare_rows_job.runtime,
        cpus_per_task=prepare_rows_job.cpus,
    params:
        spec=prepare_rows_job.spec,
    message:
        "rows: tokenising {wildcards.distribution} for {wildcards.family}"
    shell:
        "exec reassess job prepare-rows --family {wildcards.family:q} --distribution {wildcards.distribution:q}"
        " --config {CONFIG:q} > {log:q} 2>&1"
