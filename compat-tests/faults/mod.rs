//! Faults at exact places, and what must have become of every job afterwards. In this process or in one of its own, the
//! worker is the real one and so is the Redis.

mod cuts;
