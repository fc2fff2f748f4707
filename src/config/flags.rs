//! The command line of `queue:work`: artisan's flags and ours, read into raw text.
//!
//! Never judges a value. Counterpart in PHP: `Illuminate\Queue\Console\WorkCommand`.

use clap::{Arg, ArgAction, ArgMatches, Command};

use super::low::{Low, OPTIONS};

/// The arguments of `queue:work`, to be added to any command.
pub fn arguments(command: Command) -> Command {
    let connection =
        Arg::new("connection").help("The name of the queue connection to work [default: queue.default]");
    let verbose = Arg::new("verbose").short('v').long("verbose").action(ArgAction::Count);
    let verbose = verbose.help("More of each job line; says where each setting came from");
    let no_interaction =
        Arg::new("no-interaction").short('n').long("no-interaction").action(ArgAction::SetTrue).hide(true);
    let options = OPTIONS.iter().map(|known| {
        let arg = Arg::new(known.name).long(known.name).help(known.help);
        let arg = if known.name == "quiet" { arg.short('q') } else { arg };
        match known.value {
            Some(value) if known.name == "php" => {
                let arg = arg.value_name(value).num_args(0..=1).require_equals(true);
                arg.default_missing_value("1").overrides_with(known.name)
            }
            Some(value) if known.may_repeat() => arg.value_name(value).action(ArgAction::Append),
            Some(value) => arg.value_name(value).allow_hyphen_values(true).overrides_with(known.name),
            None => arg.action(ArgAction::SetTrue).overrides_with(known.name),
        }
    });
    command.arg(connection).arg(verbose).arg(no_interaction).args(options)
}

/// What was typed.
pub fn typed(matches: &ArgMatches) -> Low {
    let mut low = Low::default();
    if let Some(connection) = matches.get_one::<String>("connection") {
        low.flag("connection", connection);
    }
    match matches.get_count("verbose") {
        0 => {}
        count => low.flag("verbose", count.to_string()),
    }
    for known in OPTIONS {
        match known.value {
            Some(_) if known.may_repeat() => {
                if let Some(routes) = matches.get_many::<String>(known.name) {
                    low.flag(known.name, routes.map(String::as_str).collect::<Vec<_>>().join("\n"));
                }
            }
            Some(_) => {
                if let Some(value) = matches.get_one::<String>(known.name) {
                    low.flag(known.name, value);
                }
            }
            None if matches.get_flag(known.name) => low.flag(known.name, "1"),
            None => {}
        }
    }
    low
}
