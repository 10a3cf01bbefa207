class UserError(Exception):
    """A mistake of the user's: scripts print its one line (what, where, what to do) and exit with 1."""
