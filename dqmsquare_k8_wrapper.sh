#!/bin/sh
# What a container starts: ./dqmsquare_k8_wrapper.sh server | grabber production | grabber playback | upgrade | health
#
# Kubernetes hands secrets over as variables (envFrom). A process's variables can be read by whatever runs beside it
# and are inherited by all it starts, so each goes into a file that only this user may read, in memory, and the program
# is started with NAME_FILE instead of NAME.
set -eu
cd "$(dirname "$0")"

say() { echo "dqmsquare_k8_wrapper.sh: $*" >&2; }

secret_names() {
    python -c 'from dqmsquare.config import setting_fields
print(*(field.metadata["name"] for field in setting_fields() if field.metadata["secret"]), sep="\n")'
}

keep_secrets_in_files() {
    names=$(secret_names)
    folder=${DQMSQUARE_SECRETS_DIR:-/run/dqmsquare}
    umask 077
    for name in $names; do
        eval "value=\${$name-}"
        [ -n "$value" ] || continue
        # Without the folder that the manifest mounts there is still the container's own memory.
        [ -w "$folder" ] || folder=$(mktemp -d /dev/shm/dqmsquare.XXXXXX)
        printf '%s' "$value" >"$folder/$name"
        export "${name}_FILE=$folder/$name"
        unset "$name"
    done
    unset value
    umask 022
}

healthy() {
    # Which of the three it is, only its port tells.
    exec python -c 'import os, sys, urllib.request as request
for port in [os.environ.get("MONITORING_PORT") or "18084", "18085", "18086"]:
    try:
        sys.exit(request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=3).status != 200)
    except OSError:
        pass
sys.exit("nobody is well")'
}

role=${1-}
[ $# -eq 0 ] || shift
case $role in
    server) set -- server.py "$@" ;;
    grabber) set -- grabber.py "$@" ;;
    grabber_production | grabber_playback) set -- grabber.py "${role#grabber_}" "$@" ;;
    upgrade) set -- db.py upgrade "$@" ;;
    health) healthy ;;
    robber | robber_oldruns | parser)
        say "'$role' is gone: 'grabber production' and 'grabber playback' do its work now"
        exit 2
        ;;
    *)
        say "it takes server, grabber production, grabber playback, upgrade or health, not '$role'"
        exit 2
        ;;
esac
keep_secrets_in_files
exec python "$@"
