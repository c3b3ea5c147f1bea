"""Technical indicators: arrays in, arrays out, computed by numba kernels; see ``catalog``."""
