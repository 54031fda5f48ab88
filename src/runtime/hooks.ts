import type { HookCommand } from './state-file.ts'

const maxOutputBytes = 64 * 1024

/**
 * Runs a hook in the runtime's namespaces, with the container's state as its standard input.
 *
 * @returns what went wrong, with what the hook has said; undefined when it has succeeded
 * @see runtime-spec v1.3.0 config.md "POSIX-platform Hooks"
 */
export async function runHook(hook: HookCommand, state: string): Promise<string | undefined> {
  const { spawn } = await import('node:child_process')
  const [argv0 = hook.path, ...args] = hook.args
  const env = Object.fromEntries(hook.env.map((pair) => splitPair(pair)))
  return await new Promise((resolve) => {
    const child = spawn(hook.path, args, {
      argv0,
      env,
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
    child.on('close', (code, signal) => {
      const said = output.trim() === '' ? '' : `: ${output.trim()}`
      if (code === 0) resolve(undefined)
      else if (signal !== null && child.killed) resolve(`ran past its timeout of ${hook.timeoutMs} ms${said}`)
      else resolve(`${signal === null ? `exit status ${code}` : signal}${said}`)
    })
  })
}

function splitPair(pair: string): readonly [string, string] {
  const split = pair.indexOf('=')
  return split < 0 ? [pair, ''] : [pair.slice(0, split), pair.slice(split + 1)]
}
