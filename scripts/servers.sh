# Private servers of the scripts that source this file: they stop when the script calls stop_servers, and where the
# system can do it (setpriv), also when the script is killed.

scratch=
pids=()

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# Waits ten seconds at most for a process that was asked to end, then ends it.
gone() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        kill -0 "$1" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

# stop_servers: ends every process in pids. Call it with `set +e`.
stop_servers() {
    local pid
    for pid in "${pids[@]}"; do kill -INT "$pid" 2>/dev/null; done
    for pid in "${pids[@]}"; do gone "$pid"; done
}

# Where PostgreSQL's server programs are; Debian keeps them out of the PATH.
postgres_programs() {
    local folder
    for folder in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort --version-sort --reverse); do
        if [[ -x $folder/initdb && -x $folder/postgres ]]; then
            printf '%s\n' "$folder"
            return
        fi
    done
    if has initdb && has postgres; then dirname "$(command -v initdb)"; fi
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# until_ready PID LOG TEXT: waits until a server says that it is ready; fails when it ends or takes a minute.
until_ready() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        grep -q "$3" "$2" 2>/dev/null && return 0
        kill -0 "$1" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

# on_a_free_port NAME LOG TEXT COMMAND...: starts a server in the background and waits until it says TEXT; `$port` in the
# command stands for its port. The command must replace the shell (see bound), so that its process id is the server's.
# Sets port and adds the process to pids. Another process may take the port first, hence five tries.
on_a_free_port() {
    local name=$1 log=$2 text=$3 tries
    shift 3
    for ((tries = 0; tries < 5; tries++)); do
        port=$(free_port)
        : >"$log"
        (cd "$scratch" && LC_ALL=C "${@//\$port/$port}") >"$log" 2>&1 &
        pids+=($!)
        until_ready $! "$log" "$text" && return
    done
    fail "$(tail -n 20 "$log")" "A private $name cannot be started."
}

# Replaces the shell by a program that ends with this script.
bound() {
    if has setpriv; then exec setpriv --pdeathsig INT "$@"; fi
    exec "$@"
}

# The same; PostgreSQL refuses to run as root.
as_server() {
    local user=postgres
    if [[ $(id -u) != 0 ]]; then bound "$@"; fi
    id "$user" >/dev/null 2>&1 || user=nobody
    bound --reuid "$user" --regid "$(id -g "$user")" --init-groups "$@"
}

# start_postgres SETTING...: creates and starts a PostgreSQL in $scratch; sets postgres_url.
start_postgres() {
    local programs data=$scratch/postgres log=$scratch/postgres.log setting settings=()
    programs=$(postgres_programs)
    mkdir "$data"
    : >"$log"
    if [[ $(id -u) == 0 ]]; then
        has setpriv || fail "As root this needs setpriv (Debian: util-linux), to start PostgreSQL as its own user."
        chmod 711 "$scratch"
        chown "$(id postgres >/dev/null 2>&1 && echo postgres || echo nobody)" "$data"
    fi
    (cd "$scratch" && LC_ALL=C.UTF-8 as_server "$programs/initdb" --pgdata "$data" --username postgres --auth trust \
        --encoding UTF8 --locale C --no-sync --no-instructions) >"$log" 2>&1 ||
        fail "$(tail -n 20 "$log")" "A private PostgreSQL cannot be made."
    for setting in listen_addresses=127.0.0.1 jit=off "$@"; do settings+=(-c "$setting"); done
    on_a_free_port PostgreSQL "$log" "ready to accept connections" \
        as_server "$programs/postgres" -D "$data" -p '$port' -k "$data" "${settings[@]}"
    postgres_url=postgres://postgres@127.0.0.1:$port/postgres
}

# start_redis: starts a Redis that keeps nothing; sets redis_url.
start_redis() {
    mkdir "$scratch/redis"
    on_a_free_port Redis "$scratch/redis.log" "Ready to accept connections" \
        bound redis-server --port '$port' --bind 127.0.0.1 --save "" --appendonly no --dir "$scratch/redis"
    redis_url=redis://127.0.0.1:$port/
}
