import type { ImageConfig } from '../oci/image-config.ts'

/**
 * Prefixes of annotations that change what a runtime does on the host, so that an image must not set them: those of crun,
 * krun and wasm handlers, CRIU, systemd units, Kata, CRI-O, hooks that react to annotations, and this tool.
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
  'bundle-tool.',
]

/**
 * Converts fields and labels of an image config to annotations. Labels override fields; empty fields are left out.
 *
 * @param onReserved receives the name of each label that is left out because a runtime would act on it
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
