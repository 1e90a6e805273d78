"""What only the page Train draws."""
