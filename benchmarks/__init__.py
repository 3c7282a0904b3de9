"""What the README claims, measured beside its yardsticks: `python -m benchmarks [NAME ...]` or `make bench`.

A figure of ours stands beside a yardstick that was measured in the same run on the same machine, and what counts is
their ratio. A figure that is marked *recorded* is of another machine and day: it has none. Goals in milliseconds or MB
are for two idle cores. No test measures speed: `tests/speed` counts opened files, requests and imports.
"""
