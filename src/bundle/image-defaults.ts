import type { RuntimeConfig } from '../oci/runtime-config.ts'

/** The capabilities that docker gives, in the order of capabilities(7); podman leaves out AUDIT_WRITE, MKNOD and NET_RAW. */
const imageCapabilities = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SYS_CHROOT',
  'CAP_MKNOD',
  'CAP_AUDIT_WRITE',
  'CAP_SETFCAP',
] as const

/**
 * The config.json of `spec` with what engines give to images: the rootfs can be written to, root can `chown` and `su`, a
 * package manager can drop its rights, programs gain those of their set-user-ID bits, and as many files can be open as whoever
 * runs it may have.
 */
export function withImageDefaults({ root, ...config }: RuntimeConfig): RuntimeConfig {
  const { rlimits: _, ...process } = config.process
  const capabilities = {
    bounding: imageCapabilities,
    effective: imageCapabilities,
    permitted: imageCapabilities,
  }
  return {
    ...config,
    process: { ...process, capabilities, noNewPrivileges: false },
    root: { path: root.path },
    hostname: 'container',
  }
}
