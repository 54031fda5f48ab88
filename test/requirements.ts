import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { delimiter, join } from 'node:path'
import { describe, test } from 'vitest'

/** Programs whose Debian package has another name. */
const packages: Readonly<Record<string, string>> = {
  gcc: 'gcc',
  dockerd: 'docker.io',
  docker: 'docker.io',
  setfattr: 'attr',
  pasta: 'passt',
  getfattr: 'attr',
  script: 'bsdutils',
  setsid: 'util-linux',
  busybox: 'busybox-static',
  '/usr/share/containers/seccomp.json': 'golang-github-containers-common',
  newuidmap: 'uidmap',
  setpriv: 'util-linux',
  nsenter: 'util-linux',
  'mkfs.xfs': 'xfsprogs',
  xz: 'xz-utils',
  man: 'man-db',
  'aarch64-linux-gnu-gcc': 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross',
  'qemu-aarch64-static': 'qemu-user-static',
}

const securityModules: readonly string[] = [
  '/sys/kernel/security/apparmor',
  '/proc/self/attr/apparmor',
  '/sys/fs/selinux',
]

const isRoot = process.geteuid?.() === 0

/** Kinds of hosts, which no package changes: tests of the other kind run in a virtual machine. */
const kindsOfHost: readonly string[] = [
  'cgroup1',
  'cgroup2',
  'a hybrid hierarchy',
  'x86_64',
  'two CPUs',
  'root itself', // in a run of scripts/test-as-user.mjs
  'no-security-module',
  'criu that works',
  'interpreter', // which needs a newer Rust than Debian has
  '/proc/sys/vm/memfd_noexec', // Linux 6.3
]

/**
 * `test` and `describe` for tests that need root or installed programs.
 *
 * When one is missing they are skipped, with a line that names what to install; with MUST_WORK=1 the file fails instead,
 * unless all that is missing is another kind of host: no installing makes cgroup v2 of v1.
 * @param needs `root`, which a user in a run of scripts/test-as-user.mjs counts as, `root itself`, `cgroup1`, `cgroup2`, `a hybrid hierarchy`, `x86_64`, `two CPUs`, `no-security-module`, `criu that works` with this kernel,
 *   `interpreter`, `libseccomp-dev`, a path, or the name of a program in PATH
 */
export function requires(...needs: readonly string[]): {
  readonly test: typeof test | typeof test.skip
  readonly describe: typeof describe | typeof describe.skip
} {
  const missing = needs.filter((need) => !isThere(need)).map(remedy)
  if (missing.length === 0) return { test, describe }
  const message = `needs ${missing.join(', ')}`
  const canBeHad = needs.some((need) => !isThere(need) && !kindsOfHost.includes(need))
  if (process.env.MUST_WORK === '1' && canBeHad) throw new Error(`MUST_WORK=1, and this ${message}`)
  console.warn(`skipped: ${message}`)
  return { test: test.skip, describe: describe.skip }
}

/** One of the needs of `requires`. */
export function isThere(need: string): boolean {
  if (need === 'root') return isRoot || process.env.ROOTLESS === '1'
  if (need === 'root itself') return isRoot
  if (need === 'cgroup1') return readFileSync('/proc/mounts', 'utf8').includes(' /sys/fs/cgroup/freezer cgroup ')
  if (need === 'a hybrid hierarchy') return existsSync('/sys/fs/cgroup/unified')
  if (need === 'cgroup2') return readFileSync('/proc/mounts', 'utf8').includes(' /sys/fs/cgroup cgroup2 ')
  if (need === 'criu that works') return criuProblem() === undefined
  if (need === 'interpreter') return existsSync(join(import.meta.dirname, '../dist/bundle-tool-interpreter'))
  if (need === 'two CPUs') return availableParallelism() > 1
  if (need === 'x86_64') return process.arch === 'x64'
  if (need === 'no-security-module') return !securityModules.some((path) => existsSync(path))
  if (need === 'libseccomp-dev') return existsSync('/usr/include/seccomp.h')
  if (need.startsWith('/')) return existsSync(need)
  return (process.env.PATH ?? '').split(delimiter).some((directory) => isExecutable(join(directory, need)))
}

/** The reason why CRIU does not work on this kernel, in its own words. */
function criuProblem(): string | undefined {
  const { status, stderr, error } = spawnSync('criu', ['check'], { encoding: 'utf8' })
  if (status === 0) return undefined
  return error?.message ?? stderr.split('\n').find((line) => line.includes('Error')) ?? `exit code ${status}`
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function remedy(need: string): string {
  if (need.startsWith('root')) return 'root (run as root, or with sudo)'
  if (need === 'cgroup1') return 'a cgroup v1 host'
  if (need === 'cgroup2') return 'a cgroup v2 host'
  if (need === 'criu that works') return `a kernel and a CRIU that go together (${criuProblem()})`
  if (need === 'interpreter') return 'the interpreter (install Rust 1.87 or newer, and run "npm run build")'
  if (need === 'x86_64') return 'an x86-64 host'
  if (need === 'no-security-module') return 'a host without AppArmor and SELinux'
  return `${need} (apt-get install ${packages[need] ?? need})`
}
