"""What keeps the house: installing, the address, the published curves, the data, timings, the tests."""
