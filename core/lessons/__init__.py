"""Lessons: predict, run, explain. Text files that a lecturer edits without Python, what they reveal
(computed now, or replayed from runs that ship), and what a person answered."""
