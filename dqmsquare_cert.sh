#!/bin/sh
# Puts a grid certificate where a browser finds it: PEM pair -> PKCS#12 -> NSS database without a master password.
#
#     ./dqmsquare_cert.sh [CERTIFICATE.pem [KEY.pem [FOLDER]]]
#
# Default: the robot's pair, into ./nss. The folder then holds what a Firefox profile or Chromium's ~/.pki/nssdb holds,
# and whoever can read it can use the key: it is made for this user alone. The mirror itself reads PEM and needs none.
set -eu
certificate=${1:-/etc/robots/robotcert.pem}
key=${2:-/etc/robots/robotkey.pem}
folder=${3:-nss}
name=dqmsquare

for program in openssl certutil pk12util; do
    command -v "$program" >/dev/null || { echo "$program is needed (Debian: openssl, libnss3-tools)" >&2; exit 1; }
done
for file in "$certificate" "$key"; do
    [ -r "$file" ] || { echo "$file cannot be read" >&2; exit 1; }
done

umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
# PKCS#12 wants a password, if only for this moment; in a file, since arguments can be seen by everybody.
openssl rand -hex 32 >"$work/password"
openssl pkcs12 -export -in "$certificate" -inkey "$key" -passin pass: -name "$name" \
    -out "$work/pair.p12" -passout "file:$work/password"

mkdir -p "$folder"
[ -f "$folder/cert9.db" ] || certutil -N --empty-password -d "sql:$folder"
# A renewed certificate takes the old one's place.
certutil -F -d "sql:$folder" -n "$name" >/dev/null 2>&1 || true
pk12util -i "$work/pair.p12" -d "sql:$folder" -w "$work/password" >/dev/null
certutil -L -d "sql:$folder" -n "$name" >/dev/null
echo "$folder: the certificate is there as '$name'"
