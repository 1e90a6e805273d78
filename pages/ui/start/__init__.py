"""What only the page Start draws."""
