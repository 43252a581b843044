# From cells to the bundle, and from the bundle to tables and claims.
from reassess.analysis.stored_answers import ANSWERS

if BUNDLE is None:

    rule collect:
        input:
            lambda w: wiring.collected_files(GRID, PARTIAL),
        output:
            BUNDLE_FILES,
            f"{R}/bundle/{ANSWERS}",
        log:
            f"{S}/logs/collect.log",
        benchmark:
            f"{S}/benchmarks/collect.tsv"
        threads: 1
        resources:
            mem_mb=lambda w, attempt: attempt * demand.gathering(GRID).memory,
            runtime=lambda w, attempt: attempt * demand.gathering(GRID).minutes,
        params:
            config=CONFIG,
            partial="--partial" if PARTIAL else "",
        message:
            "bundle: gathering {input}"
        shell:
            "reassess collect {params.partial} --config {params.config} > {log} 2>&1"


rule tabulate:
    input:
        BUNDLE_FILES,
    output:
        report(
            expand(f"{R}/tables/{{table}}.html", table=wiring.TABLES),
            caption="../report/tables.rst",
            category="Tables",
        ),
        expand(
            f"{R}/tables/{{table}}.{{kind}}", table=wiring.TABLES, kind=["csv", "md"]
        ),
    log:
        f"{S}/logs/tabulate.log",
    benchmark:
        f"{S}/benchmarks/tabulate.tsv"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt * demand.drawing(GRID).memory,
        runtime=lambda w, attempt: attempt * demand.drawing(GRID).minutes,
    params:
        bundle=subpath(input[0], parent=True),
        out=subpath(output[0], parent=True),
    message:
        "tables"
    shell:
        "reassess tabulate --bundle {params.bundle} --out {params.out} > {log} 2>&1"


rule test_claims:
    input:
        BUNDLE_FILES,
    output:
        claims=f"{R}/claims.json",
        page=report(
            f"{R}/claims.html", caption="../report/claims.rst", category="Claims"
        ),
    log:
        f"{S}/logs/test_claims.log",
    benchmark:
        f"{S}/benchmarks/test_claims.tsv"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt * demand.drawing(GRID).memory,
        runtime=lambda w, attempt: attempt * demand.drawing(GRID).minutes,
    params:
        bundle=subpath(input[0], parent=True),
    message:
        "claims"
    shell:
        "reassess test-claims --bundle {params.bundle} --out {output.claims} > {log} 2>&1"
