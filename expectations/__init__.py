"""Great Expectations suites derived from the specifications, and the gate they guard."""
