//! The pool of PHP children, on the real Laravel.

mod stories;
