//! A real mail server that takes mails for others, and says by a mail what it could not deliver: postfix, from `apt`, with a
//! configuration of its own. It runs the operators' tool for what comes back, as `docs/messaging.md` has it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::process::path_of;
use crate::wait::eventually;
use crate::{App, KeptPort, Settings};

/// The domain that mails come back to, which no other server has.
const BOUNCES: &str = "bounces.tidemark.example";

/// What is wrong if it is not installed.
const NEEDED: &str = "postfix is needed: apt-get install postfix";

/// A mail server, which ends when it is dropped.
#[derive(Debug)]
pub struct Postfix {
    /// The port of the loopback interface at which it takes mails.
    pub port: u16,
    _kept: KeptPort,
    /// Where mails come back to.
    pub return_path: String,
    folder: TempDir,
}

impl Postfix {
    /// Starts a server that hands all mails over at this port, and what comes back to the application.
    ///
    /// # Panics
    /// If it does not start: only root may start it.
    pub async fn start(app: &App, next_port: u16) -> Self {
        let folder = TempDir::new().unwrap();
        let kept = KeptPort::any();
        let postfix = Self {
            port: kept.number,
            _kept: kept,
            return_path: format!("bounces@{BOUNCES}"),
            folder,
        };
        postfix.write(&app.settings, app.command_url(), next_port);
        postfix.order("start");
        eventually("postfix to listen", || async {
            TcpStream::connect(("127.0.0.1", postfix.port)).await.ok()
        })
        .await;
        postfix
    }

    fn write(&self, settings: &Settings, command_url: &str, next_port: u16) {
        let path = self.folder.path();
        let (port, folder) = (self.port, path.display());
        for name in ["etc", "queue", "data"] {
            fs::create_dir(path.join(name)).unwrap();
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let line = passwd.lines().find(|line| line.starts_with("postfix:"));
        let line = line.unwrap_or_else(|| panic!("{NEEDED}"));
        let user = line.split(':').nth(2).unwrap().parse().unwrap();
        chown(path.join("data"), Some(user), None).unwrap();
        // Another user runs the tool, who may not look into the folder of whoever builds it.
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        let tool = path.join("tidemark-projector");
        fs::copy(path_of("tidemark-projector"), &tool).unwrap();
        let secret = settings.service_secret("mail-server");
        let tool_settings = format!(
            "service_token = \"mail-server={secret}\"\n[command_api]\nurl = \"{command_url}\"\n"
        );
        write(&path.join("bounces.toml"), &tool_settings);
        write(
            &path.join("etc/main.cf"),
            &format!(
                "compatibility_level = 3.6\n\
                 queue_directory = {folder}/queue\n\
                 data_directory = {folder}/data\n\
                 maillog_file = {folder}/data/log\n\
                 maillog_file_prefixes = /\n\
                 myhostname = mail.tidemark.example\n\
                 mydestination =\n\
                 inet_interfaces = 127.0.0.1\n\
                 inet_protocols = ipv4\n\
                 mynetworks = 127.0.0.0/8\n\
                 alias_maps =\n\
                 local_recipient_maps =\n\
                 smtp_dns_support_level = disabled\n\
                 relay_domains = {BOUNCES}\n\
                 transport_maps = inline:{{ \
                     {{{BOUNCES} = tidemark-bounces:}}, {{tidemark.example = smtp:[127.0.0.1]:{next_port}}} }}\n\
                 tidemark-bounces_destination_recipient_limit = 1\n"
            ),
        );
        write(
            &path.join("etc/master.cf"),
            &format!(
                "127.0.0.1:{port} inet n - n - - smtpd\n\
                 pickup unix n - n 60 1 pickup\n\
                 cleanup unix n - n - 0 cleanup\n\
                 qmgr unix n - n 1 1 qmgr\n\
                 rewrite unix - - n - - trivial-rewrite\n\
                 bounce unix - - n - 0 bounce\n\
                 defer unix - - n - 0 bounce\n\
                 trace unix - - n - 0 bounce\n\
                 smtp unix - - n - - smtp\n\
                 error unix - - n - - error\n\
                 retry unix - - n - - error\n\
                 anvil unix - - n - 1 anvil\n\
                 proxymap unix - - n - - proxymap\n\
                 postlog unix-dgram n - n - 1 postlogd\n\
                 tidemark-bounces unix - n n - - pipe\n  \
                     flags= user=nobody argv=/usr/bin/env TIDEMARK_CONFIG={folder}/bounces.toml\n  \
                     {folder}/tidemark-projector bounce -- ${{recipient}}\n"
            ),
        );
    }

    /// Has it take a mail from another server, for an address of the domain that mails come back to.
    ///
    /// # Panics
    /// If it refuses the mail.
    pub async fn take(&self, to: &str, mail: &str) {
        let connected = TcpStream::connect(("127.0.0.1", self.port)).await;
        let mut connection = BufReader::new(connected.unwrap());
        let commands = [
            String::new(),
            "EHLO provider.example\r\n".to_owned(),
            "MAIL FROM:<feedback@provider.example>\r\n".to_owned(),
            format!("RCPT TO:<{to}>\r\n"),
            "DATA\r\n".to_owned(),
            format!("{mail}.\r\n"),
            "QUIT\r\n".to_owned(),
        ];
        for command in commands {
            connection.write_all(command.as_bytes()).await.unwrap();
            let mut line = String::new();
            // All lines of an answer but the last have a hyphen behind the code.
            while line.as_bytes().get(3) != Some(&b' ') {
                line.clear();
                connection.read_line(&mut line).await.unwrap();
                let is_good = line.starts_with(['2', '3']);
                assert!(is_good, "{command}: {line}{}", self.log());
            }
        }
    }

    fn order(&self, order: &str) {
        let ordered = Command::new("/usr/sbin/postfix")
            .arg("-c")
            .arg(self.folder.path().join("etc"))
            .arg(order)
            .output();
        let ordered = ordered.unwrap_or_else(|error| panic!("{NEEDED}: {error}"));
        assert!(ordered.status.success(), "{ordered:?}");
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("data/log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        // A server that has not started cannot be stopped.
        if self.folder.path().join("queue/pid/master.pid").exists() {
            self.order("stop");
        }
    }
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
}
