"""The verbs ``edgevision train``: options in, one training carried out."""
