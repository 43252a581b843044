# Base checkpoints; in the micro world also the tokenizer and the teachers they need.


rule build_tokenizer:
    output:
        directory(f"{S}/tokenizer"),
    log:
        f"{S}/logs/build_tokenizer.log",
    benchmark:
        f"{S}/benchmarks/build_tokenizer.tsv"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt * 1000,
        runtime=lambda w, attempt: attempt * 5,
    params:
        spec="1",
        config=CONFIG,
    message:
        "tokenizer: training it"
    shell:
        "reassess build-tokenizer --config {params.config} > {log} 2>&1"


rule build_base:
    input:
        lambda w: GRID.world.base_inputs(GRID, w.model),
    output:
        directory(f"{S}/models/{{model}}/base"),
        f"{R}/models/{{model}}/base.json",
    log:
        f"{S}/logs/build_base/{{model}}.log",
    benchmark:
        f"{S}/benchmarks/build_base/{{model}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt * demand.base(GRID).memory,
        runtime=lambda w, attempt: attempt * demand.base(GRID).minutes,
    params:
        spec=lambda w: GRID.base_hash(w.model),
        config=CONFIG,
    message:
        "base: {wildcards.model}"
    shell:
        "reassess build-base --model {wildcards.model} --config {params.config} > {log} 2>&1"


rule build_teacher:
    input:
        lambda w: GRID.base_dir(GRID.teacher_model(w.family)),
        rules.build_pool.output,
    output:
        directory(f"{S}/models/{{family}}/teacher"),
        f"{R}/models/{{family}}/teacher.json",
    log:
        f"{S}/logs/build_teacher/{{family}}.log",
    benchmark:
        f"{S}/benchmarks/build_teacher/{{family}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt * demand.base(GRID).memory,
        runtime=lambda w, attempt: attempt * demand.base(GRID).minutes,
    params:
        spec=lambda w: GRID.teacher_hash(w.family, ""),
        config=CONFIG,
    message:
        "teacher: {wildcards.family}"
    shell:
        "reassess build-teacher --family {wildcards.family} --config {params.config} > {log} 2>&1"
