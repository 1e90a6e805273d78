"""Ternary Lab's engine: quantize, distil, pack and score. It never imports Streamlit.

The rooms, from the ground up (a room imports only from rooms above it in this list):
errors, records, experiment, results, events, places, quantizers, tasks, models, packed,
training, analysis, runs, api, and the command line in `__main__`.
"""
