"""For tests of services and sagas: a runtime whose time and chance a test decides, and faults of transports."""
