"""What a person changed in labels and boxes: steps, their journal, what is verified, the project on disk."""
