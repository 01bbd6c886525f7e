"""One pipeline a task: picture in, answer out."""
