import { basename } from 'node:path'
import { OciError } from '../errors.ts'
import { main } from './main.ts'

/** Runs the command line of this process, and sets its exit code. */
export async function runProcess(): Promise<void> {
  process.exitCode = await main(process.argv.slice(2), {
    name: basename(process.argv[1] ?? 'bundle-tool'),
    // Getters: opening a stream takes a millisecond, and most commands use one of the three or none.
    get stdin() {
      return process.stdin
    },
    get stdout() {
      return process.stdout
    },
    get stderr() {
      return process.stderr
    },
    env: process.env,
    euid: process.geteuid?.() ?? 0,
    interruption,
  })
}

function interruption(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => controller.abort(new OciError('ERR_INTERRUPTED', `stopped by ${name}`)))
  }
  return controller.signal
}
