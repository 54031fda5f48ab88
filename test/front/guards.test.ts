import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import type { Guard } from '../../src/host/door.ts'
import { compileContainer } from '../../src/runtime/compile-container.ts'
import { type ConfigChange, ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'
import { nodeStarted, variablesFor, withoutNode } from './without-node.ts'

/**
 * Every fact that a program is compiled from, changed, makes the front compile anew. The facts are not listed here: they are
 * what the door has recorded, and one that no change below is for fails.
 */
const { test } = requires('root', 'busybox', 'unshare', 'setpriv', 'setarch', 'newuidmap')

const front = join(import.meta.dirname, '../../bin/bundle-tool')
const tools = '/usr/bin:/bin:/usr/sbin:/sbin'
const withNode = `${dirname(process.execPath)}:${tools}`

let place: ContainerPlace
beforeEach(() => {
  place = new ContainerPlace()
})
afterEach(() => close())

async function close(): Promise<void> {
  if (existsSync(ownCgroup())) rmdirSync(ownCgroup())
  await place.close()
}

/** A cgroup to run the tool in. */
const ownCgroup = (): string =>
  join(['/sys/fs/cgroup/freezer', '/sys/fs/cgroup'].find(existsSync) ?? '', `caller-${place.id}`)

/** Runs the bundle by way of the front, behind words that change something and then run it. */
function run(path: string, before: readonly string[] = []) {
  const words = [...before, front, '--root', place.root, 'run', '-b', place.bundle, place.id]
  const { status, stderr } = spawnSync('/bin/sh', ['-c', 'exec "$@" >/dev/null </dev/null', 'sh', ...words], {
    cwd: place.directory,
    env: variablesFor(path),
    encoding: 'utf8',
    timeout: 20_000,
  })
  return { status, stderr }
}

const needsNode = { status: nodeStarted.status, stderr: expect.stringContaining(nodeStarted.said) }

/** A script and then the tool, in a mount namespace of its own. */
const inMountNamespace = (script: string): readonly string[] => {
  const whole = `before=$PATH; PATH=${tools}; ${script} || exit 99; PATH=$before; exec "$@"`
  return ['/usr/bin/unshare', '--mount', '/bin/sh', '-c', whole, 'sh']
}

/** A copy of a directory, made of bind mounts, with one name more, in place of it. */
function withMore(path: string): readonly string[] {
  let directory = dirname(path)
  while (statSync(directory, { throwIfNoEntry: false }) === undefined) directory = dirname(directory)
  const copy = join(place.directory, 'copy')
  mkdirSync(copy)
  const each = 'if [ -d "$e" ]; then mkdir "$c"; else : > "$c"; fi; mount --rbind "$e" "$c"'
  const script = [
    'mount --make-rprivate /',
    `for e in ${directory}/*; do c=${copy}/\${e##*/}; ${each}; done`,
    `mkdir -p ${copy}${dirname(path).slice(directory.length)}`,
    `: > ${copy}${path.slice(directory.length)}`,
    `mount --rbind ${copy} ${directory}`,
  ]
  return inMountNamespace(script.join(' && '))
}

/** Nothing can be made in procfs: the guard is made one of another path. */
function askOf(path: string, other: string): readonly string[] {
  for (const name of readdirSync(place.root).filter((each) => each.startsWith('.program-'))) {
    const file = join(place.root, name)
    writeFileSync(file, readFileSync(file, 'latin1').replace(`${path}\0`, `${other}\0`), 'latin1')
  }
  return []
}

/** Words to put before the tool, or a change that lasts. */
type Change = (path: string) => readonly string[]

const changes: Readonly<Record<string, readonly (readonly [path: RegExp, change: Change])[]>> = {
  content: [
    [
      /\/config\.json$/,
      (path) => {
        const { atime, mtime } = statSync(path)
        writeFileSync(path, readFileSync(path, 'utf8').replace('exit 3', 'exit 4'))
        utimesSync(path, atime, mtime)
        return []
      },
    ],
    [
      /^\/proc\/self\/cgroup$/,
      () => {
        mkdirSync(ownCgroup())
        return ['/bin/sh', '-c', `echo $$ > ${ownCgroup()}/cgroup.procs; exec "$@"`, 'sh']
      },
    ],
    [/^\/proc\/self\/uid_map$/, () => ['/usr/bin/unshare', '--user', '--map-root-user']],
  ],
  mounts: [
    [
      /^\/proc\/self\/mountinfo$/,
      () => inMountNamespace(`cd "$(grep -m1 " cgroup2\\? " /proc/mounts | cut -d" " -f2)" && mount --bind . /mnt`),
    ],
  ],
  place: [
    [
      /\/rootfs$/,
      (path) => {
        renameSync(path, `${path}.old`)
        cpSync(`${path}.old`, path, { recursive: true })
        return []
      },
    ],
    [/cgroup/, (path) => inMountNamespace(`mount -t tmpfs x ${path}`)],
  ],
  present: [[/^\/proc\/kcore$/, () => inMountNamespace('mount -t proc -o subset=pid x /proc')]],
  absent: [
    [/^\/sys\//, withMore],
    [/^\/proc\/kcore$/, (path) => askOf(path, '/proc/swaps')],
  ],
  executable: [[/\/new[ug]idmap$/, (path) => inMountNamespace(`mount --bind /etc/passwd ${path}`)]],
  caller: [[/^$/, () => ['/usr/bin/setpriv', '--bounding-set=-audit_write']]],
  kernel: [[/^/, () => ['/usr/bin/setarch', '--uname-2.6']]],
}

const changeFor = ({ kind, text }: Guard): Change | undefined =>
  (changes[kind] ?? []).find(([path]) => path.test(kind === 'kernel' ? '' : text))?.[1]

const map = [{ containerID: 0, hostID: 0, size: 1000 }]
const bundles: Readonly<Record<string, ConfigChange>> = {
  'a plain bundle': {},
  'a bundle with a user namespace': {
    linux: {
      namespaces: (['user', 'mount', 'uts', 'pid', 'ipc', 'network'] as const).map((type) => ({ type })),
      uidMappings: map,
      gidMappings: map,
    },
  },
}

describe.each(Object.entries(bundles))('of %s', (_, change) => {
  test('every fact that it was compiled from is compared', { timeout: 240_000 }, async () => {
    place.configure('exit 3', change)
    const compile = async () => await compileContainer({ id: '', bundle: place.bundle, root: place.root }, 'foreground')
    const { guards = [] } = await compile()
    expect(guards.filter((guard) => changeFor(guard) === undefined)).toEqual([])
    expect(guards.length).toBeGreaterThan(10)
    for (const guard of guards) {
      const label = `${guard.kind} ${guard.text}`
      await close()
      place = new ContainerPlace()
      place.configure('exit 3', change)
      expect(run(withNode), label).toEqual({ status: 3, stderr: '' })
      expect(run(withoutNode), label).toEqual({ status: 3, stderr: '' })
      const { guards: own = [] } = await compile()
      const same = own[guards.indexOf(guard)]
      expect(same?.kind).toBe(guard.kind)
      const before = changeFor(guard)?.(same?.text ?? '') ?? []
      expect(run(withoutNode, before), label).toEqual(needsNode)
    }
  })
})
