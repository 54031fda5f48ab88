import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cgroupsNamed } from '../cgroup-directories.ts'

/** A config.json as a test writes it: no type, since some are wrong on purpose. */
export type Json = { [key: string]: unknown }

/** The container's view of itself, by topic, and its end. */
export interface Observation {
  readonly status: number | null
  /** The files that hooks have written in the directory `log` of the laboratory. */
  readonly log: Readonly<Record<string, string>>
  readonly sections: Readonly<Record<string, readonly string[]>>
  readonly stderr: string
  /** The remains after the container has gone: cgroups, state. */
  readonly left: readonly string[]
}

export interface Laboratory {
  readonly bundle: string
  /**
   * Runs a container of `config` with a runtime's command, in its own state root, always by the same ID.
   *
   * @param config `{laboratory}` in it stands for a directory of the host, with `bundle` and `log`
   */
  readonly observe: (command: string, config: Json, options?: ObserveOptions) => Observation
  readonly close: () => void
}

export interface ObserveOptions {
  /** Give the runtime a terminal of its own, of 33 rows and 99 columns. */
  readonly terminal?: boolean
  readonly stdin?: string
  /** Further flags of `run`. */
  readonly flags?: readonly string[]
}

/** Unique on the machine: cgroups are named after it. */
const id = `side-by-side-${process.pid}`

/** A cgroup that containers are put below; runtimes leave it where it is. */
export const parentCgroup: string = `${id}-parent`

/** Prints every topic under a line `== topic`. Runs in the container, by busybox. */
export const script = [
  [
    'status',
    'grep -E "^(Umask|Uid|Gid|Groups|NoNewPrivs|Cap|Sig[PBIC]|Seccomp|(Cpus|Mems)_allowed_list)" /proc/self/status',
  ],
  ['limits', 'cat /proc/self/limits'],
  ['mountinfo', 'cat /proc/self/mountinfo'],
  ['dev', 'ls -ln /dev'],
  ['env', 'env'],
  ['id', 'id'],
  ['cwd', 'pwd; readlink /proc/self/cwd'],
  ['umask', 'umask'],
  ['oom', 'cat /proc/self/oom_score_adj'],
  ['names', 'hostname; cat /proc/sys/kernel/domainname'],
  ['namespaces', 'for n in /proc/self/ns/*; do echo $n $(readlink $n); done'],
  ['maps', 'cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups'],
  ['cgroup', 'cat /proc/self/cgroup'],
  ['descriptors', 'cd /proc/$$/fd; for f in *; do echo $f $(readlink $f); done'],
  ['processes', 'ps -o pid,args | head -2'],
  ['links', 'ip -o link 2>&1'],
  ['scheduling', 'grep -E "^(policy|prio)" /proc/self/sched; ionice; uname -m'],
  ['memory policy', 'head -1 /proc/self/numa_maps | cut -d " " -f 2'],
  ['clocks', 'cat /proc/self/timens_offsets'],
  [
    'session',
    'set -- $(cut -d " " -f 1,5-7 /proc/$$/stat); [ $1 = $2 ]; echo $?; [ $1 = $3 ]; echo $?; [ $4 != 0 ]; echo $?',
  ],
  ['masked', 'for p in kcore keys timer_list; do head -c 1 /proc/$p | wc -c; done; ls -A /proc/scsi /sys/firmware'],
  ['readonly', 'for p in / /proc/sys/kernel /proc/bus /sys /dev /tmp; do touch $p/x 2>&1 || echo; rm -f $p/x; done'],
  [
    'limits of the cgroup',
    'cd /sys/fs/cgroup && sort devices/devices.list && grep "" cpu/cpu.[csi]* pids/pids.max cpuset/cpuset.[cm][pe][um]s ' +
      'memory/memory.limit* memory/memory.soft* memory/memory.memsw.limit* memory/memory.sw* memory/memory.oom* ' +
      'blkio/blkio.throttle.*_device | grep -v stat',
  ],
]
  .map(([topic, command]) => `echo "== ${topic}"; (${command}) 2>&1`)
  .join('\n')

export function openLaboratory(): Laboratory {
  const directory = mkdtempSync(join(tmpdir(), 'side-by-side-'))
  const bundle = join(directory, 'bundle')
  const log = join(directory, 'log')
  chmodSync(directory, 0o755)
  makeRootfs(join(bundle, 'rootfs'))
  execFileSync('mkfifo', [join(directory, 'typing')])
  const typing = openSync(join(directory, 'typing'), 'r+')
  const neutral = (text: string): string => text.replaceAll(directory, '{laboratory}').replaceAll(id, '{id}')
  const observe: Laboratory['observe'] = (command, config, { terminal = false, stdin = '', flags = [] } = {}) => {
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(config).replaceAll('{laboratory}', directory))
    rmSync(log, { recursive: true, force: true })
    mkdirSync(log)
    const root = join(directory, 'root')
    const words = [command, '--root', root, 'run', '-b', bundle, ...flags, id]
    const [program = '', ...args] = terminal
      ? ['script', '-qec', `stty rows 33 cols 99; ${words.join(' ')}`, '/dev/null']
      : words
    const result = spawnSync(program, args, {
      // The typist does not hang up before the container has ended: script(1) would pass that on.
      stdio: [terminal ? typing : 'pipe', 'pipe', 'pipe', typing],
      ...(terminal ? {} : { input: stdin }),
      encoding: 'utf8',
      timeout: 30_000,
    })
    const left = leftovers(root)
    rmSync(root, { recursive: true, force: true })
    return {
      status: result.status,
      log: Object.fromEntries(readdirSync(log).map((name) => [name, neutral(readFileSync(join(log, name), 'utf8'))])),
      sections: splitSections(neutral(result.stdout ?? '')),
      stderr: result.stderr ?? '',
      left,
    }
  }
  const close = (): void => {
    closeSync(typing)
    for (const path of cgroupsNamed(parentCgroup)) rmdirSync(path)
    rmSync(directory, { recursive: true })
  }
  return { bundle, observe, close }
}

/** A root file system of busybox alone, with two users and a file of every kind to mount on. */
function makeRootfs(rootfs: string): void {
  for (const path of ['bin', 'etc', 'tmp', 'work', 'data/inner', 'proc', 'sys', 'dev']) {
    mkdirSync(join(rootfs, path), { recursive: true })
  }
  copyFileSync('/bin/busybox', join(rootfs, 'bin/busybox'))
  execFileSync('/bin/busybox', [
    'sh',
    '-c',
    `for a in $(busybox --list); do ln -s busybox ${rootfs}/bin/$a; done 2>/dev/null; true`,
  ])
  writeFileSync(join(rootfs, 'etc/passwd'), 'root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000::/work:/bin/sh\n')
  writeFileSync(join(rootfs, 'etc/group'), 'root:x:0:\nuser:x:1000:\nextra:x:2000:\n')
  writeFileSync(join(rootfs, 'data/file'), 'content\n')
  execFileSync('mkfifo', [join(rootfs, 'work/pipe')])
  symlinkSync('inner', join(rootfs, 'data/link'))
  symlinkSync('/data/inner', join(rootfs, 'data/absolute'))
  symlinkSync('../../../../etc', join(rootfs, 'data/outside'))
  symlinkSync('/etc/passwd', join(rootfs, 'etc/link-to-file'))
  chmodSync(join(rootfs, 'tmp'), 0o1777)
  chmodSync(join(rootfs, 'work'), 0o700)
}

function splitSections(text: string): Record<string, readonly string[]> {
  const sections: Record<string, string[]> = {}
  let current: string[] = []
  sections.output = current
  for (const line of text.split(/\r?\n/)) {
    const topic = /^== (.*)$/.exec(line)?.[1]
    if (topic === undefined) current.push(normalise(line))
    else sections[topic] = current = []
  }
  sections.mountinfo = (sections.mountinfo ?? []).map(normaliseMount)
  return sections
}

/** Takes out of a line what differs from one run to the next. */
function normalise(line: string): string {
  const [, namespace, link] = /^\/proc\/self\/ns\/(\S+) (\S+)$/.exec(line) ?? []
  if (namespace !== undefined) return `${namespace} ${link === hostNamespace(namespace) ? 'of the host' : 'new'}`
  return (
    line
      .replace(/ [A-Z][a-z]{2} [ \d]\d \d\d:\d\d /, ' DATE ')
      // runc puts pipes of its own between the caller and the container, bundle-tool hands on what it has got.
      .replace(/\b(pipe|socket):\[\d+\]/, 'stream')
  )
}

function hostNamespace(name: string): string | undefined {
  const path = `/proc/self/ns/${name}`
  return existsSync(path) ? readlinkSync(path) : undefined
}

/** A line of mountinfo without numbers that the kernel gives out: root, place, options, propagation, type, source. */
function normaliseMount(line: string): string {
  const [own = '', filesystem = ''] = line.split(' - ')
  const [, , , root, place, options, ...tags] = own.split(' ')
  return [root, place, options, ...tags.map((tag) => tag.replace(/:\d+/, '')), '-', filesystem].join(' ')
}

function leftovers(root: string): readonly string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
  return [
    ...cgroupsNamed(id),
    ...(existsSync(join(root, id)) ? [join(root, id)] : []),
    ...mounts.filter((line) => line.includes('side-by-side-')),
  ]
}
