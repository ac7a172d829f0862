"""The job side of Labelplane: everything that opens data. Importing this package loads no numerics."""
