#!/bin/sh
# Makes what is installed on machines without Python: ./dqmsquare_deploy.sh build | rpm
#
#   build   dist/dqmsquare_mirror, one file with server, grabber and db in it (PyInstaller, from `make install-dev`)
#   rpm     the same as a package with units and settings, in dist/ (needs rpmbuild; builds first if need be)
#
# A single file runs on systems whose C library is not older than that of the machine it was made on.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-.venv/bin/python}
dist=${DIST:-$PWD/dist}
work=${WORK:-$PWD/build}
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' dqmsquare/__init__.py)

build() {
    "$python" -m PyInstaller --log-level ERROR --noconfirm --distpath "$dist" --workpath "$work/pyinstaller" \
        packaging/dqmsquare_mirror.pyinstaller.spec
    echo "$dist/dqmsquare_mirror"
}

rpm_package() {
    command -v rpmbuild >/dev/null || { echo "rpmbuild is needed (Debian: apt-get install rpm)" >&2; exit 1; }
    [ -x "$dist/dqmsquare_mirror" ] || build
    rpmbuild --quiet -bb --define "_topdir $work/rpm" --define "_rpmdir $dist" --define "mirror_dist $dist" \
        --define "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm" \
        --define "mirror_version $version" --define "mirror_root $PWD" packaging/dqmsquare_mirror.rpm.spec
    ls "$dist/dqmsquare_mirror-$version"-*.rpm
}

case ${1-} in
    build) build ;;
    rpm) rpm_package ;;
    *)
        sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
        exit 2
        ;;
esac
