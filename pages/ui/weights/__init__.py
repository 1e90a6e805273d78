"""What only the page Weights draws."""
