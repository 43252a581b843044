# Questions, traces and frozen rows: everything that is the same for all methods.


rule build_pool:
    input:
        GRID.world.pool_inputs(GRID),
    output:
        expand(f"{R}/pool/{{split}}.parquet", split=GRID.splits),
        f"{R}/pool/disjointness.json",
    log:
        f"{S}/logs/build_pool.log",
    benchmark:
        f"{S}/benchmarks/build_pool.tsv"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt * demand.data(GRID).memory,
        runtime=lambda w, attempt: attempt * demand.data(GRID).minutes,
        cpus_per_task=demand.data(GRID).cpus,
    params:
        spec=GRID.pool_hash(),
        config=CONFIG,
    message:
        "pool: generating every split"
    shell:
        "reassess build-pool --config {params.config} > {log} 2>&1"


rule sample_shard:
    input:
        lambda w: GRID.pool_file(GRID.world.train_split(w.distribution)),
        lambda w: GRID.teacher_dir(w.family, w.distribution),
    output:
        f"{S}/traces/{{family}}/{{distribution}}/{{shard}}.parquet",
        f"{S}/traces/{{family}}/{{distribution}}/{{shard}}.json",
    log:
        f"{S}/logs/sample_shard/{{family}}/{{distribution}}/{{shard}}.log",
    benchmark:
        f"{S}/benchmarks/sample_shard/{{family}}/{{distribution}}/{{shard}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt
        * demand.sampling(GRID, w.family, w.distribution).memory,
        runtime=lambda w, attempt: attempt
        * demand.sampling(GRID, w.family, w.distribution).minutes,
        cpus_per_task=lambda w: demand.sampling(GRID, w.family, w.distribution).cpus,
        gpu=lambda w: demand.gpus(demand.sampling(GRID, w.family, w.distribution).gpus),
        gres=lambda w: demand.gres(demand.sampling(GRID, w.family, w.distribution).gpus),
    params:
        spec=lambda w: GRID.traces_hash(w.family, w.distribution),
        config=CONFIG,
    message:
        "traces: shard {wildcards.shard} of {wildcards.distribution} for {wildcards.family}"
        " ({resources.gpu} GPUs, {resources.mem_mb} MB, {resources.runtime} min)"
    shell:
        "reassess sample-shard --family {wildcards.family} --distribution {wildcards.distribution}"
        " --shard {wildcards.shard} --config {params.config} > {log} 2>&1"


rule gather_traces:
    input:
        lambda w: GRID.pool_file(GRID.world.train_split(w.distribution)),
        lambda w: wiring.shards_of(GRID, w.family, w.distribution),
    output:
        f"{R}/traces/{{family}}/{{distribution}}.parquet",
        f"{R}/traces/{{family}}/{{distribution}}.json",
    log:
        f"{S}/logs/gather_traces/{{family}}/{{distribution}}.log",
    benchmark:
        f"{S}/benchmarks/gather_traces/{{family}}/{{distribution}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt * demand.data(GRID).memory,
        runtime=lambda w, attempt: attempt * demand.data(GRID).minutes,
        cpus_per_task=demand.data(GRID).cpus,
    params:
        spec=lambda w: GRID.traces_hash(w.family, w.distribution),
        config=CONFIG,
    message:
        "traces: {wildcards.distribution} for {wildcards.family}"
    shell:
        "reassess gather-traces --family {wildcards.family} --distribution {wildcards.distribution}"
        " --config {params.config} > {log} 2>&1"


rule freeze_rows:
    input:
        lambda w: wiring.frozen_from(GRID, w.family, w.distribution),
    output:
        f"{R}/rows/{{family}}/{{distribution}}.parquet",
        f"{R}/rows/{{family}}/{{distribution}}.json",
    log:
        f"{S}/logs/freeze_rows/{{family}}/{{distribution}}.log",
    benchmark:
        f"{S}/benchmarks/freeze_rows/{{family}}/{{distribution}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt * demand.data(GRID).memory,
        runtime=lambda w, attempt: attempt * demand.data(GRID).minutes,
        cpus_per_task=demand.data(GRID).cpus,
    params:
        spec=lambda w: GRID.rows_hash(w.family, w.distribution),
        config=CONFIG,
    message:
        "rows: freezing those of {wildcards.family} in {wildcards.distribution}"
    shell:
        "reassess freeze-rows --family {wildcards.family} --distribution {wildcards.distribution}"
        " --config {params.config} > {log} 2>&1"


rule prepare_rows:
    input:
        lambda w: GRID.pool_file(GRID.world.train_split(w.distribution)),
        f"{R}/rows/{{family}}/{{distribution}}.parquet",
        f"{R}/traces/{{family}}/{{distribution}}.parquet",
        lambda w: GRID.base_dir(GRID.teacher_model(w.family)),
    output:
        f"{S}/prepared/{{family}}/{{distribution}}.safetensors",
    log:
        f"{S}/logs/prepare_rows/{{family}}/{{distribution}}.log",
    benchmark:
        f"{S}/benchmarks/prepare_rows/{{family}}/{{distribution}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt * demand.data(GRID).memory,
        runtime=lambda w, attempt: attempt * demand.data(GRID).minutes,
        cpus_per_task=demand.data(GRID).cpus,
    params:
        spec=lambda w: GRID.traces_hash(w.family, w.distribution),
        config=CONFIG,
    message:
        "rows: tokenising {wildcards.distribution} for {wildcards.family}"
    shell:
        "reassess prepare-rows --family {wildcards.family} --distribution {wildcards.distribution}"
        " --config {params.config} > {log} 2>&1"
