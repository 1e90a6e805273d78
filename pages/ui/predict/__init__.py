"""What only the page Predict draws."""
