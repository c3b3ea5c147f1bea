"""From a live signal to a fill that is booked once: ports, state machine, planner, paper broker."""
