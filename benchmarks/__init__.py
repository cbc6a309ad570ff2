"""Benchmarks: what the library costs, as ratios against floors measured in the same run.

``python -m benchmarks`` from the repository's root; ``README.md`` says how to read the table.
"""
