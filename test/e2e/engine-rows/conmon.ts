import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Outcome } from '../engine-place.ts'
import { hasLimits } from './docker-limits.ts'
import { name, type Row, type RowEngine, until } from './rows.ts'

/** The path of the runtime, which for this engine is its name on the command line. */
const pathOf = (engine: RowEngine): string => engine.run[0] ?? ''

/** The pieces that CRI-O has of a container: conmon with its files, and the runtime. */
function container(engine: RowEngine, script: string) {
  const { place } = engine
  const at = (file: string): string => join(place.at(`userdata-${engine.runtime}`), file)
  rmSync(at(''), { recursive: true, force: true })
  mkdirSync(at('exits'), { recursive: true })
  const config = JSON.parse(readFileSync(place.at('bundle/config.json'), 'utf8'))
  config.root = { path: place.at('bundle/rootfs') }
  config.process = { ...config.process, terminal: false, args: ['sh', '-c', script] }
  writeFileSync(at('config.json'), JSON.stringify(config))
  const root = `--root=${at('state')}`
  const conmon = (...words: readonly string[]): Outcome => {
    const own = ['-b', at(''), '-c', name, '-u', name, '-n', name, '-r', pathOf(engine), '--runtime-arg', root]
    return place.call(['conmon', ...own, '-l', `k8s-file:${at('log')}`, '--socket-dir-path', at(''), ...words])
  }
  const create = (): Outcome =>
    conmon('-p', at('pidfile'), '--exit-dir', at('exits'), '-P', at('conmon-pidfile'), '--persist-dir', at(''))
  const call = (words: readonly string[], input = ''): Outcome => place.call([pathOf(engine), root, ...words], input)
  const status = (): string => JSON.parse(call(['state', name]).stdout).status
  const processFile = (args: readonly string[]): string => {
    writeFileSync(at('process.json'), JSON.stringify({ ...config.process, args }))
    return at('process.json')
  }
  /** The output of the container, as kubelet reads it: without times. */
  const log = (): string => readFileSync(at('log'), 'utf8').replace(/^\S+ /gm, '')
  return { at, conmon, create, call, status, processFile, log }
}

const waiting = 'trap "echo ended; exit 5" TERM; echo started; while :; do sleep 0.1; done'

/** conmon's pid file is there once it has created the container. */
async function untilCreated({ at, status }: ReturnType<typeof container>): Promise<void> {
  await until(() => existsSync(at('pidfile')))
  await until(() => status() === 'created')
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
]
