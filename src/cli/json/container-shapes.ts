import type { Finding } from '../../verbs/container/doctor.ts'
import type { EngineResult } from '../../verbs/container/engine.ts'
import type { ContainerEvent } from '../../verbs/container/events.ts'
import type { Explanation } from '../../verbs/container/explain.ts'
import type { Features } from '../../verbs/container/features.ts'
import type { State } from '../../verbs/container/state.ts'
import type { ContainerUsage } from '../../verbs/container/stats.ts'
import type { StopResult } from '../../verbs/container/stop.ts'
import type { VersionFacts } from '../version.ts'
import type { CommandShape } from './shape.ts'
import { any, array, map, nullable, number, object, optional, type Shape, text, truth } from './shape.ts'
import { usageShape } from './usage-shape.ts'

const state = (owner: string): Shape =>
  object<State>('a container', {
    ociVersion: text('the version of the runtime specification'),
    id: text('the container ID'),
    pid: number('the first process, as seen from here; 0 when stopped'),
    status: text('creating, created, running, paused or stopped'),
    bundle: text('absolute path of the bundle'),
    rootfs: text('absolute path of the root filesystem'),
    created: text('when it was created, as RFC 3339 has it'),
    annotations: optional(map('annotations of config.json', text('a value'))),
    owner: text(owner),
  })

const exampleState: State = {
  ociVersion: '1.3.0',
  id: 'demo',
  pid: 4711,
  status: 'running',
  bundle: '/srv/bundle',
  rootfs: '/srv/bundle/rootfs',
  created: '2026-01-02T03:04:05.678901234Z',
  owner: '',
}

/** The documents of the commands for containers and about the tool, by the command's name. */
export const containerShapes: Readonly<Record<string, CommandShape>> = {
  doctor: {
    shape: array(
      'what was found',
      object<Finding>('one thing of the host', {
        name: text('its name'),
        status: text('"works", "missing" where only something special needs it, "failed" where plain use does'),
        says: text('what there is, and what it is for'),
        fix: optional(text('the command that changes it')),
      }),
    ),
    example: {
      command: 'doctor --json',
      document: [
        { name: 'kernel', status: 'works', says: 'Linux 6.12.0' },
        { name: 'CRIU', status: 'missing', says: 'not installed', fix: 'sudo apt-get install criu' },
      ] satisfies Finding[],
    },
  },
  config: {
    shape: array(
      'the words of a command line that makes this of the default',
      text('a flag with its value, or a word'),
    ),
    note: 'It prints them with `--show`, and nothing without.',
    example: { command: 'config --show --json -b bundle', document: ['--env=LANG=C.UTF-8', '--', 'ls', '-l'] },
  },
  engine: {
    shape: object<EngineResult>('what was done', {
      engine: text('docker, containerd, podman or crio'),
      file: text('absolute path of the configuration file'),
      done: text('shown, written, removed or unchanged'),
      text: text('the entry, where it is only shown; else the content of the file, empty when it is gone'),
      restart: nullable(text('the command after which the engine knows; null: it needs none')),
    }),
    example: {
      command: 'engine --json podman --remove',
      document: {
        engine: 'podman',
        file: '/etc/containers/containers.conf.d/50-bundle-tool.conf',
        done: 'removed',
        text: '',
        restart: null,
      } satisfies EngineResult,
    },
  },
  explain: {
    shape: array(
      'in the order in which they run',
      object<Explanation['steps'][number]>('a step', {
        address: number('its number'),
        phase: text('which process runs it'),
        op: text('what it does'),
        operands: text('with what'),
        from: text('RFC 6901 pointer to the value of config.json that it comes from, or another origin'),
      }),
    ),
    example: {
      command: 'explain --json bundle',
      document: [{ address: 27, phase: 'child', op: 'mkdir', operands: '"proc" 0755', from: '/mounts/0' }],
    },
  },
  state: {
    shape: state('empty; "list" has the owner'),
    note: 'It is JSON always, as for runc.',
    example: { command: 'state demo', document: exampleState },
  },
  list: {
    shape: nullable(array('by container ID', state("the user who owns the container's directory"))),
    note: 'No containers are `null`, as for runc. With `--quiet` there are only IDs, a line each.',
    example: { command: 'list --format json', document: [{ ...exampleState, owner: 'root' }] },
  },
  ps: {
    shape: array('the processes of the container', number('a process ID, as seen from here')),
    example: { command: 'ps --format json demo', document: [4711, 4720] },
  },
  stats: {
    shape: array(
      'by container ID',
      object<ContainerUsage>('what a container uses', {
        id: text('the container ID'),
        status: text('creating, created, running, paused or stopped'),
        cpuPercent: number('percent of one CPU, since the line before: 150 is one and a half'),
        memory: number('bytes, without the file cache that the kernel could take back'),
        memoryLimit: number("the container's limit, or the machine's memory, in bytes"),
        pids: number('processes and threads'),
        blockRead: number('bytes, since the container was created'),
        blockWrite: number('bytes, since the container was created'),
      }),
    ),
    note: 'There is a document on a line for each interval; with `--no-stream` there is one.',
    example: {
      command: 'stats --json --no-stream demo',
      document: [
        {
          id: 'demo',
          status: 'running',
          cpuPercent: 12.5,
          memory: 1_048_576,
          memoryLimit: 67_108_864,
          pids: 2,
          blockRead: 0,
          blockWrite: 4096,
        },
      ] satisfies ContainerUsage[],
    },
  },
  events: {
    shape: object<Omit<ContainerEvent, 'data'> & { readonly data: unknown }>('an event', {
      type: text('stats, or oom when the container has reached its memory limit'),
      id: text('the container ID'),
      data: optional({ ...usageShape, says: `of stats: ${usageShape.says}` }),
    }),
    note: 'There is a document on a line for each event. It is JSON always, as for runc. A number may be larger than 2^53.',
    example: { command: 'events demo', document: { type: 'oom', id: 'demo' } satisfies ContainerEvent },
  },
  stop: {
    shape: object<StopResult & { readonly id: string }>('how it ended', {
      id: text('the container ID'),
      wasKilled: truth('whether it was killed; false where it has ended by itself'),
    }),
    example: { command: 'stop --json demo', document: { id: 'demo', wasKilled: false } },
  },
  wait: {
    shape: object<{ readonly id: string; readonly status: number }>('how it ended', {
      id: text('the container ID'),
      status: number('the exit code of its first process, or 128 + the signal that ended it'),
    }),
    note: 'The command exits with that status. Where it cannot be known, there is an error `ERR_EXIT_STATUS_UNKNOWN`.',
    example: { command: 'wait --json demo', document: { id: 'demo', status: 0 } },
  },
  features: {
    shape: object<Features>('the features structure of the runtime specification', {
      ociVersionMin: text('the oldest version of the specification that is understood'),
      ociVersionMax: text('the newest one'),
      hooks: array('kinds of hooks', text('a kind')),
      mountOptions: array('options of mounts', text('an option')),
      linux: any('as features-linux.md of the specification has it'),
      annotations: map('what this tool says of itself', text('a value')),
      potentiallyUnsafeConfigAnnotations: array(
        'annotations that change what is done',
        text('a name, or its beginning'),
      ),
    }),
    note: 'It is JSON always, as for runc.',
    example: {
      command: 'features',
      document: {
        ociVersionMin: '1.0.0',
        ociVersionMax: '1.3.0',
        hooks: ['prestart', 'createRuntime'],
        mountOptions: ['bind', 'ro'],
        linux: {},
        annotations: { 'bundle-tool.version': '0.1.0' },
        potentiallyUnsafeConfigAnnotations: ['org.criu.config'],
      },
    },
  },
  version: {
    shape: object<VersionFacts>('the version', {
      name: text('the name that the tool was called by'),
      version: text('the version of the tool'),
      commit: text('what it was built of'),
      spec: text('the version of the runtime specification'),
    }),
    example: {
      command: 'version --json',
      document: {
        name: 'bundle-tool',
        version: '0.1.0',
        commit: 'v0.1.0',
        spec: '1.3.0',
      } satisfies VersionFacts,
    },
  },
}
