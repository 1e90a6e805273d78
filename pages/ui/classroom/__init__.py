"""A class: joining it, what it answers, and the lecturer's views of it."""
