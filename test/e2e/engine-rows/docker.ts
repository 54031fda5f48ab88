import { writeFileSync } from 'node:fs'
import { tool } from '../engine-place.ts'
import { shell, start } from './client.ts'
import { processRows } from './docker-flags.ts'
import { lifeRows } from './docker-life.ts'
import { limitRows } from './docker-limits.ts'
import { mountRows, namespaceRows } from './docker-places.ts'
import { name, type Row } from './rows.ts'

export const dockerRows: readonly Row[] = [
  ...lifeRows,
  ...processRows,
  ...limitRows,
  ...mountRows,
  ...namespaceRows,
  {
    what: 'run --privileged',
    see: (engine) => shell(engine, ['--privileged'], 'mount -t tmpfs none /tmp && echo mounted'),
    // Where the host lacks a capability, runc fails.
    expected: { status: 0, stdout: 'mounted\n', stderr: '' },
  },
  {
    what: 'exec --privileged',
    see(engine) {
      start(engine, 'sleep 1000')
      const down = ['sh', '-c', 'ip link set lo down && echo down']
      return [engine.call('exec', name, ...down).status, engine.call('exec', '--privileged', name, ...down)]
    },
    expected: [2, { status: 0, stdout: 'down\n', stderr: '' }],
  },
  {
    what: 'as the default runtime: run, build with RUN',
    onlyOurs: true,
    see({ call, place }) {
      writeFileSync(
        place.at('Dockerfile'),
        'FROM busybox\nRUN echo built > /file && id -u\nUSER 7\nRUN id -u > /tmp/who\n',
      )
      const none = ['--network', 'none']
      const built = call(
        'build',
        '-q',
        '--no-cache',
        ...none,
        '-t',
        'built',
        '-f',
        place.at('Dockerfile'),
        place.at('exec'),
      )
      const ran = call('run', ...none, '--name', name, 'built', 'cat', '/file', '/tmp/who')
      return [built.status, ran, call('inspect', '--format', '{{.HostConfig.Runtime}}', name).stdout]
    },
    expected: [0, { status: 0, stdout: 'built\n7\n', stderr: '' }, 'bundle-tool\n'],
  },
  {
    what: 'bundle-tool --root .../runtime-runc/moby list: containers of both runtimes',
    onlyOurs: true,
    see(engine) {
      const { call, place } = engine
      start(engine, 'sleep 1000')
      call('run', '-d', '--runtime', 'runc', '--network', 'none', '--name', 'theirs', 'busybox', 'sleep', '1000')
      const ids = call('ps', '-q', '--no-trunc').stdout.split('\n').sort()
      const listed = place.call([tool, '--root', place.at('exec/runtime-runc/moby'), 'list', '-q'])
      call('rm', '-f', 'theirs')
      return [ids.length, listed.status, listed.stdout.split('\n').sort().join() === ids.join(), listed.stderr]
    },
    expected: [3, 0, true, ''],
  },
]
