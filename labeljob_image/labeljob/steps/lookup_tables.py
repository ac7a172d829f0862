"""Reading the lookup tables of a set where they are; what is read is frozen into the version that is fitted."""

from labeljob.contract.function_set import FunctionSet
from labeljob.io.datasets import read_table
from labeljob.labeling_functions.lookups import LookupData, read_lookup
from labeljob.steps.context import StepContext


def read_lookups(function_set: FunctionSet, context: StepContext) -> dict[str, LookupData]:
    """The tables of all enabled lookup functions, by function name."""
    return {
        function.name: read_lookup(function, read_table(function.lookup.table, context.locations), function_set.classes)
        for function in function_set.enabled_functions
        if function.lookup is not None
    }
