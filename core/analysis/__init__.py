"""Looking into models: weights, their importance, and which matrix hurts. Nothing draws."""
