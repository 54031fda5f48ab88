import { posix } from 'node:path'
import type { Mount, RuntimeConfig } from '../../oci/runtime-config.ts'
import type { ConfigChanges } from './config-changes.ts'
import { type ListFlag, list, refusal, type TextFlag, text } from './flag.ts'
import { isSame } from './merge-document.ts'
import { destinationOfMount, parseMount } from './mount-keys.ts'
import { bindMount, parseBindOptions, parseTmpfs, showTmpfs } from './mount-values.ts'
import { comesWithNetwork } from './names.ts'
import { parseBytes } from './values.ts'

export const volume: ListFlag = list(
  {
    letter: 'v',
    placeholder: 'source:target[:options]',
    help: 'a directory or file of the host, and where it is in the container; ":ro" to read only',
  },
  {
    parse: (value, around) => {
      const { source, target, options } = splitVolume(value)
      return bindMount({ source, target, ...parseBindOptions(options, around) }, around)
    },
    apply: placeMounts,
    show: (config, base) => added(config, base).flatMap(showVolume),
  },
)

export const mount: ListFlag = list(
  {
    placeholder: 'type=..,target=..',
    help: 'a mount, as type=bind,source=S,target=T[,readonly] or type=tmpfs,target=T',
  },
  { parse: parseMount, apply: placeMounts, show: () => [] },
)

export const tmpfs: ListFlag = list(
  { placeholder: 'target[:options]', help: 'an empty directory in memory, with options as "size=64m,mode=1777,exec"' },
  {
    parse: parseTmpfs,
    apply: placeMounts,
    show: (config, base) => added(config, base).flatMap(showTmpfs),
  },
)

const shm = { destination: '/dev/shm', type: 'tmpfs', source: 'shm' }

export const shmSize: TextFlag = text(
  { placeholder: 'size', help: 'the size of /dev/shm, e.g. 256m' },
  {
    parse: parseBytes,
    apply: (config, bytes) => {
      const found = config.mounts?.find(({ destination }) => destination === shm.destination)
      if (found !== undefined && found.type !== 'tmpfs') throw refusal('/dev/shm is no tmpfs of the container')
      const { options = ['nosuid', 'noexec', 'nodev', 'mode=1777'] } = found ?? {}
      const others = options.filter((option) => !option.startsWith('size='))
      return placeMounts(config, [{ ...(found ?? shm), options: [...others, `size=${bytes}`] }])
    },
    show: (config, base) => {
      const [own, other] = [config, base].map(({ mounts }) =>
        mounts?.find(({ destination }) => destination === shm.destination),
      )
      return isSame(own, other) ? undefined : own?.options?.find((option) => option.startsWith('size='))?.slice(5)
    },
  },
)

/** `SOURCE:TARGET[:OPTIONS]` in its parts. */
function splitVolume(value: string) {
  const [source = '', target, options = '', ...rest] = value.split(':')
  if (rest.length > 0) throw refusal('it has too many colons', 'use --mount for a path with a colon')
  if (target === undefined) {
    throw refusal("a volume without a source is an engine's", `use --tmpfs ${source}, or a directory as source`)
  }
  return { source, target, options }
}

/** A mount takes the place of the one that is at its target. Another one comes before those below it, which it would hide. */
function placeMounts(config: RuntimeConfig, mounts: readonly Mount[]): RuntimeConfig {
  return { ...config, mounts: mounts.reduce(placeMount, config.mounts ?? []) }
}

function placeMount(mounts: readonly Mount[], mount: Mount): readonly Mount[] {
  const same = mounts.findIndex(({ destination }) => destination === mount.destination)
  if (same >= 0) return mounts.with(same, mount)
  const below = mounts.findIndex(({ destination }) => destination.startsWith(`${mount.destination}/`))
  return mounts.toSpliced(below < 0 ? mounts.length : below, 0, mount)
}

/** Refuses two mounts at one place, of which one would be hidden. */
export function checkMountPoints({ volume = [], mount = [], tmpfs = [] }: ConfigChanges): void {
  const targets = [
    ...volume.map((value) => value.split(':')[1]),
    ...mount.map(destinationOfMount),
    ...tmpfs.map((value) => value.split(':')[0]),
  ].map((target) => posix.join('/', target ?? '').replace(/(?<=.)\/$/, ''))
  const twice = targets.find((target, index) => target !== '/' && targets.indexOf(target) !== index)
  if (twice !== undefined) throw refusal(`two mounts are to be at "${twice}"`)
}

const added = (config: RuntimeConfig, base: RuntimeConfig): readonly Mount[] =>
  (config.mounts ?? []).filter(
    (one) =>
      one.destination !== shm.destination &&
      !base.mounts?.some((other) => isSame(one, other)) &&
      !comesWithNetwork(config, one),
  )

function showVolume({ destination, type, source = '', options = [] }: Mount): readonly string[] {
  const isBind = options.some((option) => option === 'bind' || option === 'rbind')
  if (type !== 'bind' || !isBind || !source.startsWith('/') || `${source}${destination}`.includes(':')) return []
  const others = options.filter((option) => option !== 'rbind' && option !== 'rprivate')
  return [[source, destination, ...(others.length > 0 ? [others.join(',')] : [])].join(':')]
}
