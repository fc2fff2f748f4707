//! What fuzz/ reaches of private modules: the properties that their own tests hold them to.
//!
//! Compiled for the fuzz targets alone (`cfg(fuzzing)`), so never a part of the library's interface.

pub use crate::config::fuzzing as var_export;
pub use crate::handler::php::fuzzing as frame;
