import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const built = join(import.meta.dirname, '../../dist')
/** Runs a program from source in the engine of the interpreter, with the modules of src/interpreter. */
const workbench = join(built, '.cargo/release/bytecode')

export interface InBothOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** The value of `input` in the script: one of JSON. */
  readonly input?: unknown
}

/**
 * Runs the body of an async function in Node.js and in the interpreter: what it returns there, as JSON has it. It has
 * `require`, `process`, `Buffer`, TextEncoder, `input`, and `attempt(call)`: what a call returns, or the error that it throws.
 */
export function inBoth(body: string, { cwd, env = {}, input = null }: InBothOptions = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'interpreter-'))
  const file = (name: string): string => join(directory, name)
  const code = `(function (exports, require, module, __filename) {
    const attempt = (call) => {
      try {
        return { value: call() }
      } catch (error) {
        const { name, message, code, errno, syscall, path, dest } = error
        return { name, ...(syscall ? { message } : {}), code, errno, syscall, path, dest }
      }
    }
    const { readFileSync, writeFileSync } = require('node:fs')
    exports.compileCall = async () => {
      const input = JSON.parse(readFileSync(${JSON.stringify(file('input'))}, 'utf8'))
      const result = await (async () => { ${body} })()
      writeFileSync(process.env.RESULT, JSON.stringify(result, (_, value) => typeof value === 'bigint' ? value + 'n' : value) ?? 'undefined')
    }
  })`
  try {
    writeFileSync(file('input'), JSON.stringify(input))
    writeFileSync(file('script.mjs'), `export default ${code}`)
    writeFileSync(file('script.cjs'), `const made = {}; ${code}(made, require, module, __filename); made.compileCall()`)
    const run = (name: string, command: readonly string[]): unknown => {
      const options = { cwd, env: { ...env, RESULT: file(name) }, encoding: 'utf8', timeout: 60_000 } as const
      const [binary = '', ...args] = command
      const { status, signal, stderr } = spawnSync(binary, args, options)
      if (signal !== null || stderr !== '') throw new Error(`${name}: ${signal ?? status}: ${stderr}`)
      const text = readFileSync(file(name), 'utf8')
      return text === 'undefined' ? undefined : JSON.parse(text)
    }
    const main = `main=${join(built, '.interpreter/main.js')}`
    return {
      node: run('node', [process.execPath, file('script.cjs')]),
      interpreter: run('interpreter', [workbench, 'run', main, `compiler=${file('script.mjs')}`, '--']),
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** Numbers from 0 to 1, the same for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
