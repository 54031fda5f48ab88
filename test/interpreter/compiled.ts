import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { defaultConfig } from '../../src/bundle/default-config.ts'

const built = join(import.meta.dirname, '../../dist')
const script = join(built, 'bin/compiler.js')

/** The code of the interpreter, in Node.js, started as the interpreter is. */
export const nodeCompiler: string = join(import.meta.dirname, 'node-compiler.cjs')

/** The ways to compile a call. */
const compilers = {
  node: [process.execPath, nodeCompiler, script],
  interpreter: [join(built, 'bundle-tool-interpreter'), script],
} as const

export type CompilerName = keyof typeof compilers

export interface Compiled {
  /** The exit code, or the signal; of a compiler that has given a program it means nothing. */
  readonly end: number | string | null
  readonly stderr: string
  /** The message of the handover, in hexadecimal; empty: there is no program. */
  readonly message: string
  /** The files that are left in the state root, by name. */
  readonly kept: Readonly<Record<string, string>>
}

/** A bundle whose calls are compiled, and nothing is run. */
export class CompilePlace {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'interpreter-compile-'))
  readonly root: string = join(this.directory, 'root')

  constructor() {
    mkdirSync(join(this.directory, 'rootfs'))
  }

  writeConfig(text: string | Uint8Array): void {
    writeFileSync(join(this.directory, 'config.json'), text)
  }

  /** Compiles a call in the bundle's directory, with a state root that has nothing in it unless `keep` says to leave it. */
  compile(compiler: CompilerName, args: readonly string[], { keep = false, env = {} } = {}): Compiled {
    if (!keep) rmSync(this.root, { recursive: true, force: true })
    const path = join(this.directory, 'message')
    const fd = openSync(path, 'w')
    const [binary = '', ...words] = compilers[compiler]
    const { status, signal, stderr } = spawnSync(binary, [...words, '--root', this.root, ...args], {
      cwd: this.directory,
      env: { PATH: '/usr/bin:/bin', ...env, BUNDLE_TOOL_HANDOVER: '3' },
      stdio: ['ignore', 'ignore', 'pipe', fd],
      timeout: 60_000,
    })
    closeSync(fd)
    const hasProgram = readFileSync(path).length > 0
    return {
      end: hasProgram ? null : (signal ?? status),
      stderr: stderr.toString().replace(/time="[^"]*"/g, ''),
      message: readFileSync(path, 'hex'),
      kept: Object.fromEntries(readFilesOf(this.root)),
    }
  }

  close(): void {
    rmSync(this.directory, { recursive: true })
  }
}

/** The time on processors of children that this process has waited for. @see man 5 proc_pid_stat */
export function cpuSecondsOfChildren(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[13]) + Number(fields[14])) / 100
}

/** A name with the pid of its writer is left by nobody who has ended. */
function readFilesOf(root: string): (readonly [string, string])[] {
  try {
    return readdirSync(root).map((name) => [name, readFileSync(join(root, name), 'hex')] as const)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** The text of a config.json that is compiled without help. */
export const plainConfig = (): Record<string, unknown> => {
  const config = defaultConfig({ rootless: false, cgroupNamespace: false, uid: 0, gid: 0 })
  return { ...config, process: { ...config.process, terminal: false } }
}
