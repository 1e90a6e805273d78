"""Ternary Lab's engine: quantize, distil, pack and score. It never imports Streamlit.

The rooms, from the ground up (a room imports only from rooms above it in this list):
errors, modules, settings, version, serialization, option_fields, recipes, experiment, options,
results, events, machine, paths, hub, teacher_folders, family, metrics, targets, quantizers,
tables, search, tasks, models, families, teachers, packed, training, calibrate, export, analysis,
plan, runs, sheets, classroom, api, lessons, bench, lines, doctor, commands, and the command line in
`__main__`.

What knows an architecture stands in core/families/<name>, core/packed/graphs/<name>.py (its ONNX
graph) and core/export/snippets/<name>.py (the program that an export takes along), and nowhere
else; each is found by the name that teachers, experiments and packed files carry.
"""
