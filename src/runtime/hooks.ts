import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { hookOutputs } from '../compile/state/hook-output.ts'
import { isSystemError } from '../errors.ts'
import { argv0, notExecuted } from '../program/contract.ts'
import { quotedOutput } from './hook-output.ts'
import { findRunner } from './runner.ts'
import type { ContainerRecord, HookCommand } from './state-file.ts'

const maxOutputBytes = 64 * 1024

/**
 * Milliseconds for reading a hook's output after its end: a process that it leaves behind may hold the pipe for good.
 */
const drainMs = 20

/** The state of the container for hooks, as JSON. @see runtime-spec v1.3.0 runtime.md "State" */
function hookState(container: ContainerRecord, status: 'running' | 'stopped'): string {
  const { ociVersion, id, init, bundle, annotations } = container
  const told = { ociVersion, id, status, pid: status === 'stopped' ? 0 : init.pid, bundle }
  return JSON.stringify(Object.keys(annotations).length > 0 ? { ...told, annotations } : told)
}

/**
 * Runs a hook in the runtime's namespaces, with the container's state as its standard input. What it writes goes to the files
 * that the container's annotations name.
 *
 * @returns the failure, with the hook's output as far as that goes to no file; undefined when the hook has succeeded
 * @see runtime-spec v1.3.0 config.md "POSIX-platform Hooks"
 */
export async function runHook(
  container: ContainerRecord,
  hook: HookCommand,
  status: 'running' | 'stopped',
): Promise<string | undefined> {
  const outputs = hookOutputs(container.annotations, container.bundle)
  const files: number[] = []
  const open = (path: string | undefined): number | 'pipe' => {
    if (path === undefined) return 'pipe'
    files.push(openSync(path, 'a', 0o600))
    return files.at(-1) ?? 'pipe'
  }
  try {
    return await runWith(hook, hookState(container, status), [open(outputs.stdout), open(outputs.stderr)])
  } catch (error) {
    if (isSystemError(error)) return error.message
    throw error
  } finally {
    files.forEach(closeSync)
  }
}

async function runWith(
  hook: HookCommand,
  state: string,
  [stdout, stderr]: readonly [number | 'pipe', number | 'pipe'],
): Promise<string | undefined> {
  const { spawn } = await import('node:child_process')
  const args = hook.args.length === 0 ? [hook.path] : hook.args
  const env = hook.env && Object.fromEntries(hook.env.map((pair) => splitPair(pair)))
  return await new Promise((resolve) => {
    // Run by the runner, since a child of Node.js would inherit its ignored signals and its raised limit of
    // descriptors.
    const child: ChildProcess = spawn(findRunner(), [hook.path, ...args], {
      argv0: argv0.execute,
      stdio: ['pipe', stdout, stderr],
      ...(env && { env }),
      ...(hook.timeoutMs !== undefined && { timeout: hook.timeoutMs, killSignal: 'SIGKILL' }),
    })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.on('data', (chunk: Buffer) => {
        if (output[name].length < maxOutputBytes) output[name] += chunk.toString()
      })
    }
    // A hook need not read its input.
    child.stdin?.on('error', () => undefined).end(state)
    child.on('error', (error) => resolve(error.message))
    child.on('exit', () => {
      const drained = setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      }, drainMs)
      child.on('close', () => clearTimeout(drained))
    })
    child.on('close', (code, signal) => {
      if (code === 0) resolve(undefined)
      else resolve(`${endOf(hook, code, child.killed ? 'timeout' : signal)}${quotedOutput(output)}`)
    })
  })
}

function endOf({ path }: HookCommand, code: number | null, signal: NodeJS.Signals | 'timeout' | null): string {
  if (signal === 'timeout') return 'context deadline exceeded: it took longer than its timeout'
  if (code === notExecuted) return `"${path}" cannot be executed (exit status ${code})`
  return signal === null ? `exit status ${code}` : `signal: ${signal}`
}

function splitPair(pair: string): readonly [string, string] {
  const split = pair.indexOf('=')
  return split < 0 ? [pair, ''] : [pair.slice(0, split), pair.slice(split + 1)]
}
