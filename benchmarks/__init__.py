"""What the README claims, measured beside its yardsticks: `python -m benchmarks [NAME ...]` or `make bench`.

Each figure of ours stands beside a yardstick that ran in the same minute on the same machine, the two taking turns;
what counts is the ratio of their medians, never a time alone. No test rests on a time: `tests/speed` counts opened
files, requests and imports instead.
"""
