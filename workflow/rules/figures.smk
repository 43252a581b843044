# Figures, from the bundle and nothing else.


rule draw_figure:
    input:
        BUNDLE_FILES,
    output:
        report(
            f"{R}/figures/{{figure}}.svg",
            caption="../report/figure.rst",
            category="Figures",
        ),
        f"{R}/figures/{{figure}}.pdf",
        f"{R}/figures/{{figure}}.png",
    log:
        f"{S}/logs/draw_figure/{{figure}}.log",
    benchmark:
        f"{S}/benchmarks/draw_figure/{{figure}}.tsv"
    threads: 1
    resources:
        mem_mb=lambda w, attempt: attempt * demand.drawing(GRID).memory,
        runtime=lambda w, attempt: attempt * demand.drawing(GRID).minutes,
    params:
        caption=lambda w: caption(w.figure),
        bundle=subpath(input[0], parent=True),
        out=subpath(output[0], parent=True),
    message:
        "figure: {wildcards.figure}"
    shell:
        "reassess draw-figures --bundle {params.bundle} --out {params.out} --figure {wildcards.figure} > {log} 2>&1"
