"""Models as files: loading a checkpoint, keeping a teacher. Families say how each is built."""
