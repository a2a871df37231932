#!/bin/sh
# Installs a node from a release's binary: the binary, manual pages, completions, a unit of systemd, a first configuration.
# It asks no network, never replaces a configuration, and touches no data. Run again, it upgrades the binary in one step.
set -eu

usage() {
    cat <<'END'
usage: install.sh [--binary FILE] [--prefix DIR] [--etc DIR] [--units DIR] [--uninstall] [--dry-run]

  --binary FILE   the binary of the release (default: `tessera` beside this script)
  --prefix DIR    where it goes (default: /usr/local): DIR/bin, DIR/share, DIR/lib/sysusers.d
  --etc DIR       where `tessera/tessera.toml` goes (default: /etc for /usr and /usr/local, else PREFIX/etc)
  --units DIR     where the unit goes (default: /etc/systemd/system for /usr and /usr/local, else PREFIX/lib/systemd/system)
  --uninstall     take away what was installed; configuration and data stay
  --dry-run       say what would be done
END
}

fail() {
    echo "install.sh: $1" >&2
    exit "${2:-1}"
}

here=$(cd "$(dirname "$0")" && pwd)
binary= prefix=/usr/local etc= units= uninstall= dry=
while [ $# -gt 0 ]; do
    case $1 in
        --binary | --prefix | --etc | --units)
            [ $# -ge 2 ] || fail "$1 needs a value" 2
            case $1 in
                --binary) binary=$2 ;;
                --prefix) prefix=$2 ;;
                --etc) etc=$2 ;;
                --units) units=$2 ;;
            esac
            shift 2
            ;;
        --uninstall) uninstall=1 && shift ;;
        --dry-run) dry=1 && shift ;;
        -h | --help) usage && exit 0 ;;
        *) usage >&2 && fail "unknown: $1" 2 ;;
    esac
done

case $prefix in
    /*) ;;
    *) fail "--prefix must be an absolute path, not $prefix" 2 ;;
esac
# They go into the unit, where a blank or a percent sign would be read as something else.
case $prefix$etc$units in
    *[!A-Za-z0-9._/+-]*) fail "a path holds a sign that a unit would misread" 2 ;;
esac
case $prefix in
    /usr | /usr/local)
        : "${etc:=/etc}" "${units:=/etc/systemd/system}"
        ;;
    *)
        : "${etc:=$prefix/etc}" "${units:=$prefix/lib/systemd/system}"
        ;;
esac
: "${binary:=$here/tessera}"
bin=$prefix/bin man=$prefix/share/man/man1 sysusers=$prefix/lib/sysusers.d
bash_=$prefix/share/bash-completion/completions/tessera
zsh_=$prefix/share/zsh/site-functions/_tessera
fish_=$prefix/share/fish/vendor_completions.d/tessera.fish

do_() {
    if [ -n "$dry" ]; then
        echo "would: $*"
    else
        "$@"
    fi
}

if [ -n "$uninstall" ]; then
    do_ rm -f "$bin/tessera" "$units/tessera.service" "$sysusers/tessera.conf" "$bash_" "$zsh_" "$fish_"
    for page in "$man"/tessera.1 "$man"/tessera-*.1; do
        [ ! -e "$page" ] || do_ rm -f "$page"
    done
    echo "Removed. $etc/tessera and the data directory are as they were."
    exit 0
fi

# Everything is looked at before anything is done.
[ -f "$binary" ] || fail "$binary is not there: name the release's binary with --binary" 69
[ -x "$binary" ] || fail "$binary cannot be executed: chmod +x it" 69
version=$("$binary" --version 2>/dev/null) || fail "$binary does not run on this machine (another processor, or an older libc?)" 69
case $version in
    "tessera "*) ;;
    *) fail "$binary is not tessera: it says '$version'" 69 ;;
esac
for file in tessera.service tessera.sysusers tessera.toml; do
    [ -f "$here/$file" ] || fail "$here/$file is missing: keep the release's files together" 69
done
above=$prefix
while [ ! -e "$above" ]; do above=$(dirname "$above"); done
[ -w "$above" ] || fail "$above cannot be written: run this as root, or name another --prefix" 69

put() { # MODE FROM TO: whole or not at all, in one step
    if [ -n "$dry" ]; then
        echo "would: write $3"
        return
    fi
    mkdir -p "$(dirname "$3")"
    cp "$2" "$3.new"
    chmod "$1" "$3.new"
    mv -f "$3.new" "$3"
}

before=
[ ! -x "$bin/tessera" ] || before=$("$bin/tessera" --version 2>/dev/null || echo "one that does not run")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

"$binary" man "$work/man"
for shell in bash zsh fish; do "$binary" completions "$shell" >"$work/$shell"; done
sed -e "s|@PREFIX@|$prefix|g" -e "s|@ETC@|$etc|g" "$here/tessera.service" >"$work/unit"

put 0755 "$binary" "$bin/tessera"
for page in "$work"/man/*.1; do put 0644 "$page" "$man/$(basename "$page")"; done
put 0644 "$work/bash" "$bash_"
put 0644 "$work/zsh" "$zsh_"
put 0644 "$work/fish" "$fish_"
put 0644 "$work/unit" "$units/tessera.service"
put 0644 "$here/tessera.sysusers" "$sysusers/tessera.conf"
if [ -e "$etc/tessera/tessera.toml" ]; then
    echo "$etc/tessera/tessera.toml is there and stays as it is."
else
    put 0644 "$here/tessera.toml" "$etc/tessera/tessera.toml"
fi

if [ -n "$before" ]; then
    echo "Installed $version in place of $before."
    cat <<END
Next:
  $bin/tessera config check --config $etc/tessera/tessera.toml
  systemctl daemon-reload && systemctl restart tessera
END
else
    echo "Installed $version."
    cat <<END
Next, as root:
  systemd-sysusers $sysusers/tessera.conf
  install -d -o tessera -g tessera -m 0700 /var/lib/tessera
  runuser -u tessera -- $bin/tessera config root-key /var/lib/tessera/root.key      and keep a copy elsewhere
  runuser -u tessera -- $bin/tessera doctor --config $etc/tessera/tessera.toml
  systemctl daemon-reload && systemctl enable --now tessera
  runuser -u tessera -- $bin/tessera operator claim --profile /var/lib/tessera/data
END
fi
