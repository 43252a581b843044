# Public repositories at their pinned commits, or their stand-ins. The only rule that needs a
# network, so it runs on the submitting machine.


localrules:
    fetch,


fetch_job = JobRule(jobs.Fetch(GRID), AGAIN)


rule fetch:
    output:
        *fetch_job.files,
    log:
        fetch_job.log,
    benchmark:
        fetch_job.benchmark
    threads: 1
    resources:
        mem_mb=fetch_job.memory,
        runtime=fetch_job.runtime,
    params:
        spec=fetch_job.spec,
    message:
        "fetch: {wildcards.kind} {wildcards.org}/{wildcards.name}"
    shell:
        "exec reassess job fetch --kind {wildcards.kind:q} --org {wildcards.org:q} --name {wildcards.name:q}"
        " --config {CONFIG:q} > {log:q} 2>&1"
