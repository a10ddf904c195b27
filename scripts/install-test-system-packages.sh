#!/usr/bin/env bash
# Makes sure that what the tests of the windows need from the system is there: Xvfb, OpenGL and Qt's X11 libraries.
# Installs with apt where that can be done; elsewhere says what is missing. Exits non-zero only if something is missing.
set -euo pipefail

# What Debian 12 and 13 and Ubuntu 22.04 and 24.04 call them.
packages=(
  xvfb xauth libgl1 libegl1 libglib2.0-0 libdbus-1-3 libfontconfig1 libxkbcommon0 libxkbcommon-x11-0
  libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xkb1 libxcb-cursor0
)
programs=(Xvfb xvfb-run xauth)
libraries=(
  libGL.so.1 libEGL.so.1 libglib-2.0.so.0 libdbus-1.so.3 libfontconfig.so.1 libxkbcommon.so.0 libxkbcommon-x11.so.0
  libxcb-icccm.so.4 libxcb-image.so.0 libxcb-keysyms.so.1 libxcb-randr.so.0 libxcb-render-util.so.0 libxcb-shape.so.0
  libxcb-xkb.so.1 libxcb-cursor.so.0
)

missing() {
  local known name
  known=$( (ldconfig -p || /sbin/ldconfig -p) 2>/dev/null || true)
  for name in "${programs[@]}"; do command -v "$name" >/dev/null || echo "$name"; done
  for name in "${libraries[@]}"; do grep -qF "$name" <<<"$known" || echo "$name"; done
}

if [[ $(uname -s) != Linux ]]; then
  exit 0  # Windows and macOS open real windows
fi
if [[ -z $(missing) ]]; then
  exit 0
fi
if [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  # Where apt cannot reach its archive, the check below says what that leaves missing.
  apt-get update -qq || true
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null || true
fi
left=$(missing)
if [[ -n $left ]]; then
  {
    echo "The tests of the windows need, and this system lacks:" $left
    echo "Install them as root: apt-get install --no-install-recommends ${packages[*]}"
  } >&2
  exit 1
fi
