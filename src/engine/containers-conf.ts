/** The files that podman and Buildah read, of the system and in their order; `*.conf` stands for all such files of a directory. */
export const containersConf: readonly string[] = [
  '/usr/share/containers/containers.conf',
  '/usr/share/containers/containers.conf.d/*.conf',
  '/etc/containers/containers.conf',
  '/etc/containers/containers.conf.d/*.conf',
]

/** The seccomp profiles of containers-common, the administrator's first. */
export const seccompProfiles: readonly string[] = ['/etc/containers/seccomp.json', '/usr/share/containers/seccomp.json']
