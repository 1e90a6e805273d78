"""What only the page Data draws."""
