"""Training: the losses, the evaluation, and two generators of events (student and teacher)."""
