"""Votes of earlier runs, kept beside the output and taken again where what they depend on is the same.

    piece of the data (a row group, or a whole dataset) + contract + build  -> unit        (`keys`)
    labeling function + lookup table or code                               -> column      (`keys`)
    unit x column = votes before fallbacks are masked; without an error                   (`votes_file`)

A vote depends on its row and its function alone, so what is kept of a unit is what a run would find again. Everything after the votes is done anew in every
run: counts, labels, the order of rows, digests. So a run that takes votes again ends with the rows and figures of one that does not.
"""
