"""``edgevision build``: the whole way from data to a judged model, written in one file."""
