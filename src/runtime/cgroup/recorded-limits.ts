import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { OciError } from '../../errors.ts'
import { formatExactJson, type Integer, parseExactJson } from '../../oci/json.ts'
import { checkJsonLimits, maxStateStrings } from '../../oci/json-limits.ts'
import type { CPU, IntelRdt, Memory, Resources, WeightDevice } from '../../oci/runtime-config.ts'
import { stateFile } from '../../program/contract.ts'
import { libcontainerLimits } from '../libcontainer/cgroup.ts'

/**
 * The limits of a container that are recorded in state.json, by this tool or by runc, as far as other limits depend on
 * them.
 */
export interface RecordedLimits {
  /** The document that they were read from. */
  readonly document: StateDocument
  readonly memory: Memory
  readonly cpu: CPU
  readonly weightDevice: readonly WeightDevice[]
}

/**
 * Reads the recorded limits of a container.
 * @param directory the container's directory, with its state.json
 * @throws OciError `ERR_STATE_INVALID`
 */
export function readRecordedLimits(directory: string): RecordedLimits {
  const document = readState(directory)
  const { cgroups } = document
  const integer = (name: string): Integer | undefined => {
    const value = cgroups[name]
    return typeof value === 'number' || typeof value === 'bigint' ? value : undefined
  }
  return {
    document,
    memory: {
      limit: integer('memory'),
      swap: integer('memory_swap'),
      reservation: integer('memory_reservation'),
      checkBeforeUpdate: cgroups.memory_check_before_update === true,
    },
    cpu: {
      shares: integer('cpu_shares'),
      quota: integer('cpu_quota'),
      period: integer('cpu_period'),
      burst: integer('cpu_burst'),
    },
    weightDevice: weightDevices(cgroups.blkio_weight_device),
  }
}

function weightDevices(value: unknown): readonly WeightDevice[] {
  if (!Array.isArray(value)) return []
  return value.flatMap((item) => {
    const { major, minor, weight } = asObject(item) ?? {}
    if (typeof major !== 'number' || typeof minor !== 'number' || typeof weight !== 'number') return []
    return [{ major, minor, weight }]
  })
}

/**
 * Records limits in state.json, in addition to or in place of those there; the rest stays unchanged. Atomic.
 * @param document what was read of it before: it is read again where it has been replaced since
 */
export function recordLimits(document: StateDocument, resources: Resources, intelRdt: IntelRdt = {}): void {
  const { file, state, config, cgroups } =
    identityOf(document.file) === document.identity ? document : readState(dirname(document.file))
  const set = Object.entries(libcontainerLimits(resources)).filter(([, value]) => value !== undefined)
  const unified = resources.unified && { unified: { ...asObject(cgroups.unified), ...resources.unified } }
  const schemata = {
    ...(intelRdt.l3CacheSchema && { l3_cache_schema: intelRdt.l3CacheSchema }),
    ...(intelRdt.memBwSchema && { memBwSchema: intelRdt.memBwSchema }),
  }
  const rdt = Object.keys(schemata).length > 0 && { intel_rdt: { ...asObject(config.intel_rdt), ...schemata } }
  const limits = { cgroups: { ...cgroups, ...Object.fromEntries(set), ...unified } }
  const changed = { ...state, config: { ...config, ...limits, ...rdt } }
  replaceFile(file, formatExactJson(changed, ''))
}

/**
 * Replaces a file atomically. The temporary name is this process's own, but a killed process with the same pid may have
 * left one.
 */
function replaceFile(file: string, text: string): void {
  const temporary = `${file}.${process.pid}`
  rmSync(temporary, { force: true })
  try {
    writeFileSync(temporary, text, { mode: statSync(file).mode, flag: 'wx' })
    renameSync(temporary, file)
  } finally {
    rmSync(temporary, { force: true })
  }
}

type JsonObject = Readonly<Record<string, unknown>>

interface StateDocument {
  readonly file: string
  /** The identity of the file, which one that replaces it does not have. */
  readonly identity: string
  readonly state: JsonObject
  readonly config: JsonObject
  readonly cgroups: JsonObject
}

function readState(directory: string): StateDocument {
  const file = join(directory, stateFile)
  const identity = identityOf(file) // before the text, which may then be newer, and is never older
  const text = readFileSync(file, 'utf8')
  checkJsonLimits(text, maxStateStrings)
  const state = asObject(parseExactJson(text))
  const config = asObject(state?.config)
  const cgroups = asObject(config?.cgroups)
  if (state === undefined || config === undefined || cgroups === undefined) {
    throw new OciError('ERR_STATE_INVALID', `${file}: config.cgroups is not an object`)
  }
  return { file, identity, state, config, cgroups }
}

function identityOf(file: string): string {
  const { ino, ctimeNs } = statSync(file, { bigint: true })
  return `${ino} ${ctimeNs}`
}

function asObject(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
}
