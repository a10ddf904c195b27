"""What napari sees of us without Qt: layers, reader, writer, samples, regions, settings."""
