# shellcheck shell=bash
# Redis from the machine's own program, with data and configuration in .dev/redis.

redis_ping() {
    [[ $(REDISCLI_AUTH=$(secret redis) redis-cli -h "$HOST" -p "$REDIS_PORT" ping) == PONG ]]
}

# The password is in a private file, because every user can read the command lines of processes.
write_redis_conf() {
    write_private "$DEV_DIR/redis/redis.conf" <<CONF
bind $HOST
port $REDIS_PORT
requirepass $(secret redis)
dir "$DEV_DIR/redis"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
CONF
}

start_redis() {
    if ! is_running redis; then
        free_port "$REDIS_PORT" TIDEMARK_DEV_REDIS_PORT
        mkdir -p "$DEV_DIR/redis"
        write_redis_conf
        start_process redis redis-server "$DEV_DIR/redis/redis.conf"
    fi
    wait_for redis "$SERVICE_START_SECONDS" redis_ping ||
        die "Redis did not start" "see $LOG_DIR/redis.log; './dev reset' deletes all data, so that it can be made anew"
}

stop_redis() { stop_process redis; }
