"""NumPy kernels: arrays in, frozen dataclasses out. They know no table and no file."""
