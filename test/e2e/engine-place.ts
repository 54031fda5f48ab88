import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { isThere } from '../requirements.ts'

export const tool: string = join(import.meta.dirname, '../../bin/bundle-tool')
export const image: string = join(import.meta.dirname, '../../fixtures/busybox.tar')

/** How many times longer than usual this machine may take: an emulated one needs it. */
export const slowness: number = Number(process.env.SLOWNESS ?? 1)

/** The runtimes that engines are tried with: ours first. crun is there on cgroup v2 alone: it refuses other hierarchies. */
export const runtimes: readonly string[] = [
  'bundle-tool',
  'runc',
  ...(isThere('crun') && isThere('cgroup2') ? ['crun'] : []),
]

/** The path that a runtime is called by where an engine does not know names. */
export const pathOf = (runtime: string): string =>
  runtime === 'bundle-tool' ? tool : execFileSync('sh', ['-c', `command -v ${runtime}`], { encoding: 'utf8' }).trim()

/** Who makes cgroups for engines: systemd where it runs and has them all. */
export const cgroupDriver: 'systemd' | 'cgroupfs' =
  existsSync('/run/systemd/system') && isThere('cgroup2') ? 'systemd' : 'cgroupfs'

export interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A container engine in a directory of its own: its client, and its daemon where it has one. */
export class EnginePlace {
  readonly directory: string
  readonly env: NodeJS.ProcessEnv
  readonly #daemons: ChildProcess[] = []

  constructor(name: string, env: (directory: string) => Readonly<Record<string, string>> = () => ({})) {
    this.directory = mkdtempSync(join(tmpdir(), `${name}-`))
    this.env = { ...process.env, ...env(this.directory) }
  }

  at(name: string): string {
    return join(this.directory, name)
  }

  /** Calls a program to its end. */
  call(command: readonly string[], input = ''): Outcome {
    const [program = '', ...args] = command
    const { status, stdout, stderr } = spawnSync(program, args, {
      cwd: this.directory, // conmon writes a file "oom" there
      env: this.env,
      input,
      encoding: 'utf8',
      timeout: 60_000 * slowness,
    })
    return { status, stdout, stderr }
  }

  /** Calls it on a terminal, whose other end has nothing to say; what it writes comes back as lines. */
  callOnTerminal(command: readonly string[]): Outcome {
    const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
    const { status, stdout, stderr } = this.call(['script', '-qec', quoted, '/dev/null'])
    // script(1) ends the input with a NUL, which the terminal may show.
    return { status, stdout: stdout.replaceAll(/\0|\^@/g, '').replaceAll('\r', ''), stderr }
  }

  /** Starts a daemon, and returns when the probe succeeds; its log is in the failure. */
  async start(command: readonly string[], probe: readonly string[]): Promise<void> {
    const [program = '', ...args] = command
    const log = openSync(this.at('log'), 'a')
    const daemon = spawn(program, args, { env: this.env, stdio: ['ignore', log, log], detached: true })
    this.#daemons.push(daemon)
    await vi.waitFor(
      () => {
        if (this.call(probe).status !== 0) throw new Error(readFileSync(this.at('log'), 'utf8').slice(-2000))
      },
      { timeout: 30_000 * slowness, interval: 100 },
    )
  }

  /** Ends the daemons, newest first. */
  async stop(): Promise<void> {
    for (let daemon = this.#daemons.pop(); daemon !== undefined; daemon = this.#daemons.pop()) {
      const exited = once(daemon, 'exit')
      daemon.kill('SIGTERM')
      await exited
    }
  }

  /** Ends the daemons, and removes the directory. */
  async close(): Promise<void> {
    await this.stop()
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** The image of the fixture as this tool writes it: an archive that was copied, one that was repacked, and a bare rootfs. */
export interface WrittenImages {
  /** Named `example.com/copied:1`, for docker. */
  readonly copied: string
  /** Named `example.com/repacked:1`, for docker: the same with a file `/new` and without `/etc/passwd`. */
  readonly repacked: string
  /** The same rootfs, as a tar archive. */
  readonly exported: string
  /** Digest of the image config of `copied`, which is the ID of the image. */
  readonly id: string
}

export function writeImages(place: EnginePlace): WrittenImages {
  const run = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = place.call([tool, ...args])
    if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`)
    return stdout
  }
  const [copied, repacked, exported] = ['copied.tar', 'repacked.tar', 'exported.tar'].map((name) => place.at(name))
  if (copied === undefined || repacked === undefined || exported === undefined) throw new Error('there are three names')
  const [layout, bundle] = [`oci:${place.at('layout')}`, place.at('to-repack')]
  run('copy', `oci-archive:${image}`, `docker-archive:${copied}:example.com/copied:1`)
  run('copy', `oci-archive:${image}`, `${layout}:base`)
  run('unpack', `${layout}:base`, '--out', bundle)
  writeFileSync(join(bundle, 'rootfs/new'), 'new\n')
  rmSync(join(bundle, 'rootfs/etc/passwd'))
  run('repack', bundle, '--image', `${layout}:repacked`)
  run('copy', `${layout}:repacked`, `docker-archive:${repacked}:example.com/repacked:1`)
  run('export', bundle, '--output', exported)
  const { image: inspected } = JSON.parse(run('inspect', '--json', `docker-archive:${copied}`))
  return { copied, repacked, exported, id: inspected.manifest.config.digest }
}

/**
 * Expects an engine to run more processes of its container "demo" by a program for each way of calling, whatever they are.
 * @param root where the state of containers is, or above that
 */
export function expectKeptPrograms(engine: (...args: string[]) => Outcome, root: string): void {
  const id = engine('inspect', '--format', '{{.Id}}', 'demo').stdout.trim()
  const programs = () => keptPrograms(root, id)
  expect(engine('exec', 'demo', 'true').status).toBe(0)
  const first = programs()
  expect(first).toHaveLength(1)
  expect(engine('exec', 'demo', 'echo', '"<').stdout).toBe('"<\n')
  expect(programs()).toEqual(first)
  expect(engine('exec', '-u', '1', 'demo', 'true').status).toBe(0)
  expect(programs()).toHaveLength(2)
  expect(engine('exec', '-t', 'demo', 'true').status).toBe(0)
  expect(programs()).toHaveLength(3)
  expect(engine('exec', '-t', 'demo', 'tty').stdout).toMatch(/^\/dev\/pts\/\d+\r\n$/)
  expect(programs()).toHaveLength(3)
}

/** A program that is written anew is another. */
function keptPrograms(root: string, id: string): readonly string[] {
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  const isKept = (path: string): boolean => path.includes(`${id}/.program-`)
  return files.filter(isKept).map((path) => `${path} ${statSync(join(root, path)).ino}`)
}

/** The words of an error, without what differs between runtimes by right: their names, and where config.json is at fault. */
export function inCommonWords({ status, stdout, stderr }: Outcome): Outcome {
  return {
    status,
    stdout,
    stderr: stderr
      .replaceAll('runc', 'bundle-tool')
      .replace(/ \(from config\.json#[^)]*\)/g, '')
      // Since 1.2, runc says this of a command that is not there, too.
      .replace('error during container init: exec:', 'exec:'),
  }
}
