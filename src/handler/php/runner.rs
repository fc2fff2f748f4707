//! The scripts that make a PHP process a child of the pool, one for each framework. Never runs one.
//!
//! Counterpart in PHP: the file in an app's directory that starts `queue:work`.

use std::fmt;

/// How the app of one framework is started as a child: a script that is given to PHP.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Runner {
    framework: &'static str,
    pub(super) script: &'static str,
}

/// A runner's script, behind what all of them begin with.
macro_rules! script {
    ($name:literal) => {
        concat!(include_str!("runner/link.php"), "?>", include_str!($name))
    };
}

impl Runner {
    /// Laravel 8 and later.
    pub const LARAVEL: Runner = Runner { framework: "Laravel", script: script!("runner/laravel.php") };
    /// think-queue 3.0.5 and later, on ThinkPHP 6 and 8.
    pub const THINK: Runner = Runner { framework: "think-queue", script: script!("runner/think.php") };
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Runner").field(&self.framework).finish()
    }
}
