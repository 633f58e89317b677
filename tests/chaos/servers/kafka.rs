//! A Kafka broker of its own, in `KRaft` mode, with the configuration that `./dev` uses and one more
//! listener, which a fault may stand before.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::{Machine, Options, run};
use crate::ports;
use crate::supervisor::{Program, Supervised, Supervisor};

const JAVA: [&str; 6] = [
    "java",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dorg.apache.logging.log4j.level=WARN",
];
const ANSWER: Duration = Duration::from_secs(2);

/// A server.
#[derive(Debug)]
pub(crate) struct Kafka {
    /// It.
    pub(crate) process: Arc<Supervised>,
    /// Where it listens.
    pub(crate) port: u16,
    /// Another listener, to be reached through something in between: a client that enters by it is
    /// sent on to [`Self::proxy_port`].
    pub(crate) behind_proxy_port: u16,
    /// Where something in between has to listen. Nobody does unless a fault makes it so.
    pub(crate) proxy_port: u16,
    /// The topics' files.
    pub(crate) data: PathBuf,
}

impl Kafka {
    /// Formats its storage and starts it. Ready soon, see [`Self::is_ready`].
    pub(crate) fn start(
        supervisor: &Supervisor,
        machine: &Machine,
        run_directory: &Path,
        options: &Options,
    ) -> Self {
        let home = options.home.as_deref().unwrap_or(run_directory);
        let home = home.join("kafka");
        fs::create_dir_all(&home).unwrap();
        let [port, behind_proxy_port, proxy_port, controller] = [(); 4].map(|()| ports::free());
        let kafka = |process| Self {
            process,
            port,
            behind_proxy_port,
            proxy_port,
            data: home.join("data"),
        };
        let template = fs::read_to_string(machine.deploy.join("kafka/server.properties")).unwrap();
        let mut text = template
            .replace("@HOST@", "127.0.0.1")
            .replace("@PORT@", &port.to_string())
            .replace("@CONTROLLER_PORT@", &controller.to_string())
            .replace("@DATA@", &home.join("data").display().to_string());
        let outer = format!(",PROXY://127.0.0.1:{behind_proxy_port}\nadvertised");
        let advertised = format!(",PROXY://127.0.0.1:{proxy_port}\nlistener.security.");
        text = text
            .replacen("\nadvertised", &outer, 1)
            .replacen("\nlistener.security.", &advertised, 1)
            .replace(
                "PLAINTEXT:PLAINTEXT,",
                "PLAINTEXT:PLAINTEXT,PROXY:PLAINTEXT,",
            );
        for (name, value) in &options.settings {
            text.push_str(name);
            text.push('=');
            text.push_str(value);
            text.push('\n');
        }
        let properties = home.join("server.properties");
        fs::write(&properties, text).unwrap();
        let class_path = format!("{}/*", machine.kafka_libs.display());
        if !home.join("data").exists() {
            format(&class_path, &properties);
        }
        let mut command: Vec<_> = JAVA.map(str::to_owned).into();
        command.extend(["-cp".to_owned(), class_path, "kafka.Kafka".to_owned()]);
        command.push(properties.display().to_string());
        let program = Program {
            wrapper: options.wrapper.clone(),
            command,
            ..Program::default()
        };
        kafka(supervisor.add("kafka", run_directory, program, false))
    }

    /// Where clients connect.
    pub(crate) fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Whether it answers.
    pub(crate) async fn is_ready(&self) -> bool {
        let brokers = self.brokers();
        let asked = tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", brokers)
                .set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg)
                .create()
                .unwrap();
            consumer.fetch_metadata(None, ANSWER).is_ok()
        });
        asked.await.unwrap()
    }
}

fn format(class_path: &str, properties: &Path) {
    let tool = |arguments: &[&str]| {
        let mut command = Command::new("java");
        command
            .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(["-cp", class_path, "kafka.tools.StorageTool"])
            .args(arguments);
        run(&mut command)
    };
    let id = tool(&["random-uuid"]);
    let properties = properties.display().to_string();
    tool(&[
        "format",
        "--standalone",
        "-t",
        id.trim(),
        "-c",
        &*properties,
    ]);
}
