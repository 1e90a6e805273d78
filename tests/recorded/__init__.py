"""What the code computed before the seam was built: losses, run ids and answers, to the last bit.

`python -m tests.recorded.compute` prints the record of today's code; `record.json` holds the one
of the day on which it was made. `tests/core/test_recorded.py` compares them.
"""
