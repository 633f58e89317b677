//! Backs the database up to a folder, and restores it. `pg_dump` and `pg_restore` do the work; the check
//! afterwards is in `check`.

use std::num::NonZeroU8;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use percent_encoding::percent_decode_str;
use reqwest::Url;
use sqlx::Connection;
use tidemark_platform::Config;
use tokio::process::Command;

use super::Error;
use super::check::show;
use super::postgres::{OWNER_URL, owner, owner_connection, owner_url};
use crate::checking::fingerprints::Fingerprints;

/// The folder of the dump in the folder of a backup.
const DUMP: &str = "dump";
/// What the operator has to do after a restore.
const NEXT: &str = "Start no process before the log has a new timeline and erased persons are erased again: \
                    \"Restoring from a backup\" in docs/operating.md says how.";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The folder of the backup
    folder: PathBuf,
    /// How many tables are copied at the same time
    #[arg(long, default_value_t = NonZeroU8::MIN)]
    jobs: NonZeroU8,
}

/// Dumps the database while it is in use, and then checks its log and stores the fingerprints of all events.
pub(super) async fn back_up(config: &Config, arguments: Arguments) -> Result<ExitCode, Error> {
    let folder = &arguments.folder;
    std::fs::create_dir_all(folder).map_err(Error::Folder)?;
    if std::fs::read_dir(folder)
        .map_err(Error::Folder)?
        .next()
        .is_some()
    {
        return Err(Error::FolderInUse);
    }
    let fingerprints = Fingerprints::create(folder).map_err(Error::Folder)?;
    // The dump shows the database at the moment of this snapshot, so it ends with the same event.
    let mut connection = owner_connection(config).await?;
    let snapshot = "begin transaction isolation level repeatable read, read only";
    let mut snapshot = connection.begin_with(snapshot).await?;
    let taken = sqlx::query!(
        r#"
        select pg_export_snapshot() as "id!",
               position
          from log_head
        "#
    );
    let taken = taken.fetch_one(&mut *snapshot).await?;
    let mut pg_dump = program("pg_dump", config, arguments.jobs)?;
    pg_dump
        .arg(format!("--snapshot={}", taken.id))
        .arg("--file")
        .arg(folder.join(DUMP));
    run(pg_dump).await?;
    snapshot.rollback().await?;
    let up_to = Some(taken.position);
    let (code, fingerprints) = show(&owner(config).await?, up_to, fingerprints).await?;
    if let Some(fingerprints) = fingerprints {
        fingerprints.finish().map_err(Error::Folder)?;
    }
    Ok(code)
}

/// Restores a backup into an empty database, and checks that it holds the same events.
pub(super) async fn restore(config: &Config, arguments: Arguments) -> Result<ExitCode, Error> {
    let pool = owner(config).await?;
    let fingerprints = Fingerprints::open(&arguments.folder).map_err(Error::NoBackup)?;
    let is_empty = sqlx::query_scalar!(
        r#"select not exists (select from pg_tables where schemaname = 'public') as "is_empty!""#
    );
    if !is_empty.fetch_one(&pool).await? {
        return Err(Error::NotEmpty);
    }
    let mut pg_restore = program("pg_restore", config, arguments.jobs)?;
    pg_restore
        .arg("--exit-on-error")
        .arg(arguments.folder.join(DUMP));
    run(pg_restore).await?;
    sqlx::raw_sql("analyze").execute(&pool).await?;
    let (code, fingerprints) = show(&pool, None, fingerprints).await?;
    if fingerprints.is_some() {
        eprintln!("{NEXT}");
    }
    Ok(code)
}

/// A program of Postgres that reads or writes a dump. Its password is not among its arguments, which every user of
/// the machine can read.
fn program(name: &str, config: &Config, jobs: NonZeroU8) -> Result<Command, Error> {
    let mut url = Url::parse(owner_url(config)?).map_err(|_| Error::NoUrl(OWNER_URL))?;
    let mut command = Command::new(name);
    if let Some(password) = url.password().map(str::to_owned) {
        url.set_password(None)
            .map_err(|()| Error::NoUrl(OWNER_URL))?;
        let password = percent_decode_str(&password).decode_utf8_lossy();
        command.env("PGPASSWORD", password.as_ref());
    }
    command
        .args([
            "--no-password",
            "--format=directory",
            "--dbname",
            url.as_str(),
        ])
        .arg(format!("--jobs={jobs}"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

/// Waits for the end of a program, which says itself what is wrong.
async fn run(mut command: Command) -> Result<(), Error> {
    let name = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    match command.status().await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::Program(format!("{name} failed ({status})"))),
        Err(error) => Err(Error::Program(format!("{name} cannot be run: {error}"))),
    }
}
