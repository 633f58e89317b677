//! A Kafka broker in `KRaft` mode. Besides the listener that `./dev` uses it has one for clients
//! that reach it through a proxy, which a fault may start.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::{Paths, ServerOptions, run_command};
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
const METADATA_TIMEOUT: Duration = Duration::from_secs(2);

/// A Kafka broker.
#[derive(Debug)]
pub(crate) struct Kafka {
    pub(crate) process: Arc<Supervised>,
    /// The port on 127.0.0.1 that most clients connect to.
    pub(crate) port: u16,
    /// The port of the second listener, to which a proxy connects. The broker sends clients that
    /// arrive there on to [`Self::proxy_port`].
    pub(crate) behind_proxy_port: u16,
    /// The port that a proxy has to listen at. Nobody does unless a fault starts a proxy.
    pub(crate) proxy_port: u16,
    /// The directory of the topics' files.
    pub(crate) data: PathBuf,
}

impl Kafka {
    /// Formats the broker's storage and starts it. It is ready some time later, see
    /// [`Self::is_ready`].
    pub(crate) fn start(
        supervisor: &Supervisor,
        paths: &Paths,
        run_directory: &Path,
        options: &ServerOptions,
    ) -> Self {
        let home = options.data_home.as_deref().unwrap_or(run_directory);
        let home = home.join("kafka");
        fs::create_dir_all(&home).unwrap();
        let data = home.join("data");
        let [port, behind_proxy_port, proxy_port, controller] = [(); 4].map(|()| ports::keep());
        let template = fs::read_to_string(paths.deploy.join("kafka/server.properties")).unwrap();
        let mut text = template
            .replace("@HOST@", "127.0.0.1")
            .replace("@PORT@", &port.to_string())
            .replace("@CONTROLLER_PORT@", &controller.to_string())
            .replace("@DATA@", &data.display().to_string());
        let listener = format!(",PROXY://127.0.0.1:{behind_proxy_port}\nadvertised");
        let advertised = format!(",PROXY://127.0.0.1:{proxy_port}\nlistener.security.");
        text = text
            .replacen("\nadvertised", &listener, 1)
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
        let class_path = format!("{}/*", paths.kafka_libs.display());
        if !data.exists() {
            format_storage(&class_path, &properties);
        }
        let mut command: Vec<_> = JAVA.map(str::to_owned).into();
        command.extend(["-cp".to_owned(), class_path, "kafka.Kafka".to_owned()]);
        command.push(properties.display().to_string());
        let program = Program {
            wrapper: options.wrapper.clone(),
            command,
            ..Program::default()
        };
        Self {
            process: supervisor.add("kafka", run_directory, program, false),
            port,
            behind_proxy_port,
            proxy_port,
            data,
        }
    }

    /// The address that clients connect to.
    pub(crate) fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Whether the broker answers.
    pub(crate) async fn is_ready(&self) -> bool {
        let brokers = self.brokers();
        let answered = tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", brokers)
                .set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg)
                .create()
                .unwrap();
            consumer.fetch_metadata(None, METADATA_TIMEOUT).is_ok()
        });
        answered.await.unwrap()
    }
}

fn format_storage(class_path: &str, properties: &Path) {
    let storage_tool = |arguments: &[&str]| {
        let mut command = Command::new("java");
        command
            .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(["-cp", class_path, "kafka.tools.StorageTool"])
            .args(arguments);
        run_command(&mut command)
    };
    let cluster_id = storage_tool(&["random-uuid"]);
    let properties = properties.display().to_string();
    storage_tool(&[
        "format",
        "--standalone",
        "-t",
        cluster_id.trim(),
        "-c",
        &*properties,
    ]);
}
