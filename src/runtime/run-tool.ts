import { spawn } from 'node:child_process'

/** How a tool has ended, and what it has said. */
export interface ToolResult {
  /** The exit code; null where a signal has ended it. */
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a tool of the host without input, and waits for its end.
 *
 * @param command is looked for in PATH unless it is a path
 * @throws the system's error when it cannot be started
 */
export function runTool(command: string, args: readonly string[]): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const output: Record<'stdout' | 'stderr', Buffer[]> = { stdout: [], stderr: [] }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].on('data', (chunk: Buffer) => output[name].push(chunk))
    }
    child.on('error', reject)
    child.on('close', (status) => {
      const textOf = (name: 'stdout' | 'stderr'): string => Buffer.concat(output[name]).toString('utf8')
      resolve({ status, stdout: textOf('stdout'), stderr: textOf('stderr') })
    })
  })
}
