"""Drift: a run beside the data that its model was fitted on, by effect size, and never by chance alone (F4).

    sample     rows chosen by their id, bounded in number, the same in any order and any number of parts
    bins       what a column's values are counted in
    measures   population stability, corrected for sample size, and whether chance explains it
    reference  what a model version keeps
    comparison reference and run -> shifts
"""
