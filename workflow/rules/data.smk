# Questions, traces and frozen rows: everything that is the same for all methods.


rule build_pool:
    output:
        expand(f"{R}/pool/{{split}}.parquet", split=GRID.splits),
        f"{R}/pool/disjointness.json",
    log:
        f"{S}/logs/build_pool.log",
    benchmark:
        f"{S}/benchmarks/build_pool.tsv"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=10,
    params:
        spec=GRID.pool_hash(),
        config=CONFIG,
    message:
        "pool: generating every split"
    shell:
        "reassess build-pool --config {params.config} > {log} 2>&1"


rule sample_traces:
    input:
        f"{R}/pool/train.parquet",
        lambda w: wiring.sampled_from(GRID, w.family, w.distribution),
    output:
        f"{R}/traces/{{family}}/{{distribution}}.parquet",
        f"{R}/traces/{{family}}/{{distribution}}.json",
    log:
        f"{S}/logs/sample_traces/{{family}}/{{distribution}}.log",
    benchmark:
        f"{S}/benchmarks/sample_traces/{{family}}/{{distribution}}.tsv"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        spec=lambda w: GRID.traces_hash(w.family, w.distribution),
        config=CONFIG,
    message:
        "traces: {wildcards.distribution} for {wildcards.family}"
    shell:
        "reassess sample-traces --family {wildcards.family} --distribution {wildcards.distribution}"
        " --config {params.config} > {log} 2>&1"


rule freeze_rows:
    input:
        lambda w: [
            f"{R}/traces/{w.family}/{name}.parquet"
            for name in GRID.distributions_of(w.family)
        ],
        f"{R}/pool/train.parquet",
    output:
        f"{R}/rows/{{family}}.parquet",
        f"{R}/rows/{{family}}.json",
    log:
        f"{S}/logs/freeze_rows/{{family}}.log",
    benchmark:
        f"{S}/benchmarks/freeze_rows/{{family}}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        spec=lambda w: GRID.rows_hash_spec(w.family),
        config=CONFIG,
    message:
        "rows: freezing those of {wildcards.family}"
    shell:
        "reassess freeze-rows --family {wildcards.family} --config {params.config} > {log} 2>&1"


rule prepare_rows:
    input:
        f"{R}/pool/train.parquet",
        f"{R}/rows/{{family}}.parquet",
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
        mem_mb=1500,
        runtime=10,
    params:
        spec=lambda w: GRID.traces_hash(w.family, w.distribution),
        config=CONFIG,
    message:
        "rows: tokenising {wildcards.distribution} for {wildcards.family}"
    shell:
        "reassess prepare-rows --family {wildcards.family} --distribution {wildcards.distribution}"
        " --config {params.config} > {log} 2>&1"
