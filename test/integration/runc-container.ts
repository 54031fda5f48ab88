import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultConfig } from '../../src/bundle/default-config.ts'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'

/** A place for the containers of a test: a bundle with a static busybox, and a state root. */
export interface Workshop {
  readonly bundle: string
  readonly root: string
  /** Runs runc with this root; what it prints, or an error with what it says. */
  readonly runc: (...args: string[]) => string
  /** Writes config.json: the default one that runs `sleep`, changed. */
  readonly configure: (change?: (config: RuntimeConfig) => RuntimeConfig) => RuntimeConfig
  /** Deletes every container and the place itself. */
  readonly close: () => void
}

export function openWorkshop(): Workshop {
  const directory = mkdtempSync(join(tmpdir(), 'lifecycle-'))
  const [bundle, root] = [join(directory, 'bundle'), join(directory, 'root')]
  chmodSync(directory, 0o755)
  mkdirSync(join(bundle, 'rootfs/bin'), { recursive: true })
  copyFileSync('/bin/busybox', join(bundle, 'rootfs/bin/busybox'))

  const runc = (...args: string[]): string => {
    // A file, not a pipe: a created container keeps its standard error open.
    const log = join(directory, 'stderr')
    const result = spawnSync('runc', ['--root', root, ...args], {
      stdio: ['ignore', args[0] === 'create' ? 'ignore' : 'pipe', openSync(log, 'w')],
      encoding: 'utf8',
    })
    if (result.status !== 0) throw new Error(readFileSync(log, 'utf8'))
    return result.stdout ?? ''
  }
  const configure: Workshop['configure'] = (change = (config) => config) => {
    const base = defaultConfig({ rootless: false, cgroupNamespace: false, uid: 0, gid: 0 })
    const process = { ...base.process, terminal: false, args: ['/bin/busybox', 'sleep', '1000'] }
    const config = change({ ...base, process })
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(config))
    return config
  }
  const close = (): void => {
    for (const id of runc('list', '-q').split('\n').filter(Boolean)) runc('delete', '-f', id)
    rmSync(directory, { recursive: true })
  }
  return { bundle, root, runc, configure, close }
}

/** A config whose container sees the host's processes. */
export const withoutPidNamespace = (config: RuntimeConfig): RuntimeConfig => ({
  ...config,
  linux: { ...config.linux, namespaces: config.linux?.namespaces?.filter(({ type }) => type !== 'pid') },
})

/** A config whose container runs a shell script. */
export const running = (script: string, config: RuntimeConfig): RuntimeConfig => ({
  ...config,
  process: { ...config.process, args: ['/bin/busybox', 'sh', '-c', script] },
})
