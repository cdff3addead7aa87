# Sourced: packages from the mirror that this machine's apt already uses, through a private apt root, so that the machine's own
# package lists stay as they are. Needs `work`, a folder, and `suites`, a list of words; gives `private`, options of apt.
# shellcheck shell=bash
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | awk '/\/debian\/?$/ && !found++')
[ -n "$mirror" ] || {
    echo "$(basename "$0" .sh): apt's sources on this machine name no Debian mirror (an address that ends in /debian)" >&2
    exit 1
}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$work"/{lists/partial,archives/partial,unpacked,none}
: >"$work/status"
for suite in $suites; do
    case $suite in
    *-security) echo "deb [signed-by=$keyring] ${mirror%/}-security $suite main" ;;
    *) echo "deb [signed-by=$keyring] $mirror $suite main" ;;
    esac
done >"$work/sources.list"
private=(-o "Dir::Etc::SourceList=$work/sources.list" -o "Dir::Etc::SourceParts=$work/none" -o "Dir::State=$work"
    -o "Dir::State::status=$work/status" -o "Dir::Cache=$work" -o Dir::Etc::Preferences=/dev/null
    -o "Dir::Etc::PreferencesParts=$work/none" -o Acquire::Languages=none -o APT::Sandbox::User=root
    -o APT::Update::Error-Mode=any -qq)

try() { # COMMAND...: a mirror may be busy for a while
    local pause
    for pause in 5 20 60 0; do
        ! "$@" || return 0
        [ "$pause" = 0 ] || sleep "$pause"
    done
    return 1
}

update() {
    apt-get "${private[@]}" update
}

download() { # PACKAGE...
    (cd "$work/archives" && apt-get "${private[@]}" download "$@")
}
