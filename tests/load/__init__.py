"""A class on one server: thirty sessions doing the lesson, timed, and the server's memory.

visitor.py   one session: the websocket that a browser has, without the browser
lesson.py    what a student does on each page
machine.py   what a server takes of the memory
__main__.py  `python -m tests.load`: run it, print the figures, fail when a goal is missed
"""
