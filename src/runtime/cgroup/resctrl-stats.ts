import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ResctrlFacts } from '../../compile/facts.ts'
import type { Integer } from '../../oci/json.ts'
import type { ContainerRecord } from '../state-file.ts'
import { readControl } from './cgroup.ts'
import { omitEmpty, readInteger, toInteger } from './stat-files.ts'

/**
 * Limits and usage of caches and memory bandwidth of a container, in runc's members; empty without Intel RDT.
 * @see runc types/events.go "IntelRdt"
 */
export interface ResctrlStats {
  readonly l3_cache_info?: object | undefined
  readonly l3_cache_schema_root?: string | undefined
  readonly l3_cache_schema?: string | undefined
  readonly mem_bw_info?: object | undefined
  readonly mem_bw_schema_root?: string | undefined
  readonly mem_bw_schema?: string | undefined
  readonly schemata?: readonly string[] | undefined
  /** For each cache: bytes transferred to and from memory. */
  readonly mbm_stats?: readonly { readonly mbm_total_bytes: Integer; readonly mbm_local_bytes: Integer }[] | undefined
  /** For each cache: bytes of it in use. */
  readonly cmt_stats?: readonly { readonly llc_occupancy: Integer }[] | undefined
}

export function readResctrlStats(groups: ContainerRecord['resctrl'], resctrl: ResctrlFacts | undefined): ResctrlStats {
  if (groups === undefined || resctrl === undefined) return {}
  const info = (file: string): string => readControl(join(resctrl.mountPoint, 'info'), file)?.trim() ?? ''
  const number = (file: string): Integer => toInteger(info(file))
  const [all, own] = [linesOf(resctrl.mountPoint), linesOf(groups.path)]
  const find = (lines: readonly string[], kind: string): string | undefined =>
    lines.findLast((line) => line.includes(kind))?.trim()
  const cache = resctrl.hasCache && {
    l3_cache_info: omitEmpty({
      cbm_mask: info('L3/cbm_mask'),
      min_cbm_bits: number('L3/min_cbm_bits'),
      num_closids: number('L3/num_closids'),
    }),
    l3_cache_schema_root: find(all, 'L3'),
    l3_cache_schema: find(own, 'L3'),
  }
  const bandwidth = resctrl.hasBandwidth && {
    mem_bw_info: omitEmpty({
      bandwidth_gran: number('MB/bandwidth_gran'),
      delay_linear: number('MB/delay_linear'),
      min_bandwidth: number('MB/min_bandwidth'),
      num_closids: number('MB/num_closids'),
    }),
    mem_bw_schema_root: find(all, 'MB'),
    mem_bw_schema: find(own, 'MB'),
  }
  return { ...cache, ...bandwidth, schemata: own, ...monitoringOf(groups, info('L3_MON/mon_features').split('\n')) }
}

/** The usage of a monitoring group; without one of its own, that of all containers in its class of service. */
function monitoringOf(groups: NonNullable<ContainerRecord['resctrl']>, features: readonly string[]): ResctrlStats {
  const data = join(groups.monitoring ?? groups.path, 'mon_data')
  const caches = existsSync(data) ? readdirSync(data).map((name) => join(data, name)) : []
  const value = (directory: string, file: string): Integer =>
    features.includes(file) ? (readInteger(directory, file) ?? 0) : 0
  const hasBandwidth = features.includes('mbm_total_bytes') || features.includes('mbm_local_bytes')
  return {
    ...(hasBandwidth && {
      mbm_stats: caches.map((cache) => ({
        mbm_total_bytes: value(cache, 'mbm_total_bytes'),
        mbm_local_bytes: value(cache, 'mbm_local_bytes'),
      })),
    }),
    ...(features.includes('llc_occupancy') && {
      cmt_stats: caches.map((cache) => ({ llc_occupancy: value(cache, 'llc_occupancy') })),
    }),
  }
}

function linesOf(group: string): readonly string[] {
  return readFileSync(join(group, 'schemata'), 'utf8').trim().split('\n')
}
