"""Tasks: what is learned, from which text. One family a file; start reading at `task`."""
