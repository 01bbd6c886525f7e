"""Video files, animations, folders of frames and cameras through any task that takes pictures, frame by frame."""
