# Public repositories at their pinned commits, or their stand-ins. The only rule that needs a network, so it runs on the submitting machine.


localrules:
    fetch,


rule fetch:
    output:
        f"{S}/fetched/{{kind}}/{{org}}--{{name}}.json",
    log:
        f"{S}/logs/fetch/{{kind}}/{{org}}--{{name}}.log",
    benchmark:
        f"{S}/benchmarks/fetch/{{kind}}/{{org}}--{{name}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt * 2000,
        runtime=lambda w, attempt: attempt * 240,
    params:
        spec=lambda w: GRID.world.revision(w.kind, f"{w.org}/{w.name}"),
        config=CONFIG,
    message:
        "fetch: {wildcards.kind} {wildcards.org}/{wildcards.name}"
    shell:
        "reassess fetch --repo {wildcards.kind}/{wildcards.org}/{wildcards.name} --config {params.config} > {log} 2>&1"
