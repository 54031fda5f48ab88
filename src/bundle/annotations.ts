import type { ImageConfig } from '../oci/image-config.ts'

/**
 * Annotations that runtimes take orders from: they change what is done on the host, so an image must not set them.
 * crun, krun and wasm handlers, CRIU, systemd units, Kata, CRI-O and hooks that react to annotations.
 */
const reservedPrefixes = [
  'run.oci.',
  'krun.',
  'module.wasm.image/',
  'org.criu.',
  'org.systemd.property.',
  'io.katacontainers.',
  'com.github.containers.virtcontainers.',
  'io.kubernetes.cri-o.',
  'io.kubernetes.cri.',
  'io.containers.trace-syscall',
  'io.podman.annotations.',
]

/**
 * The annotations that an image config implies, its labels winning over the rest; empty fields make none.
 *
 * @param onReserved is told the name of each label that is left out because a runtime would obey it
 * @see image-spec v1.1.1 conversion.md "Annotation Fields"
 */
export function imageAnnotations(image: ImageConfig, onReserved: (name: string) => void): Record<string, string> {
  const { config = {} } = image
  const implied: Record<string, string | undefined> = {
    os: image.os,
    architecture: image.architecture,
    variant: image.variant,
    'os.version': image['os.version'],
    'os.features': image['os.features']?.join(','),
    author: image.author,
    created: image.created,
    stopSignal: config.StopSignal,
    exposedPorts: Object.keys(config.ExposedPorts ?? {})
      .sort()
      .join(','),
  }
  const annotations = new Map<string, string>()
  for (const [name, value] of Object.entries(implied)) {
    if (value !== undefined && value !== '') annotations.set(`org.opencontainers.image.${name}`, value)
  }
  for (const [name, value] of Object.entries(config.Labels ?? {})) {
    if (reservedPrefixes.some((prefix) => name.startsWith(prefix))) onReserved(name)
    else annotations.set(name, value)
  }
  return Object.fromEntries(annotations)
}
