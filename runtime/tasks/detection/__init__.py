"""Detection: pictures in, boxes round the things in them out."""
