//! A deploy beneath a running pool: the symlink moves, the old release goes, `queue:restart` is run.
//! Never a crash: those are in `faults.rs`.
