import { argv0, notExecuted } from '../program/contract.ts'
import { findRunner } from './runner.ts'
import type { ContainerRecord, HookCommand } from './state-file.ts'

const maxOutputBytes = 64 * 1024

/**
 * Milliseconds for reading a hook's output after its end: a process that it leaves behind may hold the pipe for good.
 */
const drainMs = 20

/** The state of the container for hooks, as JSON. @see runtime-spec v1.3.0 runtime.md "State" */
export function hookState(container: ContainerRecord, status: 'running' | 'stopped'): string {
  const { ociVersion, id, init, bundle, annotations } = container
  const told = { ociVersion, id, status, pid: status === 'stopped' ? 0 : init.pid, bundle }
  return JSON.stringify(Object.keys(annotations).length > 0 ? { ...told, annotations } : told)
}

/**
 * Runs a hook in the runtime's namespaces, with the container's state as its standard input.
 *
 * @returns the failure, with the hook's output; undefined when the hook has succeeded
 * @see runtime-spec v1.3.0 config.md "POSIX-platform Hooks"
 */
export async function runHook(hook: HookCommand, state: string): Promise<string | undefined> {
  const { spawn } = await import('node:child_process')
  const args = hook.args.length === 0 ? [hook.path] : hook.args
  const env = hook.env && Object.fromEntries(hook.env.map((pair) => splitPair(pair)))
  return await new Promise((resolve) => {
    // Run by the runner, since a child of Node.js would inherit its ignored signals and its raised limit of
    // descriptors.
    const child = spawn(findRunner(), [hook.path, ...args], {
      argv0: argv0.execute,
      ...(env && { env }),
      ...(hook.timeoutMs !== undefined && { timeout: hook.timeoutMs, killSignal: 'SIGKILL' }),
    })
    let output = ''
    const collect = (chunk: Buffer): void => {
      if (output.length < maxOutputBytes) output += chunk.toString()
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    // A hook need not read its input.
    child.stdin.on('error', () => undefined).end(state)
    child.on('error', (error) => resolve(error.message))
    child.on('exit', () => {
      const drained = setTimeout(() => {
        child.stdout.destroy()
        child.stderr.destroy()
      }, drainMs)
      child.on('close', () => clearTimeout(drained))
    })
    child.on('close', (code, signal) => {
      const said = output.trim() === '' ? '' : `: ${output.trim()}`
      if (code === 0) resolve(undefined)
      else if (signal !== null && child.killed)
        resolve(`context deadline exceeded: it took longer than its timeout${said}`)
      else if (code === notExecuted && said === '') resolve(`"${hook.path}" cannot be executed (exit status ${code})`)
      else resolve(`${signal === null ? `exit status ${code}` : signal}${said}`)
    })
  })
}

function splitPair(pair: string): readonly [string, string] {
  const split = pair.indexOf('=')
  return split < 0 ? [pair, ''] : [pair.slice(0, split), pair.slice(split + 1)]
}
