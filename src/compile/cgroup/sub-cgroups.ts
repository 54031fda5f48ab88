import { OciError } from '../../errors.ts'

/**
 * Applies `exec --cgroup`: replaces the container's cgroups, all of them or by controller, by cgroups below them.
 *
 * @param paths the container's cgroups by controller; that of the unified hierarchy has the key ''
 * @param wanted `path` alone, or `controller[,controller...]:path` each
 * @throws OciError `ERR_USAGE`
 * @see runc exec.go "getSubCgroupPaths"
 */
export function subCgroups(
  paths: Readonly<Record<string, string>>,
  wanted: readonly string[],
): Readonly<Record<string, string>> {
  // The key is the directory: controllers of one hierarchy share it.
  const moved = new Map<string, string>()
  for (const argument of wanted) {
    const { controllers, path } = parseSubCgroup(argument, wanted.length)
    const below = beneath(path)
    for (const controller of controllers ?? Object.keys(paths)) {
      const own = paths[controller]
      if (own === undefined) throw unknownController(controller, paths)
      if ((moved.get(own) ?? below) !== below) throw refusal(`controller ${controller} specified multiple times`)
      moved.set(own, below)
    }
  }
  return Object.fromEntries(Object.entries(paths).map(([name, own]) => [name, `${own}${moved.get(own) ?? ''}`]))
}

function parseSubCgroup(argument: string, count: number): { controllers?: readonly string[]; path: string } {
  const colon = argument.indexOf(':')
  if (colon < 0) {
    if (count > 1) throw refusal(`${argument} (missing <controller>: prefix)`)
    return { path: argument }
  }
  const controllers = argument.slice(0, colon).split(',')
  if (controllers.includes('')) throw refusal(`${argument} (empty <controller> prefix)`)
  return { controllers, path: argument.slice(colon + 1) }
}

/** The path with a slash before each component; empty for `/`. */
function beneath(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) throw new OciError('ERR_USAGE', `bad sub cgroup path: ${path} is not a sub cgroup path`)
  return parts.map((part) => `/${part}`).join('')
}

const refusal = (problem: string): OciError => new OciError('ERR_USAGE', `invalid --cgroup argument: ${problem}`)

function unknownController(controller: string, paths: Readonly<Record<string, string>>): OciError {
  const known = Object.keys(paths).filter((name) => name !== '')
  return new OciError('ERR_USAGE', `unknown controller ${controller} in --cgroup`, {
    hint: known.length === 0 ? 'give the path without a controller' : `use one of ${known.join(', ')}`,
  })
}
