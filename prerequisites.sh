# shellcheck shell=bash
# What run.sh and test.sh both need before they can build: sourced by them, never run by itself.
# Expects root. Each step says in one line what it did; a step with nothing to do says nothing.

: "${root:?prerequisites.sh is sourced by run.sh and test.sh}"

say() { printf '%s\n' "$*" >&2; }
stop() { say "$*"; exit 1; }

# A value as the program will see it: the environment first, then .env.
setting() {
  local name=$1 line
  if [ -n "${!name:-}" ]; then printf '%s' "${!name}"; return; fi
  [ -f "$root/.env" ] || return 0
  line=$(grep -E "^[[:space:]]*(export[[:space:]]+)?${name}[[:space:]]*=" "$root/.env" | tail -n 1) || return 0
  line=${line#*=}
  line=${line#"${line%%[![:space:]]*}"}
  line=${line%"${line##*[![:space:]]}"}
  line=${line#[\"\']}; line=${line%[\"\']}
  printf '%s' "$line"
}

# Installers put the SDK where a shell that was open before does not look.
need_dotnet() {
  local folder
  if ! command -v dotnet >/dev/null 2>&1; then
    for folder in "${DOTNET_ROOT:-}" "$HOME/.dotnet" /usr/share/dotnet /usr/lib/dotnet /usr/local/share/dotnet /opt/homebrew/bin; do
      if [ -n "$folder" ] && [ -x "$folder/dotnet" ]; then PATH="$folder:$PATH"; export PATH; return; fi
    done
    stop "The .NET 10 SDK was not found. Install it (Debian and Ubuntu: apt-get install dotnet-sdk-10.0; macOS: brew install dotnet) and run this again."
  fi
}

# Asked in the project's folder, because global.json there says which versions will do.
need_sdk() {
  need_dotnet
  local answer
  answer=$(cd "$root" && dotnet --version 2>&1) || stop "The .NET 10 SDK was not found; dotnet says: $(printf '%s' "$answer" | head -n 1)"
}

first_folder_with() {
  local program=$1 folder
  shift
  for folder in "$@"; do
    if [ -n "$folder" ] && [ -x "$folder/$program" ]; then printf '%s' "$folder"; return; fi
  done
  return 1
}

# Debian keeps initdb and pg_ctl off the PATH, one folder a major version; Homebrew keeps its versioned formulas off it too.
postgres_programs() {
  local folders
  # shellcheck disable=SC2012 # ls sorts nothing here, it only drops the patterns that match nothing
  folders=$(ls -d /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin 2>/dev/null | sort -rV) || true
  # shellcheck disable=SC2086 # one folder a word is what is wanted; none of these paths has a space
  if first_folder_with pg_ctl "${PG_BIN:-}" $folders; then return; fi
  command -v initdb >/dev/null 2>&1 && command -v pg_ctl >/dev/null 2>&1 && command -v postgres >/dev/null 2>&1
}

rabbitmq_programs() {
  # /usr/sbin/rabbitmq-server of Debian is a wrapper for its service; the program itself lies in /usr/lib.
  first_folder_with rabbitmq-server "${RABBITMQ_BIN:-}" /usr/lib/rabbitmq/bin /opt/homebrew/opt/rabbitmq/sbin /usr/local/opt/rabbitmq/sbin ||
    command -v rabbitmq-server >/dev/null 2>&1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null 2>&1; then sudo "$@"
  else stop "Installing needs root, and there is no sudo: run as root '$*', or install it in your own way."; fi
}

# A person is asked; CI and pipes are told.
may_install() {
  local what=$1 answer
  if [ -t 0 ] && [ -z "${CI:-}" ]; then
    printf '%s is missing. Install it with %s now? [Y/n] ' "$what" "$2" >&2
    read -r answer
    case $answer in ''|[yY]*) ;; *) stop "$what is needed: install it, or $3." ;; esac
  fi
}

# install NAME ALTERNATIVE APT-PACKAGE DNF-PACKAGE BREW-FORMULA
install() {
  local name=$1 alternative=$2 log
  log=$(mktemp)
  if command -v apt-get >/dev/null 2>&1; then
    may_install "$name" apt-get "$alternative"
    say "Installing $name ($3) with apt-get."
    apt_install "$3" >"$log" 2>&1 || { tail -n 20 "$log" >&2; rm -f "$log"; stop "apt-get could not install $3; the lines above say why."; }
  elif command -v dnf >/dev/null 2>&1; then
    may_install "$name" dnf "$alternative"
    say "Installing $name ($4) with dnf."
    as_root dnf install -y -q "$4" >"$log" 2>&1 || { tail -n 20 "$log" >&2; rm -f "$log"; stop "dnf could not install $4; the lines above say why."; }
  elif command -v brew >/dev/null 2>&1; then
    may_install "$name" brew "$alternative"
    say "Installing $name ($5) with brew."
    brew install --quiet "$5" >"$log" 2>&1 || { tail -n 20 "$log" >&2; rm -f "$log"; stop "brew could not install $5; the lines above say why."; }
  else
    rm -f "$log"
    stop "$name is missing, and there is no apt-get, dnf or brew to install it with: install it, or $alternative."
  fi
  rm -f "$log"
}

# Debian's packages start a service and create a cluster on install. We want the programs alone: the queue starts its own server,
# and a service on the usual port would surprise whoever owns the machine. What the owner has already decided stays.
apt_install() {
  local package=$1 policy=/usr/sbin/policy-rc.d clusters=/etc/postgresql-common/createcluster.d/llmqueue.conf wrote_policy='' wrote_clusters=''
  if [ ! -e "$policy" ]; then
    wrote_policy=1
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod 755 "$policy"
  fi
  if [ ! -e "$clusters" ]; then
    wrote_clusters=1
    as_root mkdir -p "${clusters%/*}"
    printf 'create_main_cluster = false\n' | as_root tee "$clusters" >/dev/null
  fi
  local result=0
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$package" ||
    { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$package"; } ||
    result=$?
  if [ -n "$wrote_policy" ]; then as_root rm -f "$policy"; fi
  if [ -n "$wrote_clusters" ]; then as_root rm -f "$clusters"; as_root rmdir "${clusters%/*}" 2>/dev/null || true; fi
  # The package enables its service for the next start of the machine; it was not there before, so nobody asked for it.
  if [ "$result" = 0 ] && [ -d /run/systemd/system ]; then as_root systemctl disable --quiet --now "$package" 2>/dev/null || true; fi
  return "$result"
}

need_postgres() {
  if postgres_programs >/dev/null; then return; fi
  install PostgreSQL "name a server with DATABASE_URL" postgresql postgresql-server postgresql@17
  postgres_programs >/dev/null || stop "PostgreSQL was installed, but initdb and pg_ctl were not found: set PG_BIN to the folder that holds them."
  say "Installed PostgreSQL's programs; no service was started."
}

need_rabbitmq() {
  if rabbitmq_programs >/dev/null; then return; fi
  install RabbitMQ "set RABBITMQ_BIN to the folder that holds rabbitmq-server" rabbitmq-server rabbitmq-server rabbitmq
  rabbitmq_programs >/dev/null || stop "RabbitMQ was installed, but rabbitmq-server was not found: set RABBITMQ_BIN to the folder that holds it."
  say "Installed RabbitMQ's programs; no service was started."
}

# For one test alone, which is skipped without it: nobody is asked, and nothing fails.
want_faketime() {
  local library
  for library in /usr/lib/*/faketime/libfaketime.so.1 /usr/lib64/faketime/libfaketime.so.1; do
    if [ -e "$library" ]; then return; fi
  done
  if [ -n "${CI:-}" ] && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ] && apt_install libfaketime >/dev/null 2>&1; then say "Installed libfaketime, which moves the clock of one process."; return; fi
  say "libfaketime was not found: the test in which a worker's clock jumps is skipped."
}

# Two builds at once in the same obj folders break each other, so they take turns. The lock must not reach the build's own
# processes, as a compiler that lingers would hold it, nor lie on a file that .NET reads, as .NET would respect it.
# Where there is no flock (macOS), two at once are the caller's own doing.
in_turn() {
  if ! command -v flock >/dev/null 2>&1; then "$@"; return; fi
  local result=0
  exec 9<"$root/prerequisites.sh"
  flock 9
  "$@" 9<&- || result=$?
  exec 9<&-
  return "$result"
}

# Quiet while all is well; the whole output when it is not.
build() {
  local log
  log=$(mktemp)
  if ! (cd "$root" && dotnet build "$1" --configuration Release --nologo --disable-build-servers) >"$log" 2>&1 </dev/null; then
    cat "$log" >&2
    rm -f "$log"
    stop "Building $1 failed; the lines above say why."
  fi
  rm -f "$log"
}
