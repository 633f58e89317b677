//! The command line: runs a projector, and does what operators ask for.

mod actions;
mod arguments;
mod backup;
mod bounce;
mod check;
mod command_api;
mod completions;
mod create_admin;
mod error;
mod generations;
mod parked;
mod place;
mod postgres;
mod rebuild;
mod rebuild_row;
mod relay;
mod run;
mod status;
mod timeline;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use tidemark_events::operations::rebuild::Order;
use tidemark_platform::Config;
use tidemark_platform::config::FeedChoice;

pub(crate) use self::error::Error;
use crate::error::with_causes;
use crate::roles::Role;

/// The name of the program.
const NAME: &str = "tidemark-projector";

/// Keeps Tidemark's read models, answers events through reactors, and is the operators' tool.
///
/// Every setting comes from the environment as `TIDEMARK_<SECTION>__<KEY>`, or from the TOML file
/// that `TIDEMARK_CONFIG` names.
///
/// The exit code is 0 after success, 1 after a failure, and 2 if the arguments are wrong or what was looked at needs
/// help; `rebuild` and `bounce` have others, which their help names. An error is printed to standard error.
#[derive(Debug, Parser)]
#[command(name = NAME, version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Follow the log until stopped by SIGTERM or SIGINT
    ///
    /// Any number of projectors share the read models and reactors. If one is killed, the others have its work
    /// within seconds. Needs `TIDEMARK_DATABASE__PROJECT_URL`, and `TIDEMARK_SERVICE_TOKEN`
    /// for the commands that reactors send to the command API.
    #[command(after_help = "Example: tidemark-projector run --roles projections,reactors")]
    Run {
        /// Where events are read from, in place of `projection.feed`
        #[arg(long, value_enum)]
        feed: Option<Feed>,
        /// Which parts run, joined by commas
        #[arg(long, value_enum, value_delimiter = ',', num_args = 1, default_values_t = Role::ALL)]
        roles: Vec<Role>,
    },
    /// Migrate the database to the schema of this build
    ///
    /// Needs `TIDEMARK_DATABASE__OWNER_URL`. A second run changes nothing.
    #[command(after_help = "Example: tidemark-projector migrate")]
    Migrate,
    /// Back the database up to a folder or an object store while it is in use
    ///
    /// Runs `pg_dump`, which must be as new as the server. Then the log is checked, as `check` does, and a fingerprint
    /// of each event is stored. The exit code is 2 if the database is not whole; then the backup is not complete.
    /// Needs `TIDEMARK_DATABASE__OWNER_URL`, and for an object store the settings of the section `object_store`.
    #[command(
        after_help = "Example: tidemark-projector backup --to s3://backups/tidemark/2026-11-26"
    )]
    Backup(backup::BackUp),
    /// Restore a backup into an empty database, and check it
    ///
    /// Runs `pg_restore`, and then checks the log and compares each event with the backup. The exit code is 2 if the
    /// database is not whole. Needs the same settings as `backup`.
    #[command(
        after_help = "Example: tidemark-projector restore --from s3://backups/tidemark/2026-11-26"
    )]
    Restore(backup::Restore),
    /// Check that the log of a database is whole and that nothing is ahead of it
    ///
    /// Positions and the versions of each stream have no gaps, the head is the last event, and checkpoints and
    /// snapshots are of events that the log holds. The exit code is 2 if that is not so; the first position at fault
    /// is printed. It changes nothing, and other processes may run. Needs `TIDEMARK_DATABASE__OWNER_URL`.
    #[command(after_help = "Example: tidemark-projector check --backup /backups/2026-11-26")]
    Check(check::Check),
    /// Show how far read models, reactors and the relay are behind the log
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`. The exit code is 2 if anything is blocked or parked, an event could not be answered,
    /// the relay has stopped with an alarm, or the log was set back.
    #[command(after_help = "Example: tidemark-projector status --watch")]
    Status(status::Output),
    /// Create the first administrator, through the command API
    ///
    /// Needs `TIDEMARK_BOOTSTRAP_SECRET`, and `TIDEMARK_SERVICE_TOKEN` of a service that may
    /// `create_first_admin`. If there is an administrator already, nothing changes and the exit code is
    /// 0.
    #[command(
        after_help = "Example: tidemark-projector create-admin --email ada@example.com --password-file password"
    )]
    CreateAdmin(create_admin::Admin),
    /// Put on record that a mail could not be delivered, or was complained of, as a report says that is read from standard input
    ///
    /// A mail server runs it for what comes to `mail.return_path`. Needs `TIDEMARK_SERVICE_TOKEN` of a service that may
    /// `record_bounce` and `record_complaint`. What is no such report is dropped, with the exit code 0. After any failure the exit code is 75, by which a mail
    /// server tries again.
    #[command(
        after_help = "Example: tidemark-projector bounce -- 'bounces+0193…@tidemark.example' < report"
    )]
    Bounce {
        /// The address to which the report came
        address: OsString,
    },
    /// List the actions of reactors that were given up, try one of them again, or drop one
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`.
    #[command(subcommand)]
    Actions(actions::Command),
    /// List the rows to which an event could not be applied, or have one tried again
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`.
    #[command(subcommand)]
    Parked(parked::Command),
    /// List the timelines of the log, or have it go on under a new one
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`.
    #[command(subcommand)]
    Timeline(timeline::Command),
    /// Show why the relay has stopped, or tell it how to go on
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`.
    #[command(subcommand)]
    Relay(relay::Command),
    /// Build a read model anew, beside the generation that serves, and let the new one serve
    ///
    /// The running projectors build it from the beginning of the log, also when this command is stopped.
    /// Where the fold has not changed, all rows are compared before the new generation serves. The one before is
    /// kept for a rollback.
    ///
    /// The exit code is 3 if the new generation does not serve because its rows are different, 4 if it does not because
    /// some rows could not be compared, and 5 if a row that `--row` or `--stream` names cannot be made.
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`, `TIDEMARK_COMMAND_API__URL`, and `TIDEMARK_SERVICE_TOKEN` of a service that
    /// may `order_rebuild`.
    #[command(
        after_help = "Example: tidemark-projector rebuild auction --reason 'search was mended'"
    )]
    Rebuild(rebuild::Rebuild),
    /// Pause the build of a generation
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`, `TIDEMARK_COMMAND_API__URL`, and `TIDEMARK_SERVICE_TOKEN` of a service that
    /// may `order_rebuild`.
    #[command(after_help = "Example: tidemark-projector pause auction --reason 'it is busy'")]
    Pause(generations::Generations),
    /// Go on with the build of a generation that was paused
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`, `TIDEMARK_COMMAND_API__URL`, and `TIDEMARK_SERVICE_TOKEN` of a service that
    /// may `order_rebuild`.
    #[command(after_help = "Example: tidemark-projector resume auction --reason 'it is quiet'")]
    Resume(generations::Generations),
    /// Give up the build of a generation; a projector deletes what was built
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`, `TIDEMARK_COMMAND_API__URL`, and `TIDEMARK_SERVICE_TOKEN` of a service that
    /// may `order_rebuild`.
    #[command(
        after_help = "Example: tidemark-projector cancel auction --reason 'the fold is wrong'"
    )]
    Cancel(generations::Generations),
    /// Let the generation that served before serve again
    ///
    /// Of several that are kept, it is the one that served last. It must be at the end of the log, which it is as long as a
    /// projector runs that has its fold.
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`, `TIDEMARK_COMMAND_API__URL`, and `TIDEMARK_SERVICE_TOKEN` of a service that
    /// may `order_rebuild`.
    #[command(
        after_help = "Example: tidemark-projector rollback auction --reason 'the new rows are wrong'"
    )]
    Rollback(generations::Generations),
    /// Drop a generation that is kept, before its time; a projector deletes its rows
    ///
    /// `rollback` cannot let it serve any more. A generation that serves cannot be dropped.
    ///
    /// Needs `TIDEMARK_DATABASE__PROJECT_URL`, `TIDEMARK_COMMAND_API__URL`, and `TIDEMARK_SERVICE_TOKEN` of a service that
    /// may `order_rebuild`.
    #[command(
        after_help = "Example: tidemark-projector drop auction --generation 3 --reason 'the disk is full'"
    )]
    Drop(generations::Drop),
    /// Print a script by which a shell completes the arguments of this tool
    #[command(
        after_help = "Example: tidemark-projector completions bash > /etc/bash_completion.d/tidemark-projector"
    )]
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Feed {
    /// Kafka, or the table of the log if no broker is configured
    Kafka,
    /// The table of the log
    Log,
}

impl From<Feed> for FeedChoice {
    fn from(feed: Feed) -> Self {
        match feed {
            Feed::Kafka => Self::Kafka,
            Feed::Log => Self::Log,
        }
    }
}

impl Cli {
    /// Executes the command. An error is printed to standard error.
    pub async fn execute(self) -> ExitCode {
        let is_bounce = matches!(self.command, Command::Bounce { .. });
        // What a whole projector runs on makes it large.
        match Box::pin(self.command.execute()).await {
            Ok(code) => code,
            Err(error) => {
                eprintln!("tidemark-projector: {}", with_causes(&error));
                ExitCode::from(if is_bounce {
                    bounce::EXIT_LATER
                } else {
                    error.exit_code()
                })
            }
        }
    }
}

impl Command {
    async fn execute(self) -> Result<ExitCode, Error> {
        let mut config = Config::load()?;
        match self {
            Self::Completions { shell } => {
                // A failure is ignored, as `print` does.
                let _ = std::io::stdout().write_all(&completions::script(shell));
                Ok(ExitCode::SUCCESS)
            }
            Self::Run { feed, roles } => {
                if let Some(feed) = feed {
                    config.projection.feed = feed.into();
                }
                run::run(config, &roles).await
            }
            Self::Migrate => run::migrate(&config).await,
            Self::Status(output) => status::status(&config, output).await,
            Self::Backup(arguments) => backup::back_up(&config, arguments).await,
            Self::Restore(arguments) => backup::restore(&config, arguments).await,
            Self::Check(arguments) => check::execute(&config, arguments).await,
            Self::Rebuild(arguments) => match arguments.rows() {
                Some(rows) => rebuild_row::rebuild_rows(&config, &arguments, rows).await,
                None => rebuild::rebuild(&config, arguments).await,
            },
            Self::Pause(of) => generations::change_build(&config, Order::Pause, &of).await,
            Self::Resume(of) => generations::change_build(&config, Order::Resume, &of).await,
            Self::Cancel(of) => generations::change_build(&config, Order::Cancel, &of).await,
            Self::Rollback(of) => generations::roll_back(&config, &of).await,
            Self::Drop(of) => generations::drop(&config, &of).await,
            Self::Bounce { address } => bounce::bounce(&config, &address.to_string_lossy()).await,
            Self::Actions(command) => actions::execute(&config, command).await,
            Self::Timeline(command) => timeline::execute(&config, command).await,
            Self::Relay(command) => relay::execute(&config, command).await,
            Self::Parked(command) => parked::execute(&config, command).await,
            Self::CreateAdmin(admin) => create_admin::create_admin(&config, admin).await,
        }
    }
}

/// Prints to standard output. A failure is ignored: the reader of a pipe may have closed it.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints the lines of a list. If there are none, it says so to standard error, where no program takes it for a line.
fn print_lines(lines: impl Iterator<Item = String>, none: &str) {
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        eprintln!("{none}");
    } else {
        print(&lines.join("\n"));
    }
}

/// Prints to a terminal in place of what it shows.
fn print_again(text: &str) {
    print(&format!("\x1b[2J\x1b[H{text}"));
}

#[cfg(test)]
mod tests;
