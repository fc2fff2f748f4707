//! The cache item by which a framework's `queue:restart` reaches its workers: its name, and its bytes in a file cache.
//!
//! Values only. Counterpart in PHP: `think\queue\command\Restart`, `Illuminate\Queue\Console\RestartCommand`, and each
//! framework's `file` cache driver.

/// A cache item that holds the Unix second of the last `queue:restart`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartItem {
    /// Its name, without the cache's prefix.
    pub name: &'static str,
    /// Its file below the folder of a file cache.
    pub file: &'static str,
    /// What stands before the second in that file.
    pub head: &'static str,
    /// What stands behind it.
    pub tail: &'static str,
}

/// Laravel's; its files begin with the second at which they expire.
pub(super) const LARAVEL: RestartItem = RestartItem {
    name: "illuminate:queue:restart",
    file: "ee/2f/ee2f842aa7bb1f53edf3a2ed2c09a1807ffa6c90",
    head: "9999999999i:",
    tail: ";",
};

/// ThinkPHP's from 5.1 on; 32 bytes of its files keep them from being run and say when they expire.
pub(super) const THINK: RestartItem = RestartItem {
    name: "think:queue:restart",
    file: "fe/767bdf35445c5d9d176a0c20c983f6.php",
    head: "<?php\n//000000000000\n exit();?>\n",
    tail: "",
};

/// ThinkPHP 5.0's, which serializes numbers, too.
pub(super) const THINK_5_0: RestartItem =
    RestartItem { head: "<?php\n//000000000000\n exit();?>\ni:", tail: ";", ..THINK };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_of_laravels_item_is_the_hash_of_its_name() {
        let hash = sha1_smol::Sha1::from(LARAVEL.name).digest().to_string();
        assert_eq!(LARAVEL.file, format!("{}/{}/{hash}", &hash[..2], &hash[2..4]));
    }

    #[test]
    fn the_head_of_thinkphps_files_is_32_bytes() {
        assert_eq!(THINK.head.len(), 32);
        assert_eq!(THINK_5_0.head.len(), 34);
    }
}
