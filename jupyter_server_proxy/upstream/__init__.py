"""Connect: one HTTP/1.1 exchange on one connection, and the pool that keeps connections alive."""
