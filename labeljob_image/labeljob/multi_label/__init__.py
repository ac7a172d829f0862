"""Multi-label: a row may have any number of the classes. Each class is a question of its own, "has the row got it?", with a label model of its own.

    votes, levels --tasks--> answers of each class: 1 yes, 0 no, -1 nothing --fitting--> a label model a class --labelling--> P(has it)

The road is that of other sets: the same functions in one pass, the same statistics, the same output but for `labels` in the place of `label`.
What a vote says of each class: `tasks`. Why so: ADR 15.
"""
