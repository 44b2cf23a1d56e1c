# To be sourced. private_apt FOLDER SUITE…: package lists of Debian's suites in a folder of one's own, which apt-get then uses; nothing of the
# machine's configuration is read or changed, and nothing is installed. Needs apt-get and the Debian archive keyring.
private_apt() {
  private=$1
  shift
  mkdir -p "$private/state/lists/partial" "$private/cache/archives/partial"
  for suite in "$@"; do
    echo "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian $suite main"
  done >"$private/sources.list"
  : >"$private/status"
  cat >"$private/apt.conf" <<END
Dir::Etc::sourcelist "$private/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "$private/state";
Dir::State::status "$private/status";
Dir::Cache "$private/cache";
APT::Architecture "amd64";
APT::Sandbox::User "root";
Acquire::Languages "none";
END
  export APT_CONFIG="$private/apt.conf"
  apt-get -qq update
}
