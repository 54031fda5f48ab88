import { networkAnnotations } from '../../oci/network-annotations.ts'
import type { RuntimeConfig } from '../../oci/runtime-config.ts'
import type { ListFlag, SwitchFlag, TextFlag } from './flag.ts'
import { list, refusal, text, toggle } from './flag.ts'
import { entrypointAnnotation } from './process.ts'
import { splitAssignment } from './values.ts'

/** Annotations that are other flags' own. */
const ownAnnotations: readonly string[] = [entrypointAnnotation, ...Object.values(networkAnnotations)]
const stopSignalAnnotation = 'org.opencontainers.image.stopSignal'
/** The longest name that Linux keeps, in bytes (`__NEW_UTS_LEN`). */
const maxHostnameBytes = 64

export const hostname: TextFlag = text(
  { placeholder: 'name', help: "the container's host name" },
  {
    parse: (name) => {
      const isName = /^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(name) && name.length <= maxHostnameBytes
      if (isName) return name
      throw refusal(`it must be at most ${maxHostnameBytes} letters, digits, "-" and "."`)
    },
    apply: (config, name) => {
      const hasOwn = config.linux?.namespaces?.some(({ type }) => type === 'uts')
      if (!hasOwn) throw refusal("the container has the host's name", 'add {"type": "uts"} to linux.namespaces')
      return { ...config, hostname: name }
    },
    show: (config, base) => (config.hostname === base.hostname ? undefined : config.hostname),
  },
)

export const readOnly: SwitchFlag = toggle(
  { help: 'let nothing be written to the rootfs', negation: 'let it be written to: the default of images' },
  {
    apply: (config, readonly) => {
      const { readonly: _, ...root } = config.root
      return { ...config, root: readonly ? { ...root, readonly } : root }
    },
    show: ({ root: { readonly = false } }, base) => (readonly === (base.root.readonly ?? false) ? undefined : readonly),
  },
)

export const stopSignal: TextFlag = text(
  { placeholder: 'signal', help: 'what "stop" sends first' },
  {
    parse: (signal, { parseSignal }) => {
      if (signal === '' || parseSignal(signal) === 0) throw refusal('it must be a signal, as SIGTERM or 15')
      return signal
    },
    apply: (config, signal) => withAnnotations(config, [[stopSignalAnnotation, signal]]),
    show: ({ annotations }) => annotations?.[stopSignalAnnotation],
  },
)

export const label: ListFlag = list(
  { placeholder: 'NAME=value', help: 'an annotation; the value may be left out' },
  { parse: (value) => parseAnnotation(value, ''), apply: withAnnotations, show: () => [] },
)

export const annotation: ListFlag = list(
  { placeholder: 'NAME=value', help: 'an annotation, which runtimes and hooks may read' },
  {
    parse: (value) => parseAnnotation(value, undefined),
    apply: withAnnotations,
    show: ({ annotations = {} }) =>
      Object.entries(annotations)
        .filter(([name]) => !ownAnnotations.includes(name) && name !== stopSignalAnnotation)
        .map(([name, value]) => `${name}=${value}`),
  },
)

function parseAnnotation(text: string, missing: string | undefined): readonly [name: string, value: string] {
  const [name, value = missing] = splitAssignment(text)
  if (name === '' || value === undefined) throw refusal('it must be NAME=value')
  if (ownAnnotations.includes(name)) throw refusal(`this name is the one of --${name.slice('bundle-tool.'.length)}`)
  return [name, value]
}

function withAnnotations(
  config: RuntimeConfig,
  added: readonly (readonly [name: string, value: string])[],
): RuntimeConfig {
  return { ...config, annotations: { ...config.annotations, ...Object.fromEntries(added) } }
}
