import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect } from 'vitest'
import { requires } from '../requirements.ts'
import { cgroupDriver, EnginePlace, image, type Outcome, pathOf, runtimes, slowness } from './engine-place.ts'
import { containerdRows } from './engine-rows/containerd.ts'
import { name, type RowEngine, testRows } from './engine-rows/rows.ts'

const { describe, test } = requires('root', 'containerd', 'ctr', 'runc', 'script', 'skopeo')

describe('containerd with this runtime', () => {
  let place: EnginePlace
  const ctr = (...args: readonly string[]): Outcome => place.call(['ctr', ...args])
  const cgroup = cgroupDriver === 'systemd' ? ['--runc-systemd-cgroup', '--cgroup', `system.slice:ctr:${name}`] : []
  const options = (runtime: string) => ['run', '--snapshotter', 'native', '--runc-binary', pathOf(runtime), ...cgroup]
  beforeAll(async () => {
    place = new EnginePlace('containerd', (directory) => ({ CONTAINERD_ADDRESS: `${directory}/sock` }))
    writeFileSync(
      place.at('config.toml'),
      `version = 2
root = "${place.at('root')}"
state = "${place.at('state')}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "${place.at('sock')}"
[plugins."io.containerd.internal.v1.opt"]
path = "${place.at('opt')}"
`,
    )
    await place.start(['containerd', '--config', place.at('config.toml')], ['ctr', 'version'])
    expect(
      place.call(['skopeo', 'copy', '-q', `oci-archive:${image}`, `oci-archive:${place.at('image')}:x`]).status,
    ).toBe(0)
    expect(
      ctr('images', 'import', '--index-name', 'busybox', '--snapshotter', 'native', place.at('image')).stderr,
    ).toBe('')
  }, 60_000 * slowness)
  afterAll(() => place.close())

  const rowEngine = (runtime: string): RowEngine => ({
    place,
    runtime,
    call: (...args) => (args[0] === 'rm' ? remove() : ctr(...args)),
    onTerminal: (...args) => place.callOnTerminal(['ctr', ...args]),
    run: options(runtime),
  })
  const remove = (): Outcome => {
    ctr('tasks', 'delete', '--force', name)
    ctr('containers', 'delete', name)
    // A run that failed leaves it.
    return ctr('snapshots', '--snapshotter', 'native', 'delete', name)
  }
  testRows(test, containerdRows, {
    title: () => `containerd ${/^\s*Version:\s*(\S+)/m.exec(ctr('version').stdout)?.[1]}`,
    engines: () => runtimes.map(rowEngine),
  })
})
