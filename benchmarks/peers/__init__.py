"""Other libraries under the same load as ours: ``python -m benchmarks.peers``."""
