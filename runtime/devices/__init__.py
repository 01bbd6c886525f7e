"""Devices by the names users know, and the engines that run on them."""
