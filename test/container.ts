import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { defaultConfig } from '../src/bundle/default-config.ts'
import { isSystemError } from '../src/errors.ts'
import type { Linux, Process, RuntimeConfig } from '../src/oci/runtime-config.ts'
import { cgroupsNamed } from './cgroup-directories.ts'
import { engine, otherCommandLines, tool } from './command-line.ts'

export interface ConfigChange {
  readonly config?: Partial<RuntimeConfig>
  readonly process?: Partial<Process>
  readonly linux?: Partial<Linux>
}

/** The IDs of the host that a container in a user namespace has. */
export const mapped = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
/** A container in namespaces of every kind but that of time, as the user 100000 of the host. */
export const userNamespace: ConfigChange = {
  linux: {
    namespaces: (['pid', 'network', 'ipc', 'uts', 'mount', 'user', 'cgroup'] as const).map((type) => ({ type })),
    uidMappings: mapped,
    gidMappings: mapped,
  },
}

export interface Finished {
  /** The exit code, or the name of the signal that ended the tool. */
  readonly end: number | NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

interface CallOptions {
  readonly input?: string
  readonly cwd?: string
  /** Another command, which runs the tool. */
  readonly under?: readonly string[]
}

/** A result without what differs from one moment to the next: the time, and the memory in use. */
const withoutTimes = ({ stderr, ...rest }: Finished): Finished => ({
  ...rest,
  stderr: stderr.replaceAll(/("time":|time=)"[^"]*"/g, '').replaceAll(/\busage:? \d+/g, 'usage'),
})

/** A bundle with a busybox rootfs and a state root, both of one test. */
export class ContainerPlace {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'container-'))
  readonly bundle: string = join(this.directory, 'bundle')
  readonly root: string = join(this.directory, 'root')
  /**
   * A call that fails leaves nothing behind, so that the other command lines are asked for the same, and must give the same bytes.
   * False where a failure does change something: a hook has run, a log was written, or an agent has ended.
   */
  comparesErrors = true
  readonly #running: ChildProcess[] = []

  constructor() {
    chmodSync(this.directory, 0o755)
    const bin = join(this.bundle, 'rootfs/bin')
    mkdirSync(bin, { recursive: true })
    execFileSync('cp', ['/bin/busybox', join(bin, 'busybox')])
    const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean)
    for (const applet of applets.filter((name) => name !== 'busybox')) linkSync(join(bin, 'busybox'), join(bin, applet))
  }

  /** Writes config.json: the default one that runs a shell script, changed. */
  configure(script: string, change: ConfigChange = {}): RuntimeConfig {
    const [uid, gid] = [process.geteuid?.() ?? 0, process.getegid?.() ?? 0]
    const base = defaultConfig({ rootless: uid !== 0, cgroupNamespace: false, uid, gid })
    const config: RuntimeConfig = {
      ...base,
      ...change.config,
      process: { ...base.process, terminal: false, args: ['sh', '-c', script], cwd: '/', ...change.process } as Process,
      linux: { ...base.linux, ...change.linux },
    }
    this.write(config)
    return config
  }

  write(config: RuntimeConfig): void {
    writeFileSync(join(this.bundle, 'config.json'), JSON.stringify(config))
  }

  /** Makes this id the owner of all of the rootfs. */
  giveRootfsTo(id: number): void {
    execFileSync('chown', ['-R', `${id}:${id}`, join(this.bundle, 'rootfs')])
  }

  /** Runs a command of the tool to its end; what it leaves running holds no output open. */
  tool(args: readonly string[], options: CallOptions = {}): Finished {
    const finished = this.#call([engine, tool], args, options)
    if (this.comparesErrors && finished.end !== 0 && finished.stderr !== '') {
      for (const words of otherCommandLines) {
        expect(withoutTimes(this.#call(words, args, options)), words[0]).toEqual(withoutTimes(finished))
      }
    }
    return finished
  }

  #call(words: readonly string[], args: readonly string[], options: CallOptions): Finished {
    const [out, err] = ['stdout', 'stderr'].map((name) => join(this.directory, name)) as [string, string]
    const command = 'exec "$@" >"$OUT" 2>"$ERR"'
    const { status, signal } = spawnSync(
      '/bin/sh',
      ['-c', command, 'sh', ...(options.under ?? []), ...words, '--root', this.root, ...args],
      {
        input: options.input ?? '',
        cwd: options.cwd ?? this.directory,
        env: { ...process.env, OUT: out, ERR: err },
        timeout: 120_000,
        killSignal: 'SIGKILL',
      },
    )
    return { end: signal ?? status, stdout: readFileSync(out, 'utf8'), stderr: readFileSync(err, 'utf8') }
  }

  /** Configures and runs a script in the foreground. */
  run(script: string, change: ConfigChange = {}, ...flags: readonly string[]): Finished {
    this.configure(script, change)
    return this.tool(['run', ...flags, '-b', this.bundle, this.id])
  }

  /** Starts a command of the tool and goes on; ended by `close`. */
  start(args: readonly string[]): ChildProcess & { readonly stdout: NodeJS.ReadableStream } {
    const child = spawn(engine, [tool, '--root', this.root, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#running.push(child)
    return child
  }

  /** Unique on the machine: cgroups are named after it. */
  get id(): string {
    return this.directory.split('/').at(-1) ?? ''
  }

  /** The state root, but for the programs and filters that are kept there. */
  states(): readonly string[] {
    const names = existsSync(this.root) ? readdirSync(this.root) : []
    return names.filter((name) => !/^\.(program|filter)-/.test(name))
  }

  /** The remains of the container on the machine: none, after its end. */
  leftovers(): readonly string[] {
    const state = this.states().map((name) => `state ${name}`)
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(this.directory))
    return [...state, ...cgroupsNamed(this.id), ...mounts, ...this.processes()]
  }

  /** Processes whose root or current directory is in the bundle's rootfs, or that run from it. */
  processes(): readonly string[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) =>
        ['exe', 'root', 'cwd'].some((link) => readLink(`/proc/${pid}/${link}`).startsWith(`${this.bundle}/rootfs`)),
      )
      .map((pid) => `process ${pid}`)
  }

  async close(): Promise<void> {
    for (const id of this.states()) this.tool(['delete', '-f', id])
    for (const child of this.#running) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(this.directory, { recursive: true, force: true })
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path)
  } catch (error) {
    if (isSystemError(error)) return '' // the process has ended, or is a thread of the kernel
    throw error
  }
}
