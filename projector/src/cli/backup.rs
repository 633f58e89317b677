//! Backs the database up to a folder or an object store, and restores it. `pg_dump` and `pg_restore` do the work; the check
//! afterwards is in `check`.

use std::io::ErrorKind;
use std::num::NonZeroU8;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use percent_encoding::percent_decode_str;
use reqwest::Url;
use sqlx::Connection;
use tidemark_platform::Config;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use super::Error;
use super::check::show;
use super::place::{Place, Store};
use super::postgres::{OWNER_URL, owner, owner_connection, owner_url};

/// The dump in a backup: a folder in a folder, or one object in an object store.
const DUMP: &str = "dump";
/// What the operator has to do after a restore.
const NEXT: &str = "Start no process before the log has a new timeline and erased persons are erased again: \
                    \"Restoring from a backup\" in docs/operating.md says how.";

#[derive(Debug, clap::Args)]
pub(super) struct BackUp {
    /// The folder of the backup
    #[arg(required_unless_present = "to")]
    folder: Option<PathBuf>,
    /// The place of the backup in an object store
    #[arg(long, value_name = "s3://BUCKET/PREFIX", conflicts_with = "folder")]
    to: Option<PathBuf>,
    /// How many tables are copied at the same time, to a folder
    #[arg(long, default_value_t = NonZeroU8::MIN)]
    jobs: NonZeroU8,
}

#[derive(Debug, clap::Args)]
pub(super) struct Restore {
    /// The folder of the backup
    #[arg(required_unless_present = "from")]
    folder: Option<PathBuf>,
    /// The place of the backup in an object store
    #[arg(long, value_name = "s3://BUCKET/PREFIX", conflicts_with = "folder")]
    from: Option<PathBuf>,
    /// How many tables are copied at the same time, from a folder
    #[arg(long, default_value_t = NonZeroU8::MIN)]
    jobs: NonZeroU8,
}

/// Dumps the database while it is in use, and then checks its log and stores the fingerprints of all events.
pub(super) async fn back_up(config: &Config, arguments: BackUp) -> Result<ExitCode, Error> {
    let place = arguments.to.or(arguments.folder).unwrap_or_default();
    let place = Place::named(&place, config)?;
    let mut pg_dump = program("pg_dump", config, &place, arguments.jobs)?;
    let fingerprints = place.begin().await?;
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
    pg_dump.arg(format!("--snapshot={}", taken.id));
    match &place {
        Place::Folder(folder) => {
            pg_dump.arg("--file").arg(folder.join(DUMP));
            ended(&mut spawn(&mut pg_dump)?, "pg_dump").await?;
        }
        Place::Store(store) => send(pg_dump, store).await?,
    }
    snapshot.rollback().await?;
    let up_to = Some(taken.position);
    let (code, fingerprints) = show(&owner(config).await?, up_to, fingerprints).await?;
    if let Some(fingerprints) = fingerprints {
        place.complete(fingerprints).await?;
    }
    Ok(code)
}

/// Restores a backup into an empty database, and checks that it holds the same events.
pub(super) async fn restore(config: &Config, arguments: Restore) -> Result<ExitCode, Error> {
    let place = arguments.from.or(arguments.folder).unwrap_or_default();
    let place = Place::named(&place, config)?;
    let mut pg_restore = program("pg_restore", config, &place, arguments.jobs)?;
    pg_restore.arg("--exit-on-error");
    let pool = owner(config).await?;
    let fingerprints = place.fingerprints().await?;
    let is_empty = sqlx::query_scalar!(
        r#"select not exists (select from pg_tables where schemaname = 'public') as "is_empty!""#
    );
    if !is_empty.fetch_one(&pool).await? {
        return Err(Error::NotEmpty);
    }
    match &place {
        Place::Folder(folder) => {
            pg_restore.arg(folder.join(DUMP));
            ended(&mut spawn(&mut pg_restore)?, "pg_restore").await?;
        }
        Place::Store(store) => receive(pg_restore, store).await?,
    }
    sqlx::raw_sql("analyze").execute(&pool).await?;
    let (code, fingerprints) = show(&pool, None, fingerprints).await?;
    if fingerprints.is_some() {
        eprintln!("{NEXT}");
    }
    Ok(code)
}

/// Sends what `pg_dump` writes to an object store. There is no object before all of it is there.
async fn send(mut pg_dump: Command, store: &Store) -> Result<(), Error> {
    let mut pg_dump = spawn(pg_dump.stdout(Stdio::piped()))?;
    let mut object = store.writer(DUMP);
    let sent = match &mut pg_dump.stdout {
        Some(dump) => tokio::io::copy(dump, &mut object).await,
        None => Err(ErrorKind::BrokenPipe.into()),
    };
    let sent = match sent {
        Ok(_) => ended(&mut pg_dump, "pg_dump").await,
        Err(error) => Err(Error::backup(&store.name_of(DUMP), &error)),
    };
    if sent.is_err() {
        // What is wrong was said. A store that is away keeps the parts that it has until its rules delete them.
        let _ = object.abort().await;
        return sent;
    }
    let complete = object.shutdown().await;
    complete.map_err(|error| Error::backup(&store.name_of(DUMP), &error))
}

/// Has `pg_restore` read the dump in an object store.
async fn receive(mut pg_restore: Command, store: &Store) -> Result<(), Error> {
    let failed = |error| Error::backup(&store.name_of(DUMP), &error);
    let mut dump = store.reader(DUMP).await.map_err(failed)?;
    let mut pg_restore = spawn(pg_restore.stdin(Stdio::piped()))?;
    let received = match pg_restore.stdin.take() {
        Some(mut stdin) => tokio::io::copy_buf(&mut dump, &mut stdin).await,
        None => Err(ErrorKind::BrokenPipe.into()),
    };
    match received {
        // If `pg_restore` reads no more, its exit code tells why.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(failed(error)),
        _ => ended(&mut pg_restore, "pg_restore").await,
    }
}

/// A program of Postgres that reads or writes a dump. Its password is not among its arguments, which every user of
/// the machine can read.
fn program(name: &str, config: &Config, place: &Place, jobs: NonZeroU8) -> Result<Command, Error> {
    let format = match place {
        Place::Folder(_) => "directory",
        Place::Store(_) if jobs > NonZeroU8::MIN => return Err(Error::OneStream),
        Place::Store(_) => "custom",
    };
    let mut url = Url::parse(owner_url(config)?).map_err(|_| Error::NoUrl(OWNER_URL))?;
    let mut command = Command::new(name);
    if let Some(password) = url.password().map(str::to_owned) {
        url.set_password(None)
            .map_err(|()| Error::NoUrl(OWNER_URL))?;
        let password = percent_decode_str(&password).decode_utf8_lossy();
        command.env("PGPASSWORD", password.as_ref());
    }
    command
        .args(["--no-password", "--dbname", url.as_str()])
        .arg(format!("--format={format}"))
        .arg(format!("--jobs={jobs}"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Ok(command)
}

/// Starts `pg_dump` or `pg_restore`.
fn spawn(command: &mut Command) -> Result<Child, Error> {
    command.spawn().map_err(|error| {
        let name = command.as_std().get_program().to_string_lossy();
        Error::Program(format!("{name} cannot be run: {error}"))
    })
}

/// Waits for the end of a program, which says itself what is wrong.
async fn ended(program: &mut Child, name: &str) -> Result<(), Error> {
    match program.wait().await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::Program(format!("{name} failed ({status})"))),
        Err(error) => Err(Error::Program(format!("{name} is lost: {error}"))),
    }
}
