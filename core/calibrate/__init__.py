"""Rungs without training: better codes for the same scales, from a few texts and no gradient of a
loss. Rounding each weight to its nearest level asks about the weight alone; here is asked what a
matrix *does* to what it reads."""
