import { mkdirSync, writeFileSync } from 'node:fs'
import type { Outcome } from '../engine-place.ts'
import { name, type Row, type RowEngine, RowError } from './rows.ts'

/** Builds an image of lines after `FROM`. For buildah, the words of `run` are flags that `bud` has, too. */
function bud({ call, place, run }: RowEngine, lines: readonly string[], flags: readonly string[] = []): Outcome {
  const context = place.at('context')
  mkdirSync(context, { recursive: true })
  writeFileSync(`${context}/Containerfile`, ['FROM localhost/busybox', ...lines, ''].join('\n'))
  const words = ['--no-cache', ...run, ...flags, '-t', 'localhost/built', context]
  const { status, stdout, stderr } = call('bud', ...words)
  // Without the IDs of images, and the steps, which come with other spaces.
  const said = `${stdout}${stderr}`
    .split('\n')
    .filter((line) => !/^(STEP|COMMIT|Getting|Writing|Copying|Storing|-->|[\da-f]{64}$)/.test(line))
  return { status, stdout: said.join('\n'), stderr: '' }
}

/** Runs a command in a container of the image. */
function run(engine: RowEngine, flags: readonly string[], ...command: readonly string[]): Outcome {
  const made = engine.call('from', '--name', name, 'localhost/busybox')
  if (made.status !== 0) throw new RowError(made.stderr)
  return engine.call('run', ...engine.run, ...flags, '--', name, ...command)
}

const row = (what: string, flags: readonly string[], script: string): Row => ({
  what,
  see: (engine) => run(engine, flags, 'sh', '-c', script),
})

export const buildahRows: readonly Row[] = [
  {
    what: 'bud: RUN, USER, WORKDIR, ENV, what was made is in the image',
    see(engine) {
      const built = bud(engine, [
        'RUN echo built > /file && id -u',
        'ENV A=b',
        'USER 7',
        'WORKDIR /tmp',
        'RUN id -u; pwd; echo $A > made',
      ])
      const made = engine.call('from', '--name', name, 'localhost/built')
      return [built, made.status, engine.call('run', ...engine.run, name, 'cat', '/file', '/tmp/made')]
    },
  },
  { what: 'bud: a RUN that fails', see: (engine) => bud(engine, ['RUN echo before; exit 7']) },
  { what: 'bud: a RUN of what is not there', see: (engine) => bud(engine, ['RUN ["nope"]']).status, fails: true },
  {
    what: 'bud: -v, --ulimit, --cap-add',
    see: (engine) =>
      bud(
        engine,
        ['RUN touch /v/x; ulimit -n; grep ^CapEff /proc/self/status'],
        ['-v', '/etc:/v:ro', '--ulimit', 'nofile=99:99', '--cap-add', 'SYS_PTRACE'],
      ),
  },
  row('run: streams, exit code', [], 'echo out; echo err >&2; exit 7'),
  { what: 'run: what is not there', see: (engine) => run(engine, [], 'nope').status, fails: true },
  {
    what: 'run --tty',
    see(engine) {
      run(engine, [], 'true')
      return engine.onTerminal('run', '-t', ...engine.run, name, 'sh', '-c', 'tty; exit 3')
    },
  },
  row(
    'run --user, --workingdir, --env, --hostname, -v',
    ['--user', '12:34', '--workingdir', '/tmp', '--env', 'A=b', '--hostname', 'mine', '-v', '/etc:/v:ro'],
    'id; pwd; echo $A; hostname; touch /v/x',
  ),
  row(
    'run --cap-add, --cap-drop',
    ['--cap-drop', 'all', '--cap-add', 'NET_ADMIN'],
    'grep -E "^(Cap|NoNew|Seccomp:)" /proc/self/status',
  ),
]
