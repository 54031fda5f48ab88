import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { defaultRoot } from '../src/state-root.ts'

const root = defaultRoot(process.env, process.geteuid?.() ?? 0)
const kept = (): readonly string[] =>
  existsSync(root) ? readdirSync(root).filter((name) => /^\.(program|filter)-/.test(name)) : []

/** Commands without --root keep programs, and filters of seccomp, where those of the caller are: what the tests have left there goes. */
export default function setup(): () => void {
  const before = kept()
  const wasThere = existsSync(root)
  return () => {
    for (const name of kept()) if (!before.includes(name)) rmSync(join(root, name))
    if (!wasThere && existsSync(root) && readdirSync(root).length === 0) rmdirSync(root)
  }
}
