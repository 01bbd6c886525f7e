"""``edgevision serve``: the tasks of this package over HTTP, each with the pipeline of its verb."""
