"""Front-ends: how clients reach the broker. No policy."""
