"""Serving, measured against what people would pick instead: one run, interleaved rounds, the same models and sessions.

`python -m benchmarks.serving` measures and writes `docs/performance.md`; `python -m benchmarks.serving.path` times the
stages of one request inside Tandem.
"""
