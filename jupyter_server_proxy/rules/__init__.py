"""Pure decisions: no input or output, no event loop, no tornado. Everything here is a function of its arguments."""
