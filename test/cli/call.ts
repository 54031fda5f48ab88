import { createRequire } from 'node:module'
import { join } from 'node:path'
import { loadCached } from '../../src/cli/cached-script.ts'
import type { IO } from '../../src/cli/io.ts'

const directory = join(import.meta.dirname, '../../dist/bin')
const require = createRequire(join(directory, 'boot.js'))

export interface Called {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/** Calls the command line that is shipped, without a process, as if it were called `name`. */
export async function call(
  args: readonly string[],
  name = 'bundle-tool',
  more: Partial<Pick<IO, 'env' | 'handOver'>> = {},
): Promise<Called> {
  const { main } = loadCached<typeof import('../../src/cli/process.ts')>(directory, 'cli', require)
  const output = { stdout: '', stderr: '' }
  const status = await main(args, {
    name,
    stdout: { write: (text) => (output.stdout += text) },
    writeBytes: async (bytes) => {
      output.stdout += Buffer.from(bytes).toString('latin1')
    },
    stderr: { write: (text) => (output.stderr += text) },
    stdin: (async function* () {})(),
    env: {},
    euid: process.geteuid?.() ?? 0,
    interruption: () => new AbortController().signal,
    ...more,
  })
  return { status, ...output }
}
