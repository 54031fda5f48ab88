#!/bin/sh
# Puts the runtime bundle-tool on a node of Kubernetes, or takes it off. It runs in a pod that has the node's root at $HOST.
#
#   node.sh install      copies the files, tells the engine of them, restarts the engine where that has changed something
#   node.sh uninstall    undoes it, once no container of this runtime is left
#   node.sh stay         install, then waits: for the pod of a DaemonSet
#
# HOST      the node's root, as this process sees it (default: /host)
# ENGINE    containerd or crio (default: the one whose configuration is there)
# FROM      the directory with the files of the runtime (default: /opt/bundle-tool, of the pod's image)
# TO        the directory for them on the node (default: /opt/bundle-tool)
# RESTART   what restarts the engine on the node (default: systemctl restart $ENGINE)
set -eu

HOST=${HOST:-/host}
FROM=${FROM:-/opt/bundle-tool}
TO=${TO:-/opt/bundle-tool}

if [ -z "${ENGINE:-}" ]; then
  ENGINE=containerd
  [ ! -d "$HOST/etc/crio" ] || ENGINE=crio
fi
RESTART=${RESTART:-systemctl restart $ENGINE}

say() { echo "bundle-tool on this node: $*"; }

on_node() { chroot "$HOST" /bin/sh -c "$1"; }

# Each file by another name first: a container that starts meanwhile has the old one or the new one, whole.
copy_files() {
  mkdir -p "$HOST$TO"
  (cd "$FROM" && find . -type d ! -name .) | while read -r name; do mkdir -p "$HOST$TO/$name"; done
  (cd "$FROM" && find . -type f) | while read -r name; do
    cmp -s "$FROM/$name" "$HOST$TO/$name" && continue
    cp -p "$FROM/$name" "$HOST$TO/$name.new"
    mv -f "$HOST$TO/$name.new" "$HOST$TO/$name"
  done
}

# The engine's configuration, by the rules of the command itself; the engine is restarted only when it has changed.
configure() {
  said=$(chroot "$HOST" "$TO/bundle-tool" engine "$ENGINE" "$@" --runtime "$TO/bundle-tool" 2>&1) || { say "$said"; exit 1; }
  say "$said"
  case $said in
  *'nothing to do'*) ;;
  *) on_node "$RESTART" && say "$ENGINE restarted" ;;
  esac
}

# The containers that this runtime has made, and still has to stop and delete.
containers() {
  find "$HOST/run/containerd/runc" "$HOST/run/bundle-tool" -name .front 2>/dev/null | wc -l
}

install() {
  copy_files
  configure --write
}

uninstall() {
  [ -x "$HOST$TO/bundle-tool" ] || { say 'not installed'; return 0; }
  configure --remove
  left=$(containers)
  if [ "$left" -gt 0 ]; then
    say "$left containers of this runtime are left: delete their pods, then run this again, which removes $TO"
    exit 1
  fi
  rm -rf "${HOST:?}$TO"
  say "$TO removed"
}

case ${1:-} in
install) install ;;
uninstall) uninstall ;;
stay)
  trap 'exit 0' TERM INT
  install
  while :; do sleep 3600 & wait $!; done
  ;;
*)
  echo 'usage: node.sh install|uninstall|stay' >&2
  exit 2
  ;;
esac
