//! The compatibility tests: everything that crosses a process, against a real redis-server and a real Laravel.
//! Never part of the library; pure code is tested in its own file.

#![allow(unreachable_pub, reason = "the modules of a test target are read by each other alone")]

mod config;
mod conformance;
mod differential;
mod docker;
mod doctor;
mod failed_stores;
mod faults;
mod golden;
mod http;
mod hyperf;
mod php_itself;
mod pool;
mod producer;
mod promises;
mod recorded;
mod several;
mod support;
mod think;
