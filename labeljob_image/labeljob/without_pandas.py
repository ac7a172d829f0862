"""A step's start without pandas: pyarrow loads it, unasked, with the first array of Python values, and few steps use it."""

import sys
from importlib.machinery import ModuleSpec


class _Refuse:
    """Finds no pandas."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)
        return None


def start_arrow() -> None:
    """Load pyarrow and let it ask for pandas now, in vain: it asks once. A third of a second, and 40 MB, of most steps.

    `import pandas` works as ever, and so does `to_pandas`. But until that has been called pyarrow knows no pandas object: it takes a Series for a
    list, NaN and all, and no DataFrame; give it NumPy arrays. For the job's process alone: nothing is done where pandas is loaded already.
    """
    if "pandas" in sys.modules:
        return
    sys.meta_path.insert(0, _Refuse)
    try:
        import pyarrow as pa

        pa.array([0])
    finally:
        sys.meta_path.remove(_Refuse)
