# shellcheck shell=bash
# Apache Kafka in KRaft mode with one node, from jars that Maven fetches into .dev/kafka/libs. If it cannot be
# fetched or started, these functions fail with a reason, and ./dev goes on without a broker.

KAFKA_HOME="$DEV_DIR/kafka"
# Heap of the broker: enough for the many small topics of the tests.
KAFKA_HEAP_MIB=512

kafka_answers() { kcat -b "$1" -L -m 2 -X log_level=0; }

# Fetches the jars again when pom.xml has changed. They are fetched into another directory, which is renamed when
# it is complete.
fetch_kafka() {
    local pom="$ROOT/deploy/kafka/pom.xml"
    if cmp -s "$pom" "$KAFKA_HOME/libs/pom.xml"; then return; fi
    say "fetching Apache Kafka through Maven (about 45 MB)"
    rm -rf "$KAFKA_HOME/libs.new"
    mkdir -p "$KAFKA_HOME"
    mvn --batch-mode --quiet -f "$pom" dependency:copy-dependencies \
        -DoutputDirectory="$KAFKA_HOME/libs.new" </dev/null >"$LOG_DIR/maven.log" 2>&1 9>&- || {
        grep -m 1 ERROR "$LOG_DIR/maven.log" >&2
        return 1
    }
    cp "$pom" "$KAFKA_HOME/libs.new/pom.xml"
    rm -rf "$KAFKA_HOME/libs"
    mv "$KAFKA_HOME/libs.new" "$KAFKA_HOME/libs"
}

write_kafka_properties() {
    local text
    text=$(cat "$ROOT/deploy/kafka/server.properties")
    text=${text//@HOST@/"$HOST"}
    text=${text//@PORT@/"$KAFKA_PORT"}
    text=${text//@CONTROLLER_PORT@/"$KAFKA_CONTROLLER_PORT"}
    text=${text//@DATA@/"$KAFKA_HOME/data"}
    printf '%s\n' "$text" >"$KAFKA_HOME/server.properties"
}

kafka_java() {
    java -cp "$KAFKA_HOME/libs/*" -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "$@" \
        </dev/null 2>>"$LOG_DIR/kafka-format.log" 9>&-
}

# Formats the storage of the broker. The file `formatted` is written last, so that storage without it is known to
# be incomplete and is made anew.
format_kafka() {
    local id
    [[ ! -e $KAFKA_HOME/formatted ]] || return 0
    rm -rf "$KAFKA_HOME/data"
    id=$(kafka_java kafka.tools.StorageTool random-uuid) || return 1
    kafka_java kafka.tools.StorageTool format --standalone -t "$id" -c "$KAFKA_HOME/server.properties" \
        >>"$LOG_DIR/kafka-format.log" || return 1
    touch "$KAFKA_HOME/formatted"
}

# Why start_kafka failed.
KAFKA_PROBLEM=
start_kafka() {
    if ! is_running kafka; then
        fetch_kafka || { KAFKA_PROBLEM="Maven could not fetch it (see $LOG_DIR/maven.log)"; return 1; }
        free_port "$KAFKA_PORT" TIDEMARK_DEV_KAFKA_PORT
        free_port "$KAFKA_CONTROLLER_PORT" TIDEMARK_DEV_KAFKA_CONTROLLER_PORT
        write_kafka_properties
        format_kafka || { KAFKA_PROBLEM="its storage could not be formatted (see $LOG_DIR/kafka-format.log)"; return 1; }
        start_process kafka java -cp "$KAFKA_HOME/libs/*" -Xmx${KAFKA_HEAP_MIB}m -XX:+UseSerialGC \
            -XX:+ExitOnOutOfMemoryError -Dorg.apache.logging.log4j.level=WARN \
            kafka.Kafka "$KAFKA_HOME/server.properties"
    fi
    wait_for kafka "$SERVICE_START_SECONDS" kafka_answers "$HOST:$KAFKA_PORT" || {
        stop_kafka
        KAFKA_PROBLEM="it did not start (see $LOG_DIR/kafka.log)"
        return 1
    }
}

stop_kafka() { stop_process kafka; }
