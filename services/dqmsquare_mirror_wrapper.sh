#!/bin/sh
# What dqmsquare_mirror@.service starts: services/dqmsquare_mirror_wrapper.sh server | grabber_production | grabber_playback
#
# Works out the folder from where it lies itself, and hands over what systemd decrypted or copied for this unit alone:
# a credential named like a setting becomes NAME_FILE, the robot's pair becomes the certificate's paths.
set -eu
folder=$(dirname "$(dirname "$(readlink -f "$0")")")
cd "$folder"

say() { echo "dqmsquare_mirror@${instance}: $*" >&2; }

hand_over_credentials() {
    [ -n "${CREDENTIALS_DIRECTORY-}" ] || return 0
    for file in "$CREDENTIALS_DIRECTORY"/*; do
        name=$(basename "$file")
        case $name in
            robotcert.pem) export SERVER_GRID_CERT_PATH="$file" ;;
            robotkey.pem) export SERVER_GRID_KEY_PATH="$file" ;;
            *)
                setting=$(printf '%s' "$name" | tr '[:lower:]' '[:upper:]')
                unset "$setting" "${setting}_FILE"
                # An empty file means that there is no such secret.
                [ ! -s "$file" ] || export "${setting}_FILE=$file"
                ;;
        esac
    done
}

instance=${1-}
case $instance in
    server) set -- server ;;
    grabber_production | grabber_playback) set -- grabber "${instance#grabber_}" ;;
    robber | robber_oldruns | parser)
        say "it is gone; start dqmsquare_mirror@grabber_production and dqmsquare_mirror@grabber_playback instead"
        exit 2
        ;;
    grabber)
        say "there is one for each cluster now: dqmsquare_mirror@grabber_production, dqmsquare_mirror@grabber_playback"
        exit 2
        ;;
    *)
        say "there is no such instance; it is server, grabber_production or grabber_playback"
        exit 2
        ;;
esac
hand_over_credentials
# The single file of the RPM, or the sources with the packages beside them.
if [ -x ./dqmsquare_mirror ]; then
    exec ./dqmsquare_mirror "$@"
fi
python=.venv/bin/python
[ -x "$python" ] || python=python3
program=$1.py
shift
exec "$python" "$program" "$@"
