"""Times and sizes, measured on this computer, each beside what it is compared with."""
