"""Every speed that Usher claims, as a command: ``make bench``."""
