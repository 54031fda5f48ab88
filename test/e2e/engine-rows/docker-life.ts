import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { inspect, run, start, ticking, ticks, waiting } from './client.ts'
import { name, often, type Row, until } from './rows.ts'

/** Rows about the life of a container: what starts it, looks at it and ends it. */
export const lifeRows: readonly Row[] = [
  {
    what: 'run --rm IMAGE true',
    see: ({ call, run: words }) => call(...words, '--rm', 'busybox', 'true'),
    times: often,
  },
  run('run: streams, exit code', [], 'echo out; echo err >&2; exit 7'),
  {
    what: 'run: a command that is not there, one that cannot be executed',
    fails: true,
    see: ({ call, run: words }) => ['nope', '/etc/passwd'].map((word) => call(...words, '--rm', 'busybox', word)),
  },
  {
    what: 'run -i',
    see: ({ place, run: words }) => place.call(['docker', ...words, '--rm', '-i', 'busybox', 'cat'], 'in'),
  },
  {
    what: 'run -it',
    see: ({ onTerminal, run: words }) => onTerminal(...words, '--rm', '-it', 'busybox', 'sh', '-c', 'tty; exit 3'),
  },
  {
    what: 'run -d, logs, stop',
    see(engine) {
      start(engine, waiting)
      const stopped = engine.call('stop', name)
      return [stopped, inspect(engine, 'ExitCode'), engine.call('logs', name)]
    },
  },
  {
    what: 'exec, also -u -w -e, -d, -i and -it',
    see(engine) {
      start(engine, waiting)
      const { call, onTerminal, place } = engine
      return [
        call('exec', '-u', '1:2', '-w', '/tmp', '-e', 'X=y', name, 'sh', '-c', 'id; pwd; echo $X; exit 4'),
        call('exec', '-d', name, 'touch', '/made'),
        place.call(['docker', 'exec', '-i', name, 'cat'], 'in'),
        onTerminal('exec', '-it', name, 'sh', '-c', 'tty; exit 3'),
        call('exec', name, 'nope').status,
        call('exec', name, 'ls', '/made'),
      ]
    },
  },
  {
    what: 'kill, also by other signals, restart, rm -f',
    async see(engine) {
      start(engine, 'trap "echo hup" HUP; trap "exit 9" USR1; while :; do sleep 0.1; done')
      engine.call('kill', '-s', 'HUP', name)
      await until(() => engine.call('logs', name).stdout === 'hup\n')
      engine.call('kill', '--signal', '10', name)
      await until(() => inspect(engine, 'Status') === 'exited')
      const byUsr1 = inspect(engine, 'ExitCode')
      engine.call('start', name)
      engine.call('kill', name)
      await until(() => inspect(engine, 'Status') === 'exited')
      const byKill = inspect(engine, 'ExitCode')
      engine.call('restart', '-t', '0', name)
      await until(() => inspect(engine, 'Status') === 'running')
      return [byUsr1, byKill, engine.call('rm', '-f', name), engine.call('ps', '-aq')]
    },
  },
  {
    what: '--stop-signal, stop -t of what ignores it',
    see(engine) {
      start(engine, 'trap "exit 6" INT; while :; do sleep 0.1; done', '--stop-signal', 'INT')
      engine.call('stop', name)
      const asked = inspect(engine, 'ExitCode')
      engine.call('rm', '-f', name)
      start(engine, 'trap "" TERM; while :; do sleep 0.1; done')
      engine.call('stop', '-t', '1', name)
      return [asked, inspect(engine, 'ExitCode')]
    },
  },
  {
    what: 'pause, unpause: nothing runs in between; exec then is refused',
    async see(engine) {
      start(engine, ticking)
      await until(() => engine.call('logs', name).stdout.includes('tick'))
      const seen: unknown[] = [await ticks(engine)]
      for (const verb of ['pause', 'unpause']) {
        seen.push(engine.call(verb, name), inspect(engine, 'Status'), await ticks(engine))
        seen.push(engine.call('exec', name, 'echo', 'in').stdout)
      }
      return seen
    },
  },
  {
    what: 'top, stats',
    see(engine) {
      start(engine, 'sleep 1000; true')
      return [
        engine.call('top', name, '-o', 'args').stdout,
        engine.call('stats', '--no-stream', '--format', '{{.PIDs}} {{.Name}}', name).stdout,
        // Some memory is in use, where it is counted.
        /^[1-9]/.test(engine.call('stats', '--no-stream', '--format', '{{.MemUsage}}', name).stdout),
      ]
    },
  },
  {
    what: 'cp both ways, export, diff, commit',
    see(engine) {
      const { call, place } = engine
      start(engine, 'sleep 1000')
      writeFileSync(place.at('copied'), 'content\n')
      const out = place.at('out')
      rmSync(out, { force: true })
      const results = [
        call('cp', place.at('copied'), `${name}:/in`),
        call('exec', name, 'cat', '/in'),
        call('cp', `${name}:/in`, out),
      ]
      const exported = call('export', '-o', place.at('container.tar'), name).status
      const listed = place.call(['sh', '-c', `tar -tf ${place.at('container.tar')} | grep -x in`])
      const changed = call('diff', name).stdout.split('\n').sort()
      const committed = call('commit', name, 'localhost/committed').status
      return [
        results.map(({ status, stdout }) => [status, stdout]),
        existsSync(out) && readFileSync(out, 'utf8'),
        exported,
        listed,
        changed,
        committed,
        call(...engine.run, '--rm', 'localhost/committed', 'cat', '/in'),
      ]
    },
  },
  {
    what: 'healthcheck',
    async see(engine) {
      start(engine, 'sleep 1000', '--health-cmd', 'test -e /ok', '--health-interval', '200ms', '--health-retries', '1')
      await until(() => inspect(engine, 'Health.Status') === 'unhealthy')
      engine.call('exec', name, 'touch', '/ok')
      await until(() => inspect(engine, 'Health.Status') === 'healthy')
      return 'unhealthy, then healthy'
    },
  },
  {
    what: '--restart on-failure:2, always',
    async see(engine) {
      start(engine, 'echo again; exit 3', '--restart', 'on-failure:2')
      await until(() => inspect(engine, 'Status') === 'exited')
      const { call } = engine
      const count = (): string => call('inspect', '--format', '{{.RestartCount}}', name).stdout.trim()
      const onFailure = [count(), call('logs', name).stdout]
      call('rm', '-f', name)
      start(engine, 'echo again; sleep 0.1', '--restart', 'always')
      await until(() => count() === '2')
      return onFailure
    },
  },
  {
    what: '--init: it ends what TERM does not, and reaps',
    see(engine) {
      start(engine, '(sleep 0 & exec sleep 0.1); sleep 1000', '--init')
      const { call } = engine
      const first = call('exec', name, 'cat', '/proc/1/comm')
      call('stop', '-t', '9', name)
      return [first, inspect(engine, 'ExitCode')]
    },
  },
]
