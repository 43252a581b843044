# From cells to the bundle, and from the bundle to tables and claims.

collect_job = JobRule(jobs.Collect(GRID), AGAIN, partial=PARTIAL)
tabulate_job = JobRule(jobs.Tabulate(GRID), AGAIN, bundle=BUNDLE, out=TABLES)
test_claims_job = JobRule(
    jobs.TestClaims(GRID), AGAIN, bundle=BUNDLE, out=GRID.paths.claims
)

if BUNDLE == GRID.paths.bundle:

    rule collect:
        input:
            collect_job.input,
        output:
            *collect_job.files,
        log:
            collect_job.log,
        benchmark:
            collect_job.benchmark
        threads: 1
        resources:
            mem_mb=collect_job.memory,
            runtime=collect_job.runtime,
        params:
            partial=["--partial"] if PARTIAL else [],
        message:
            "bundle: gathering {input}"
        shell:
            "exec reassess job collect {params.partial:q} --config {CONFIG:q} > {log:q} 2>&1"


rule tabulate:
    input:
        tabulate_job.input,
    output:
        report(
            [path for path in tabulate_job.files if path.endswith(".html")],
            caption="../report/tables.rst",
            category="Tables",
        ),
        [path for path in tabulate_job.files if not path.endswith(".html")],
    log:
        tabulate_job.log,
    benchmark:
        tabulate_job.benchmark
    threads: 1
    resources:
        mem_mb=tabulate_job.memory,
        runtime=tabulate_job.runtime,
    params:
        bundle=str(BUNDLE),
        record=tabulate_job.record,
        out=subpath(output[0], parent=True),
    message:
        "tables"
    shell:
        "exec reassess job tabulate --bundle {params.bundle:q} --out {params.out:q}"
        " --record {params.record:q} > {log:q} 2>&1"


rule test_claims:
    input:
        test_claims_job.input,
    output:
        claims=test_claims_job.files[0],
        page=report(
            test_claims_job.files[1],
            caption="../report/claims.rst",
            category="Claims",
        ),
    log:
        test_claims_job.log,
    benchmark:
        test_claims_job.benchmark
    threads: 1
    resources:
        mem_mb=test_claims_job.memory,
        runtime=test_claims_job.runtime,
    params:
        bundle=str(BUNDLE),
        record=test_claims_job.record,
    message:
        "claims"
    shell:
        "exec reassess job test-claims --bundle {params.bundle:q} --out {output.claims:q}"
        " --record {params.record:q} > {log:q} 2>&1"
