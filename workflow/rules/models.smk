# Base checkpoints; in the micro world also the tokenizer and the teachers.

build_tokenizer_job = JobRule(jobs.BuildTokenizer(GRID), AGAIN)
build_base_job = JobRule(jobs.BuildBase(GRID), AGAIN)
build_teacher_job = JobRule(jobs.BuildTeacher(GRID), AGAIN)


rule build_tokenizer:
    output:
        *map(directory, build_tokenizer_job.folders),
    log:
        build_tokenizer_job.log,
    benchmark:
        build_tokenizer_job.benchmark
    threads: 1
    resources:
        mem_mb=build_tokenizer_job.memory,
        runtime=build_tokenizer_job.runtime,
    params:
        spec=build_tokenizer_job.spec,
    message:
        "tokenizer"
    shell:
        "exec reassess job build-tokenizer --config {CONFIG:q} > {log:q} 2>&1"


rule build_base:
    input:
        build_base_job.input,
    output:
        *build_base_job.files,
        *map(directory, build_base_job.folders),
    log:
        build_base_job.log,
    benchmark:
        build_base_job.benchmark
    threads: 1
    resources:
        mem_mb=build_base_job.memory,
        runtime=build_base_job.runtime,
    params:
        spec=build_base_job.spec,
    message:
        "base: {wildcards.base}"
    shell:
        "exec reassess job build-base --base {wildcards.base:q} --config {CONFIG:q} > {log:q} 2>&1"


rule build_teacher:
    input:
        build_teacher_job.input,
    output:
        *build_teacher_job.files,
        *map(directory, build_teacher_job.folders),
    log:
        build_teacher_job.log,
    benchmark:
        build_teacher_job.benchmark
    threads: 1
    resources:
        mem_mb=build_teacher_job.memory,
        runtime=build_teacher_job.runtime,
    params:
        spec=build_teacher_job.spec,
    message:
        "teacher: {wildcards.family}"
    shell:
        "exec reassess job build-teacher --family {wildcards.family:q} --config {CONFIG:q} > {log:q} 2>&1"
