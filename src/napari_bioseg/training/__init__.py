"""Training: recipes, pairs, augmentation and the loop."""
