# Figures, from the bundle and nothing else.

draw_figure_job = JobRule(jobs.DrawFigure(GRID), AGAIN, bundle=BUNDLE, out=FIGURES)


rule draw_figure:
    input:
        draw_figure_job.input,
    output:
        report(
            draw_figure_job.files[0],
            caption="../report/figure.rst",
            category="Figures",
        ),
        *draw_figure_job.files[1:],
    log:
        draw_figure_job.log,
    benchmark:
        draw_figure_job.benchmark
    threads: 1
    resources:
        mem_mb=draw_figure_job.memory,
        runtime=draw_figure_job.runtime,
    params:
        caption=lambda w: caption(w.figure),
        bundle=str(BUNDLE),
        record=draw_figure_job.record,
        out=subpath(output[0], parent=True),
    message:
        "figure: {wildcards.figure}"
    shell:
        "exec reassess job draw-figure --bundle {params.bundle:q} --out {params.out:q}"
        " --figure {wildcards.figure:q} --record {params.record:q} > {log:q} 2>&1"
