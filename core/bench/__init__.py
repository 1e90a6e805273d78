"""Measurements that anyone can repeat: `python -m core bench quantize`, `bench train`.

Times are only compared within one run, alternating; each prints the machine it ran on.
"""
