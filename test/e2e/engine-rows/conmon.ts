import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Outcome } from '../engine-place.ts'
import { hasLimits } from './docker-limits.ts'
import { type Row, type RowEngine, until } from './rows.ts'

/** Its cgroup is at the top of the hierarchy: no other container of the machine may have this name. */
const name = 'engines-conmon'

/** The path of the runtime, which for this engine is its name on the command line. */
const pathOf = (engine: RowEngine): string => engine.run[0] ?? ''

/** The pieces that CRI-O has of a container: conmon with its files, and the runtime. */
function container(engine: RowEngine, script: string, memory?: { readonly limit: number }) {
  const { place } = engine
  const at = (file: string): string => join(place.at(`userdata-${engine.runtime}`), file)
  rmSync(at(''), { recursive: true, force: true })
  mkdirSync(at('exits'), { recursive: true })
  const config = JSON.parse(readFileSync(place.at('bundle/config.json'), 'utf8'))
  config.root = { path: place.at('bundle/rootfs') }
  config.process = { ...config.process, terminal: false, args: ['sh', '-c', script] }
  if (memory) config.linux.resources = { ...config.linux.resources, memory }
  writeFileSync(at('config.json'), JSON.stringify(config))
  const root = `--root=${at('state')}`
  const conmon = (...words: readonly string[]): Outcome => {
    const own = ['-b', at(''), '-c', name, '-u', name, '-n', name, '-r', pathOf(engine), '--runtime-arg', root]
    return place.call(['conmon', ...own, '-l', `k8s-file:${at('log')}`, '--socket-dir-path', at(''), ...words])
  }
  const create = (): Outcome =>
    conmon('-p', at('pidfile'), '--exit-dir', at('exits'), '-P', at('conmon-pidfile'), '--persist-dir', at(''))
  const call = (words: readonly string[], input = ''): Outcome => place.call([pathOf(engine), root, ...words], input)
  const state = (): { status: string; pid: number } => JSON.parse(call(['state', name]).stdout)
  const status = (): string => state().status
  const processFile = (args: readonly string[]): string => {
    writeFileSync(at('process.json'), JSON.stringify({ ...config.process, args }))
    return at('process.json')
  }
  /** The output of the container, as kubelet reads it: without times. */
  const log = (): string => readFileSync(at('log'), 'utf8').replace(/^\S+ /gm, '')
  return { at, conmon, create, call, state, status, processFile, log }
}

const waiting = 'trap "echo ended; exit 5" TERM; echo started; while :; do sleep 0.1; done'

/** conmon's pid file is there once it has created the container. */
async function untilCreated({ at, status }: ReturnType<typeof container>): Promise<void> {
  await until(() => existsSync(at('pidfile')))
  await until(() => status() === 'created')
}

/** The limit on memory of a process's cgroup, as the kernel has it. */
function memoryLimit(pid: number): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
  const v1 = /^\d+:(?:\S*,)?memory(?:,[^:]*)?:(.*)$/m.exec(lines)?.[1]
  const v2 = /^0::(.*)$/m.exec(lines)?.[1]
  const file = v1 === undefined ? `${v2}/memory.max` : `memory${v1}/memory.limit_in_bytes`
  return readFileSync(join('/sys/fs/cgroup', file), 'utf8').trim()
}

export const conmonRows: readonly Row[] = [
  {
    what: 'create, state, start, update, stop, state, delete, as CRI-O calls them',
    isPossible: hasLimits,
    async see(engine) {
      const one = container(engine, waiting)
      const { call, at, status, log } = one
      try {
        const created = one.create()
        await untilCreated(one)
        const started = call(['start', name])
        await until(() => existsSync(at('log')) && log().includes('started'))
        const limits = JSON.stringify({ pids: { limit: 30 }, memory: { limit: 80 << 20 } })
        const updated = call(['update', '--resources', '-', name], limits)
        const running = status()
        const stopped = call(['kill', name, '15'])
        await until(() => existsSync(at(`exits/${name}`)))
        const code = readFileSync(at(`exits/${name}`), 'utf8')
        await until(() => status() === 'stopped')
        // CRI-O goes on to kill until it sees the exit file.
        const again = call(['kill', name, 'KILL'])
        return [
          created,
          started,
          updated,
          running,
          stopped,
          code,
          again.status,
          call(['delete', '--force', name]),
          log(),
        ]
      } finally {
        call(['delete', '--force', name])
      }
    },
  },
  {
    what: 'exec in a stream of its own, and ExecSync through conmon',
    async see(engine) {
      const one = container(engine, waiting)
      const { call, conmon, at, processFile, log } = one
      try {
        one.create()
        await untilCreated(one)
        call(['start', name])
        await until(() => existsSync(at('log')) && log().includes('started'))
        const streamed = call(
          ['exec', '--process', processFile(['sh', '-c', 'cat; echo err >&2; exit 3']), name],
          'in\n',
        )
        const missing = call(['exec', '--process', processFile(['nope']), name])
        const words = [
          '-e',
          '-p',
          at('exec-pid'),
          '--exec-process-spec',
          processFile(['sh', '-c', 'echo synced; exit 4']),
        ]
        const synced = conmon(...words, '--exit-dir', at('exits'), '--sync')
        await until(() => log().includes('synced'))
        return [streamed, missing.status, synced, log()]
      } finally {
        call(['delete', '--force', name])
      }
    },
  },
  {
    what: 'create with 12 MiB of memory, the least that CRI-O allows, and update of that',
    isPossible: hasLimits,
    async see(engine) {
      const one = container(engine, waiting, { limit: 12 << 20 })
      const { call, at, state, log } = one
      try {
        const created = one.create()
        await untilCreated(one)
        const { pid } = state()
        const least = memoryLimit(pid)
        const started = call(['start', name])
        await until(() => existsSync(at('log')) && log().includes('started'))
        const more = JSON.stringify({ memory: { limit: 24 << 20 } })
        const updated = call(['update', '--resources', '-', name], more)
        return [created, least, started, updated, memoryLimit(pid)]
      } finally {
        call(['delete', '--force', name])
      }
    },
  },
  {
    what: 'ExecSync that takes too long, kill and kill again, delete --force of what runs',
    async see(engine) {
      const one = container(engine, `trap '' TERM; echo started; while :; do sleep 0.1; done`)
      const { call, conmon, at, status, processFile, log } = one
      const exitCode = async (): Promise<string> => {
        await until(() => existsSync(at(`exits/${name}`)))
        return readFileSync(at(`exits/${name}`), 'utf8')
      }
      const begin = async (): Promise<void> => {
        one.create()
        await untilCreated(one)
        call(['start', name])
        await until(() => existsSync(at('log')) && log().includes('started'))
      }
      try {
        await begin()
        const slow = processFile(['sh', '-c', 'echo slow; exec sleep 100'])
        const words = ['-e', '-T', '1', '-p', at('exec-pid'), '--exec-process-spec', slow]
        const late = conmon(...words, '--sync')
        const isLeft = (): boolean => existsSync(`/proc/${readFileSync(at('exec-pid'), 'utf8')}/cmdline`)
        await until(() => !isLeft())
        // The container ignores the first signal, as CRI-O's stop loop then finds.
        const ignored = call(['kill', name, '15'])
        const still = status()
        const killed = call(['kill', name, 'KILL'])
        const code = await exitCode()
        await until(() => status() === 'stopped')
        // Engines look for these words; runc does not name the container.
        const again = [1, 2, 3].map(() => {
          const { status, stderr } = call(['kill', name, 'KILL'])
          return [status, stderr.includes('container not running')]
        })
        const deleted = [call(['delete', '--force', name]), call(['delete', '--force', name])]
        rmSync(at(`exits/${name}`))
        rmSync(at('pidfile'))
        rmSync(at('log'))
        await begin()
        const running = call(['delete', '--force', name])
        return [
          late,
          ignored,
          still,
          killed,
          code,
          again,
          deleted,
          running,
          await exitCode(),
          call(['state', name]).status,
        ]
      } finally {
        call(['delete', '--force', name])
      }
    },
  },
]
