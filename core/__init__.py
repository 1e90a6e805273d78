"""Ternary Lab's engine: quantize, distil, pack and score. It never imports Streamlit.

The rooms, from the ground up (a room imports only from rooms above it in this list):
errors, settings, records, option_fields, recipes, experiment, options, results, events, machine,
places, hub, teacher_folders, family, metrics, targets, quantizers, tables, search, tasks, models,
families, teachers, packed, training, export, analysis, runs, api, bench, lines, doctor, commands,
and the command line in `__main__`.
"""
