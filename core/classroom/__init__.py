"""A class: who is in it, and what they answered. Kept in one SQLite file.

`database` opens the file, `administration` has the lecturer's acts, `students` lets people in,
`class_answers` takes what they say, `report` writes it out.
"""
