"""A class: who is in it, and what they answered. Kept in one SQLite file.

`database` opens the file, `classes` has the lecturer's acts, `students` lets people in, `answers`
takes what they say, `report` writes it out.
"""
