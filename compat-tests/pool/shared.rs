//! The pool and stock PHP workers at one queue's work: chains and batches that both carry on.
//! Never a fault: those are in `faults.rs`.
