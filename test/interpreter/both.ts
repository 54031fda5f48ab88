import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
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
  /**
   * The body of a function that is called before the modules that the compiler does not use are loaded. What it returns is `early`
   * in the script.
   */
  readonly early?: string
}

/**
 * Runs the body of an async function in Node.js and in the interpreter: what it returns there, as JSON has it. It has
 * `require`, `process`, `Buffer`, TextEncoder, `input`, and `attempt(call)`: what a call returns, or the error that it throws.
 */
export function inBoth(body: string, options: InBothOptions & { readonly only?: 'interpreter' } = {}) {
  const place = makePlace(body, options)
  try {
    const run = (name: 'node' | 'interpreter'): unknown => {
      const [binary = '', ...args] = place.commands[name]
      const { status, signal, stderr } = spawnSync(binary, args, { ...place.optionsFor(name), encoding: 'utf8' })
      return place.resultOf(name, { end: signal ?? status, stderr })
    }
    return { node: options.only === undefined ? run('node') : undefined, interpreter: run('interpreter') }
  } finally {
    place.close()
  }
}

/** The exit codes and the first lines that begin with an error's name, of a body as `inBoth` has it that writes no result. */
export function endInBoth(body: string) {
  const place = makePlace(body, {})
  const end = (name: 'node' | 'interpreter') => {
    const [binary = '', ...args] = place.commands[name]
    const { status, stderr } = spawnSync(binary, args, { ...place.optionsFor(name), encoding: 'utf8' })
    return { status, error: /^\w*Error: .*$/m.exec(stderr)?.[0], hasStack: /^ {4}at \S/m.test(stderr) }
  }
  try {
    return { node: end('node'), interpreter: end('interpreter') }
  } finally {
    place.close()
  }
}

/** The same for what this process has a part in. */
export async function inBothAtOnce(body: string, options: InBothOptions = {}) {
  const place = makePlace(body, options)
  const run = async (name: 'node' | 'interpreter'): Promise<unknown> => {
    const [binary = '', ...args] = place.commands[name]
    const child = spawn(binary, args, { ...place.optionsFor(name), stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    const [status, signal] = await once(child, 'close')
    return place.resultOf(name, { end: signal ?? status, stderr })
  }
  try {
    return { node: await run('node'), interpreter: await run('interpreter') }
  } finally {
    place.close()
  }
}

function makePlace(body: string, { cwd, env = {}, input = null, early = '' }: InBothOptions) {
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
    const input = JSON.parse(readFileSync(${JSON.stringify(file('input'))}, 'utf8'))
    const early = (() => { ${early} })()
    exports.runProcess = async () => {
      const result = await (async () => { ${body} })()
      writeFileSync(process.env.RESULT, JSON.stringify(result, (_, value) => typeof value === 'bigint' ? value + 'n' : value) ?? 'undefined')
    }
  })`
  writeFileSync(file('input'), JSON.stringify(input))
  writeFileSync(file('script.mjs'), `export default ${code}`)
  writeFileSync(file('script.cjs'), `const made = {}; ${code}(made, require, module, __filename); made.runProcess()`)
  const own = ['main', 'modules'].map((name) => `${name}=${join(built, `.interpreter/${name}.js`)}`)
  return {
    commands: {
      node: [process.execPath, file('script.cjs')],
      interpreter: [workbench, 'run', ...own, `cli=${file('script.mjs')}`, '--'],
    } satisfies Record<string, readonly string[]>,
    optionsFor: (name: string) => ({ cwd, env: { ...env, RESULT: file(name) }, timeout: 60_000 }),
    resultOf: (name: string, { end, stderr }: { end: unknown; stderr: string }): unknown => {
      if (typeof end === 'string' || stderr !== '') throw new Error(`${name}: ${String(end)}: ${stderr}`)
      const text = readFileSync(file(name), 'utf8')
      return text === 'undefined' ? undefined : JSON.parse(text)
    },
    close: () => rmSync(directory, { recursive: true }),
  }
}
