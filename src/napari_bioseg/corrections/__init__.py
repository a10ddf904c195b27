"""What a person changed in labels and boxes: single steps, the journal of them, what is verified, the project on disk."""
