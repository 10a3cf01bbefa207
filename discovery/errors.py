class UserError(Exception):
    """A user's mistake: scripts print its one line (what, where, what to do) and exit with code 1."""

    # Keras appends a layer's call arguments, many lines, to exceptions that do not say this was done already.
    _keras_call_info_injected = True
