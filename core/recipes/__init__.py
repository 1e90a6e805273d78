"""The three recipes of an experiment: how to quantize, what to distil, how to train.

Every field is an option (see `core.option_fields`): its label, its help and the values that it may
have stand with it and nowhere else. The defaults are the paper's.
"""
