"""What a task's metadata have to say of a network, found out from the network itself: a module for each room."""
