"""Commands of the command line that are more than one call: each file adds its own."""
