// Another process swaps what is in the rootfs for links to the host while containers start. RACES=20000 starts so many.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { defaultConfig } from '../../src/bundle/default-config.ts'
import { ContainerPlace } from '../container.ts'
import { requires } from '../requirements.ts'

const { test } = requires('root', 'busybox', 'gcc')

const races = Number(process.env.RACES ?? 160)
const project = join(import.meta.dirname, '../..')
const front = join(project, 'dist/bundle-tool')

let tools = ''
let place: ContainerPlace
let host = ''
let untouched = ''
let swapper: ChildProcess | undefined
beforeAll(() => {
  tools = mkdtempSync(join(tmpdir(), 'racer-'))
  const sources = { swap: join(import.meta.dirname, 'swap.c'), without: join(project, 'test/kernels/without.c') }
  for (const [name, source] of Object.entries(sources)) execFileSync('gcc', ['-O2', '-o', join(tools, name), source])
})
afterAll(() => rmSync(tools, { recursive: true }))
beforeEach(() => {
  place = new ContainerPlace()
  host = join(place.directory, 'host')
  mkdirSync(host)
  for (const name of [...directories, ...files]) {
    mkdirSync(join(host, name), { recursive: true })
    writeFileSync(join(host, name, 'secret'), "the host's\n")
  }
  untouched = listing(host)
})
afterEach(async () => {
  swapper?.kill('SIGKILL')
  if (swapper?.exitCode === null && swapper.signalCode === null) await once(swapper, 'exit')
  swapper = undefined
  await place.close()
})

/** Directories of the image in which the runtime works, each with a link to the host that takes its place. */
const directories = ['target', 'proc', 'sys', 'dev', 'work', 'deep/er', 'hidden', 'shown']
const files = ['etc/conf']

function makeRootfs(): readonly string[] {
  const rootfs = join(place.bundle, 'rootfs')
  const away = '../'.repeat(12)
  for (const name of directories) mkdirSync(join(rootfs, name), { recursive: true })
  mkdirSync(join(rootfs, 'etc'))
  // Where the links lead in the container: to one place each, so that no mount is in another that is copied with it.
  for (const name of directories) mkdirSync(join(rootfs, host, name), { recursive: true })
  mkdirSync(join(rootfs, host, 'etc/conf'), { recursive: true })
  writeFileSync(join(rootfs, host, 'etc/conf/secret'), "the image's\n")
  writeFileSync(join(rootfs, 'dev/null'), '')
  for (const name of files) writeFileSync(join(rootfs, name), "the image's\n")
  return [...directories, ...files].flatMap((name, index) => {
    const link = join(rootfs, `${name}.link`)
    const target = join(host, name, files.includes(name) ? 'secret' : '')
    symlinkSync(index % 2 === 0 ? target : away + target, link)
    return [join(rootfs, name), link]
  })
}

/** Prints how many mounts the container has, whatever /proc is named at that moment, and what it can read of the host. */
const look = `
  mounts=0
  while [ $mounts = 0 ]; do
    mounts=$( { cat /proc/self/mountinfo || cat /proc.link/self/mountinfo; } 2>&- | wc -l)
  done
  echo $mounts
  cat secret /work/secret /target/secret /hidden/secret /etc/conf
  exit 7
`

function configure(hasDev: boolean): void {
  const base = defaultConfig({ rootless: false, cgroupNamespace: false, uid: 0, gid: 0 })
  const mounts = (base.mounts ?? []).filter(({ destination }) => hasDev || !destination.startsWith('/dev'))
  writeFileSync(join(place.directory, 'conf'), 'bound\n')
  place.configure(look, {
    config: {
      root: { path: 'rootfs' },
      mounts: [
        ...mounts,
        { destination: '/target/made', type: 'tmpfs', source: 'tmpfs' },
        { destination: '/deep/er/est', source: join(place.directory, 'bundle/rootfs/bin'), options: ['bind'] },
        { destination: '/etc/conf', source: join(place.directory, 'conf'), options: ['bind'] },
      ],
    },
    process: { cwd: '/work/made' },
    linux: { maskedPaths: ['/hidden'], readonlyPaths: ['/shown'] },
  })
}

/** By the front, with the program that the first run kept; without Node.js, which would only word the failures. */
function start(path: string, calls: readonly string[]): { status: number | null; stdout: string } {
  const words = [...calls, front, '--root', place.root, 'run', '-b', place.bundle, place.id]
  const [program = front, ...args] = words
  return spawnSync(program, args, {
    encoding: 'utf8',
    env: { PATH: path },
    stdio: ['ignore', 'pipe', process.env.SHOW ? 'inherit' : 'ignore'],
  })
}

/** Types, modes, sizes, times of change of all that is below a directory. */
function listing(directory: string): string {
  return execFileSync('find', [directory, '-printf', '%P %y %m %s %T@ %C@\n'], { encoding: 'utf8' })
}

function expectHostUntouched(): void {
  expect(listing(host)).toBe(untouched)
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(place.directory)
}

const oldKernel = Array.from({ length: 46 }, (_, index) => String(424 + index))

test.each([
  ['', true, []],
  [' without a /dev of its own', false, []],
  [' on Linux 4.18', true, oldKernel],
  [' without a /dev of its own, on Linux 4.18', false, oldKernel],
] as const)(
  'CVE-2021-30465, CVE-2024-45310, CVE-2025-31133, CVE-2025-62161, CVE-2025-52881: a racer reaches nothing%s',
  { timeout: 60_000 + races * 100 },
  async (_, hasDev, calls) => {
    const under = calls.length === 0 ? [] : [join(tools, 'without'), ...calls, '--']
    const pairs = makeRootfs()
    configure(hasDev)
    const calm = start(process.env.PATH ?? '', under)
    expect(calm).toMatchObject({ status: 7, stdout: expect.stringMatching(/^\d+\nbound\n$/) })
    swapper = spawn(join(tools, 'swap'), pairs, { cwd: place.directory, stdio: ['ignore', 'pipe', 'inherit'] })
    if (swapper.stdout) await once(swapper.stdout, 'data')
    let [started, refused] = [0, 0]
    const mounted = calm.stdout.split('\n')[0]
    for (let race = 0; race < races / 4; race++) {
      const { status, stdout } = start('/nonexistent', under)
      expect(stdout).not.toContain("the host's")
      if (status === 7) started++
      else refused++
      // One that is not in the container is somewhere else.
      if (status === 7) expect(stdout.split('\n')[0]).toBe(mounted)
      if (race % 100 === 0) expectHostUntouched()
    }
    expectHostUntouched()
    expect(place.leftovers()).toEqual([])
    expect(started).toBeGreaterThan(0)
    expect(refused).toBeGreaterThan(0)
    expect(swapper.exitCode).toBeNull()
    if (process.env.RACES)
      console.log(
        `${started} started, ${refused} refused, ${readFileSync(join(place.directory, 'swaps'), 'utf8').trim()} swaps`,
      )
  },
)
