import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import type { RuntimeConfig } from '../../src/oci/runtime-config.ts'
import { cgroupsNamed } from '../cgroup-directories.ts'
import { requires } from '../requirements.ts'
import { image } from './engine-place.ts'

const { describe: rootDescribe, test } = requires('root itself', 'unshare')
const project = join(import.meta.dirname, '../..')
const tool = join(project, 'dist/bundle-tool')

let top = ''
const at = (path: string): string => join(top, path)
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'nested-'))
  chmodSync(top, 0o755)
})
afterEach(() => {
  call('delete', '--force', outer())
  expect(cgroupsNamed(outer())).toEqual([])
  rmSync(top, { recursive: true, force: true })
})
const outer = (): string => top.split('/').at(-1) ?? ''

function call(...words: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(tool, ['--root', at('root'), ...words], {
    encoding: 'utf8',
    cwd: top,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  })
  return { end: status, stdout, stderr }
}

/**
 * Starts a container with the rights that Docker gives: its 14 capabilities, its filter of system calls, masked and read-only
 * paths, and a read-only /sys. This tool and what it needs of the host are in it.
 */
function startOuter(change: (config: RuntimeConfig) => RuntimeConfig = (config) => config): void {
  const node = dirname(dirname(process.execPath))
  const shared = ['/usr', '/lib', '/lib64', project, dirname(image), ...(node === '/usr' ? [] : [node])]
  const volumes = shared.filter((path) => existsSync(path)).map((path) => `--volume=${path}:${path}:ro`)
  const unpack = [tool, 'unpack', '-q', image, '-o', at('outer'), '--no-tty', '--security-opt=seccomp=default']
  // The filter is the tool's own, which denies what Docker's does, and not that of containers-common.
  const hide = 'for d in /usr/share/containers /etc/containers; do mkdir -p $d; mount -t tmpfs none $d; done; exec "$@"'
  execFileSync('unshare', ['-m', 'sh', '-ec', hide, 'sh', ...unpack, ...volumes, '--', 'sleep', '1000'])
  const config: RuntimeConfig = JSON.parse(readFileSync(at('outer/config.json'), 'utf8'))
  const namespaces = [...(config.linux?.namespaces ?? []).filter(({ type }) => type !== 'cgroup'), { type: 'cgroup' }]
  const inCgroups = { ...config, linux: { ...config.linux, namespaces } } as RuntimeConfig
  writeFileSync(at('outer/config.json'), JSON.stringify(change(inCgroups)))
  // Its program holds no pipe of the test's.
  const quietly = `exec "$@" >${at('log')} 2>&1 </dev/null`
  const run = [tool, '--root', at('root'), 'run', '-d', '-b', at('outer'), outer()]
  const { status } = spawnSync('sh', ['-c', quietly, 'sh', ...run])
  expect({ status, said: readFileSync(at('log'), 'utf8') }).toEqual({ status: 0, said: '' })
}

/** What `--security-opt` of engines gives. */
const unconfined = ({ linux: { seccomp: _, ...linux } = {}, ...config }: RuntimeConfig): RuntimeConfig => ({
  ...config,
  linux,
})
const unmasked = ({ linux, ...config }: RuntimeConfig): RuntimeConfig => ({
  ...config,
  linux: { ...linux, maskedPaths: [], readonlyPaths: [] },
})

/** Runs a script in it, in a new directory of the user's. */
function inside(uid: number, script: string) {
  const home = `/tmp/home-${uid}`
  const begin = `mkdir -p ${home}; cd ${home}; exec 2>&1; bt() { ${tool} "$@" </dev/null; }`
  const user = ['--user', `${uid}:${uid}`, '--env', `HOME=${home}`, '--env', `PATH=${process.env.PATH}:/bin`]
  return call('exec', ...user, outer(), 'sh', '-c', `${begin}\n${script}`)
}

const callers = [
  ['root', 0],
  ['a user', 1000],
] as const
const unpack = `bt unpack -q ${image} -o b --no-tty -- sleep 1000 || exit`

rootDescribe.each(callers)('as %s in a container', (_, uid) => {
  test('without its filter and masks all goes on as outside', () => {
    startOuter((config) => unconfined(unmasked(config)))
    const { end, stdout } = inside(
      uid,
      `${unpack}
      bt run -d -b b inner >log 2>&1 || { cat log; exit; }
      bt list -q
      bt state inner | grep -c '"status": "running"'
      bt exec inner sh -c 'id -u; cat /proc/1/comm; touch /x && echo written'
      bt kill inner KILL
      while bt state inner | grep -q running; do sleep 0.02; done
      bt delete inner
      bt try -q ${image} sh -c 'id -u; echo from try > /x; cat /x'
      bt list -q`,
    )
    expect(stdout.split('\n')).toEqual(['inner', '1', '0', 'sleep', 'written', '0', 'from try', ''])
    expect(end).toBe(0)
  })

  test('under its filter the error says what its engine would have to be told', () => {
    startOuter()
    const { stdout } = inside(uid, `${unpack}\nbt run -b b inner\nbt try -q ${image} true\nbt list -q`)
    const [run, failed, hint, ...rest] = stdout.split('\n')
    expect(run).toContain('start the surrounding container with --security-opt seccomp=unconfined')
    expect(failed).toContain('clone: operation not permitted (EPERM)')
    expect(hint).toContain('--security-opt seccomp=unconfined')
    expect(rest).toEqual([''])
  })

  test('doctor says the same', () => {
    startOuter()
    const { stdout } = inside(uid, 'bt doctor >log; echo $?; grep -A 1 -E "^(user namespaces|procfs) " log')
    expect(stdout.split('\n').slice(0, 5)).toEqual([
      '1',
      expect.stringMatching(/^user namespaces +FAILED .*seccomp filter/),
      expect.stringContaining('--security-opt seccomp=unconfined'),
      expect.stringMatching(/^procfs +FAILED .* is hidden/),
      expect.stringContaining('--security-opt systempaths=unconfined'),
    ])
  })

  test('where parts of /proc are masked, that is said', () => {
    startOuter(unconfined)
    const { stdout } = inside(uid, `${unpack}\nbt run -b b inner\nbt list -q`)
    expect(stdout).toMatch(/\/proc\/\w+\\" is hidden around the caller/)
    expect(stdout).toContain('--security-opt systempaths=unconfined (podman: unmask=ALL)')
    expect(stdout.split('\n')).toHaveLength(2)
  })
})

describe('root in a container', () => {
  test('has all its ids in the inner one, and files have their owners', () => {
    startOuter((config) => unconfined(unmasked(config)))
    const script = 'cat /proc/self/uid_map; touch /x && chown 33:44 /x && stat -c %u:%g /x'
    const { stdout } = inside(0, `bt try -q ${image} sh -c '${script}'`)
    expect(stdout.trim().split(/\s+/)).toEqual(['0', '0', '4294967295', '33:44'])
  })

  test('is told that it lacks a capability where config.json makes no user namespace', () => {
    startOuter((config) => unconfined(unmasked(config)))
    const { stdout } = inside(0, `${unpack}\nbt spec --no-tty -b b\nbt run -b b inner`)
    expect(stdout).toContain('root lacks CAP_SYS_ADMIN here')
    expect(stdout).toContain('bundle-tool spec --rootless')
  })
})
