import { writeFileSync } from 'node:fs'
import { done } from './client.ts'
import { type Row, type RowEngine, RowError } from './rows.ts'

/** Makes a pod, and removes it after use. */
function inPod<T>(engine: RowEngine, use: () => T): T {
  const { status, stderr } = engine.call('pod', 'create', '--network', 'none', '--name', 'pod')
  if (status !== 0) throw new RowError(stderr)
  try {
    return use()
  } finally {
    engine.call('pod', 'rm', '-f', '-t', '0', 'pod')
  }
}

const status = ({ call }: RowEngine): string => call('pod', 'inspect', '--format', '{{.State}}', 'pod').stdout.trim()

export const podRows: readonly Row[] = [
  {
    what: 'pods: run in one, what its containers share',
    see: (engine) =>
      inPod(engine, () => {
        const { call } = engine
        const namespaces = 'readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts'
        call('run', '-d', '--pod', 'pod', '--name', 'podded', 'busybox', 'sleep', '1000')
        const theirs = call('exec', 'podded', 'sh', '-c', namespaces).stdout
        const script = `grep ^Seccomp: /proc/self/status; hostname; ${namespaces}`
        const ran = call('run', '--rm', '--pod', 'pod', 'busybox', 'sh', '-c', script)
        return [ran.status, ran.stdout.replace(theirs, 'the same'), ran.stderr]
      }),
  },
  {
    what: 'pod start, top, pause, unpause, kill, stop',
    see: (engine) =>
      inPod(engine, () => {
        const { call } = engine
        call('create', '--pod', 'pod', '--name', 'podded', 'busybox', 'sleep', '1000')
        const seen: unknown[] = [done(engine, 'pod', 'start', 'pod'), status(engine)]
        seen.push(call('pod', 'top', 'pod', 'args').stdout.includes('sleep 1000'))
        for (const verb of ['pause', 'unpause', 'kill']) {
          seen.push(call('pod', verb, 'pod').status, status(engine))
        }
        return [seen, call('pod', 'stop', '-t', '1', 'pod').status, status(engine)]
      }),
  },
  {
    what: 'play kube, with a volume, limits and a user',
    see(engine) {
      const { call, place } = engine
      const file = place.at('pod.yaml')
      writeFileSync(file, JSON.stringify(pod(place.at('tmp'))))
      const played = call('play', 'kube', file)
      try {
        if (played.status !== 0) throw new RowError(played.stderr)
        return call('exec', 'played-one', 'sh', '-c', 'id -u; pwd; echo $A; touch /v/x; ls -d /v')
      } finally {
        call('pod', 'rm', '-f', '-t', '0', 'played')
      }
    },
  },
]

const pod = (volume: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'played' },
  spec: {
    hostNetwork: true,
    containers: [
      {
        name: 'one',
        image: 'localhost/busybox',
        command: ['sh', '-c', 'echo from a pod; sleep 1000'],
        env: [{ name: 'A', value: 'b' }],
        workingDir: '/tmp',
        securityContext: { runAsUser: 7, readOnlyRootFilesystem: true },
        volumeMounts: [{ name: 'v', mountPath: '/v', readOnly: true }],
      },
    ],
    volumes: [{ name: 'v', hostPath: { path: volume } }],
  },
})
